"""Labelled streams on disk and what counts as found: a folder `detect/SUITE/labels.json`, and the files it names beside it.

labels.json: stream → files; windows (start, end in ns; `service`: the root cause, absent where a stream is one gauge); ignore: not scored;
clean: if there, false alarms are counted in it alone; probation_end: nothing counts before it; early_s: an alarm so long before a window
is still its own.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bot.detection.alarm import Alarm

NS_PER_S = 1_000_000_000
DAY_S = 86_400.0
EPISODE_GAP_S = 1_800.0  # alarms of one (service, signal) that are closer are one; one that goes on counts again after so long
SHORT_EPISODE_GAP_S = 60.0  # the same where incidents last minutes
SHORT_WINDOW_S = 300.0

Span = tuple[float, float]  # seconds, from and to


@dataclass(frozen=True)
class Window:
    start_s: float
    end_s: float
    service: str | None


@dataclass(frozen=True)
class Stream:
    """One stream of a suite, all times in seconds."""

    name: str
    files: tuple[Path, ...]
    windows: tuple[Window, ...]
    ignore: tuple[Span, ...]
    clean: tuple[Span, ...]
    probation_end_s: float
    start_s: float
    end_s: float
    early_s: float

    @property
    def clean_days(self) -> float:
        """Days in which an alarm is a false one."""
        if self.clean:
            return sum(end - start for start, end in self.clean) / DAY_S
        reached, free_s = self.probation_end_s, self.end_s - self.probation_end_s
        for start, end in sorted([(w.start_s, w.end_s) for w in self.windows] + list(self.ignore)):
            free_s -= max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return free_s / DAY_S

    def is_false(self, at_s: float) -> bool:
        if self.clean:
            return any(start <= at_s < end for start, end in self.clean)
        in_window = any(window.start_s <= at_s <= window.end_s for window in self.windows)
        return not in_window and at_s >= self.probation_end_s and not any(start <= at_s < end for start, end in self.ignore)

    def belongs(self, at_s: float, window: Window) -> bool:
        in_clean = any(start <= at_s < end for start, end in self.clean)
        return window.start_s - self.early_s <= at_s <= window.end_s and not in_clean


@dataclass(frozen=True)
class Score:
    """What alarms over all streams of a suite are worth."""

    windows: int
    found: float
    found_right: float
    false_alarms: int
    clean_days: float

    @property
    def false_per_day(self) -> float:
        return self.false_alarms / self.clean_days if self.clean_days else 0.0


def load_suite(folder: Path) -> list[Stream]:
    """The streams of a suite's folder. Raises OSError or ValueError when labels.json is missing or no JSON."""
    labels = json.loads((folder / "labels.json").read_text())
    return [_stream(folder, name, labels[name]) for name in sorted(labels)]


def _stream(folder: Path, name: str, label: dict[str, object]) -> Stream:
    def spans(key: str) -> tuple[Span, ...]:
        return tuple((start / NS_PER_S, end / NS_PER_S) for start, end in label.get(key) or ())  # type: ignore[attr-defined]

    windows = [Window(w["start"] / NS_PER_S, w["end"] / NS_PER_S, w.get("service")) for w in label["windows"]]  # type: ignore[attr-defined]
    probation_s = float(label.get("probation_end", 0)) / NS_PER_S  # type: ignore[arg-type]
    return Stream(
        name=name,
        files=tuple(folder / file for file in label["files"]),  # type: ignore[attr-defined]
        windows=tuple(window for window in windows if window.end_s >= probation_s),
        ignore=spans("ignore"),
        clean=spans("clean"),
        probation_end_s=probation_s,
        start_s=float(label.get("start", 0)) / NS_PER_S,  # type: ignore[arg-type]
        end_s=float(label.get("end", 0)) / NS_PER_S,  # type: ignore[arg-type]
        early_s=float(label.get("early_s", 0)),  # type: ignore[arg-type]
    )


def names_services(streams: Iterable[Stream]) -> bool:
    return any(window.service for stream in streams for window in stream.windows)


def episode_gap_s(streams: Sequence[Stream]) -> float:
    lengths = [window.end_s - window.start_s for stream in streams for window in stream.windows]
    return SHORT_EPISODE_GAP_S if lengths and median(lengths) < SHORT_WINDOW_S else EPISODE_GAP_S


def score(results: Sequence[tuple[Stream, Sequence[Alarm]]], least: float = -math.inf) -> Score:
    """Alarms of at least `least`: windows with any alarm, with one at the root's service, and false episodes."""
    gap_s = episode_gap_s([stream for stream, _ in results])
    windows = found = right = false = 0
    for stream, every in results:
        alarms = [alarm for alarm in every if alarm.score >= least]
        false += false_episodes([alarm for alarm in alarms if stream.is_false(alarm.at_s)], gap_s)
        for window in stream.windows:
            own = [alarm for alarm in alarms if stream.belongs(alarm.at_s, window)]
            windows += 1
            found += bool(own)
            right += any(alarm.service == window.service for alarm in own)
    return Score(windows, found / max(windows, 1), right / max(windows, 1), false, sum(stream.clean_days for stream, _ in results))


def false_episodes(alarms: Iterable[Alarm], gap_s: float) -> int:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for alarm in alarms:
        times[alarm.service, alarm.signal].append(alarm.at_s)
    return sum(_episodes(sorted(at), gap_s) for at in times.values())


def _episodes(times: list[float], gap_s: float) -> int:
    count, first_s, last_s = 0, times[0], times[0]
    for at_s in [*times[1:], math.inf]:
        if at_s - last_s > gap_s:
            count += 1 + int((last_s - first_s) // gap_s)
            first_s = at_s
        last_s = at_s
    return count


def least_without_false(results: Sequence[tuple[Stream, Sequence[Alarm]]]) -> float:
    """The lowest threshold with no false alarm, as seen from the labels."""
    false = [alarm.score for stream, alarms in results for alarm in alarms if stream.is_false(alarm.at_s)]
    return math.nextafter(max(false), math.inf) if false else -math.inf
