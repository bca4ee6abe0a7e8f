"""Labelled incidents on disk: a folder `rca/SUITE`, its answers, and what stress does to a case.

answers.json: case → {"service", "fault"}, or {"none": true} for a stretch without a fault. CASE/question.json: `baseline` (a folder,
relative to the case), `symptom` or null, `window` (begin and end of the incident, ns; a dump may reach back further). CASE/incident and
the baselines hold OTLP requests in JSON. A family is one fault of one service.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from bot.errors import Refused
from bot.rootcause.model import Symptom, Window
from bot.rootcause.reading.window import load_window

Stress = Literal["none", "half", "firsthalf", "drop", "otherday"]
STRESSES: tuple[Stress, ...] = get_args(Stress)


@dataclass(frozen=True)
class Case:
    """`service` is None for a stretch without a fault. `baselines` are all of the suite. `began_ns`: what is older is lead, not incident
    (0: not said, the whole dump is the incident)."""

    suite: str
    name: str
    service: str | None
    fault: str
    incident: Path
    baseline: Path | None
    baselines: tuple[Path, ...]
    symptom: Symptom
    began_ns: int = 0

    @property
    def family(self) -> str:
        """Cases that show the same fault of the same service; each stretch without a fault is its own."""
        return f"{self.suite}/{self.service}/{self.fault}" if self.service else f"{self.suite}/{self.name}"


def load_cases(data: Path, suites: Sequence[str] = ()) -> list[Case]:
    """All cases below DATA/rca, or of the named suites. Raises Refused when there are none, OSError or ValueError when one is broken."""
    folders = sorted(path.parent for path in (data / "rca").glob("*/answers.json"))
    chosen = [folder for folder in folders if not suites or folder.name in suites]
    if not chosen:
        raise Refused(f"no labelled incidents in {data}: expected rca/SUITE/answers.json")
    return [case for folder in chosen for case in _suite(folder)]


def _suite(folder: Path) -> list[Case]:
    answers = json.loads((folder / "answers.json").read_text())
    cases = []
    for name, answer in sorted(answers.items()):
        question = json.loads((folder / name / "question.json").read_text())
        baseline = (folder / name / question["baseline"]).resolve() if question.get("baseline") else None
        began_ns, _ = question.get("window") or (0, 0)
        cases.append((name, answer, baseline, _symptom(question.get("symptom")), int(began_ns)))
    baselines = tuple(sorted({baseline for _, _, baseline, _, _ in cases if baseline is not None}))
    return [
        Case(
            folder.name,
            name,
            answer.get("service"),
            answer.get("fault", ""),
            folder / name / "incident",
            baseline,
            baselines,
            symptom,
            began_ns,
        )
        for name, answer, baseline, symptom, began_ns in cases
    ]


def _symptom(said: dict[str, object] | None) -> Symptom:
    if not said:
        return Symptom()
    return Symptom(str(said.get("service", "")), str(said.get("signal", "")), int(str(said.get("at", 0))), str(said.get("span", "")))


def windows(case: Case, stress: Stress = "none") -> tuple[Window, Window]:
    """(incident, baseline) of a case under stress."""
    incident = load_window(case.incident).window
    baseline = _baseline(case, stress)
    if stress == "half":
        incident = cut(incident, 0.5, 1.0, case.began_ns)
    elif stress == "firsthalf":
        incident = cut(incident, 0.0, 0.5, case.began_ns)
    elif stress == "drop":
        incident = thin(incident)
    return incident, baseline


def _baseline(case: Case, stress: Stress) -> Window:
    if case.baseline is None:
        return Window()
    if stress != "otherday":
        return _cached(case.baseline)
    others = [path for path in case.baselines if path != case.baseline]
    return _cached(others[0]) if others else cut(_cached(case.baseline), 0.0, 0.5)


@lru_cache(maxsize=2)
def _cached(path: Path) -> Window:
    return load_window(path).window


def cut(window: Window, begin: float, end: float, began_ns: int = 0) -> Window:
    """The stretch from `begin` to `end`, shares of the window's length, which begins at `began_ns` at the earliest; what is older goes
    with its beginning. Each source is cut by its own times (clocks may differ); a trace belongs to where its first span begins."""
    starts: dict[str, int] = {}
    for span in window.spans:
        starts[span.trace_id] = min(span.start_ns, starts.get(span.trace_id, span.start_ns))
    kept = _within(list(starts.values()), begin, end, began_ns)
    kept_lines = _within([line.at_ns for line in window.logs if line.at_ns], begin, end, began_ns)
    kept_points = _within([at for one in window.series if len(one.times_ns) > 1 for at in one.times_ns], begin, end, began_ns)
    series = []
    for one in window.series:
        pairs = [(at, value) for at, value in zip(one.times_ns, one.values, strict=True) if kept_points(at)]
        if pairs:
            series.append(replace(one, times_ns=tuple(at for at, _ in pairs), values=tuple(value for _, value in pairs)))
    return Window(
        spans=tuple(span for span in window.spans if kept(starts[span.trace_id])),
        logs=tuple(line for line in window.logs if (kept(starts[line.trace_id]) if line.trace_id in starts else kept_lines(line.at_ns))),
        series=tuple(series),
        graph=window.graph,
    )


def _within(times: list[int], begin: float, end: float, began_ns: int) -> Callable[[int], bool]:
    """Whether a time lies in the share of the stretch that `times` from `began_ns` on span (all of them, if none is that young). What is
    older belongs to the first share, the last moment to the last."""
    if not times:
        return lambda at: True
    counted = [at for at in times if at >= began_ns] or times
    first, length = min(counted), max(counted) - min(counted)
    low, high = first + length * begin, first + length * end
    return lambda at: (low <= at or begin <= 0.0) and (at < high or end >= 1.0)


def thin(window: Window) -> Window:
    """Every second trace, with its log lines."""

    def kept(trace_id: str) -> bool:
        return zlib.crc32(trace_id.encode()) & 1 == 0

    spans = tuple(span for span in window.spans if kept(span.trace_id))
    return replace(window, spans=spans, logs=tuple(line for line in window.logs if not line.trace_id or kept(line.trace_id)))
