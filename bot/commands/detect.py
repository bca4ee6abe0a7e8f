"""`sre-space detect`: replays OTLP JSON-lines files in time order on a simulated clock and says when and where something went wrong."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bot.commands.otlp_files import read_files
from bot.detection.alarm import Alarm
from bot.detection.detector import Detector
from bot.detection.novelty import Novelty
from bot.errors import Refused
from bot.recorded.files import Tally

NS_PER_S = 1_000_000_000
TICK_S = 1.0  # what one export holds may differ by milliseconds and still belongs together
PROGRESS_EVERY_LINES = 50
CLEAR_LINE = "\r\x1b[K"
HEADER = f"{'time (UTC)':20} {'signal':12} {'score':>7}  service"
DESCRIPTION = """Replays OTLP JSON-lines files (of the Collector's file exporter; plain or gzip) in time order and reports anomalies.
Nothing is known beforehand and nothing of the future is used. Lines that cannot be read are counted on standard error.
Exit codes: 0 answered, 64 nothing could be read or the command was used wrongly."""


class Progress:
    """One line on a terminal, written over and over; silent elsewhere."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal if terminal.isatty() else None

    def show(self, tally: Tally, now_s: float) -> None:
        if self._terminal is not None and tally.lines % PROGRESS_EVERY_LINES == 0:
            print(f"{CLEAR_LINE}{tally.lines} lines, {tally.observations} values, {_utc(now_s)}", end="", file=self._terminal, flush=True)

    def clear(self) -> None:
        """Before anything else is printed."""
        if self._terminal is not None:
            print(CLEAR_LINE, end="", file=self._terminal, flush=True)


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    arguments = _arguments(argv)
    tally, progress = Tally(), Progress(sys.stderr)
    count = 0
    for count, alarm in enumerate(replay(arguments.files, arguments.budget, tally, progress.show), start=1):
        progress.clear()
        if count == 1 and not arguments.json:
            print(HEADER)
        print(as_json(alarm) if arguments.json else as_row(alarm), flush=sys.stdout.isatty())
    progress.clear()
    for reason, times in sorted(tally.bad.items()):
        print(f"sre-space detect: {times} × {reason} (first: {tally.first_bad[reason]})", file=sys.stderr)
    if not tally.observations:
        raise Refused(
            "no metric points and no spans in what was given: detection needs files of OTLP export requests, one JSON object a line"
        )
    if not count and not arguments.json:
        print("nothing out of the ordinary")
    return 0


def replay(
    files: Sequence[Path], budget: float | None, tally: Tally, told: Callable[[Tally, float], None] | None = None
) -> Iterator[Alarm]:
    """Alarms of a fresh detector over the files, as they arise; `told` hears of each line. The clock never goes back: what comes late is
    observed at the time that the clock shows."""
    detector = Detector(Novelty, budget)
    now_s = since_s = -math.inf
    for batch in read_files(files, tally):
        for at_s, seen in batch.seen:
            if at_s - since_s >= TICK_S:
                yield from detector.tick(now_s)
                since_s = at_s
            now_s = max(now_s, at_s)
            detector.observe(seen)
        if told is not None:
            told(tally, now_s)
    yield from detector.tick(now_s)


def as_json(alarm: Alarm) -> str:
    line = {"at": round(alarm.at_s * NS_PER_S), "service": alarm.service, "signal": alarm.signal, "score": round(alarm.score, 4)}
    return json.dumps(line, ensure_ascii=False)


def as_row(alarm: Alarm) -> str:
    return f"{_utc(alarm.at_s):20} {alarm.signal:12} {alarm.score:7.1f}  {alarm.service}"


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sre-space detect", description=DESCRIPTION)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OTLP JSON lines: metrics, traces or both")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: at (ns), service, signal, score")
    parser.add_argument("--budget", type=_budget, metavar="N", help="raise only what N false alarms a day (all series together) allow")
    try:
        return parser.parse_args(argv)
    except SystemExit as left:
        if left.code:
            raise Refused("see the usage above") from left
        raise


def _budget(text: str) -> float:
    number = float(text)
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError("N is a number above 0")
    return number


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
