"""`sre-space detect`: replays OTLP JSON-lines files in time order on a simulated clock and says when and where something went wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.commands.otlp_files import Tally, read_files
from bot.detection.alarm import Alarm
from bot.detection.detector import Detector
from bot.detection.novelty import Novelty
from bot.errors import Refused

NS_PER_S = 1_000_000_000
PROGRESS_EVERY_LINES = 50
DESCRIPTION = """Replays OTLP JSON-lines files (of the Collector's file exporter; plain or gzip) in time order and reports anomalies.
Nothing is known beforehand and nothing of the future is used. Lines that cannot be read are counted on standard error.
Exit codes: 0 answered, 64 nothing could be read or the command was used wrongly."""


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    arguments = _arguments(argv)
    tally = Tally()
    alarms = replay(arguments.files, arguments.budget, tally, progress=sys.stderr.isatty())
    if arguments.json:
        for alarm in alarms:
            print(as_json(alarm))
    else:
        _print_table(alarms, sys.stdout.isatty())
    for reason, count in sorted(tally.bad.items()):
        print(f"sre-space detect: {count} × {reason} (first: {tally.first_bad[reason]})", file=sys.stderr)
    if not tally.observations:
        raise Refused(
            "no metric points and no spans in what was given: detection needs files of OTLP export requests, one JSON object a line"
        )
    return 0


def replay(files: Sequence[Path], budget: float | None, tally: Tally, progress: bool = False) -> Iterator[Alarm]:
    """Alarms of a fresh detector over the files, as they arise. The clock never goes back: late lines are observed at the time it shows."""
    detector = Detector(Novelty, budget)
    now_s = float("-inf")
    for batch in read_files(files, tally):
        for at_s, seen in batch.seen:
            if at_s > now_s:
                if now_s > float("-inf"):
                    yield from detector.tick(now_s)
                now_s = at_s
            detector.observe(seen)
        if progress and tally.lines % PROGRESS_EVERY_LINES == 0:
            print(f"\r{tally.lines} lines, {tally.observations} values, {_utc(now_s)}", end="", file=sys.stderr, flush=True)
    if now_s > float("-inf"):
        yield from detector.tick(now_s)
    if progress:
        print(file=sys.stderr)


def as_json(alarm: Alarm) -> str:
    line = {"at": round(alarm.at_s * NS_PER_S), "service": alarm.service, "signal": alarm.signal, "score": round(alarm.score, 4)}
    return json.dumps(line, ensure_ascii=False)


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


def _print_table(alarms: Iterator[Alarm], colour: bool) -> None:
    count = 0
    for alarm in alarms:
        if not count:
            print(f"{'time (UTC)':20} {'signal':12} {'score':>7}  service")
        count += 1
        print(f"{_utc(alarm.at_s):20} {alarm.signal:12} {alarm.score:7.1f}  {alarm.service}")
    if not count:
        print("nothing out of the ordinary")
