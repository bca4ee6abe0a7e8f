"""Detection, measured: `python -m benchmarks.detection [--data DIR] [--json]`.

With `--data`, the labelled streams below DIR/detect (one folder a suite: labels.json and the files it names). Without, a small set that is
made here. A suite whose windows name a service is scored by recall at that service, with the threshold that the command sets itself for a
budget of false alarms; one without by NAB's standard profile.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import detection_data, detection_live
from benchmarks.detection_labels import Stream, least_without_false, load_suite, names_services, score
from benchmarks.detection_nab import GaugeStream, halves_score
from bot.commands.detect import replay
from bot.commands.otlp_files import read_files
from bot.detection.alarm import Alarm
from bot.errors import Refused
from bot.recorded.files import Tally

BUDGETS_PER_DAY = (1, 5)
BARS = {"petshop_right_at_1": 0.70, "petshop_right_at_5": 0.80, "nezha_right_at_0": 0.32, "nab_standard": 50.0}
AT_MOST = {"detect_p95_s": 3.0, "false_signals_month": 1.0}
KEYS = {"petshop": "petshop", "nezha-tt": "nezha", "nab": "nab"}  # the suites whose figures have a short name of their own


@dataclass(frozen=True)
class Section:
    """Figures of one kind: what a table's line says of each, by key."""

    title: str
    figures: dict[str, float | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything could be measured, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled streams: DIR/detect/SUITE/labels.json")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=detection_live.RUNS, metavar="N", help="simulated faults for detect_p95_s")
    parser.add_argument("--months", type=int, default=1, metavar="N", help="simulated healthy months, some minutes each")
    options = parser.parse_args(argv)
    try:
        if options.data is not None:
            sections, source = measure(options.data), f"labelled streams below {options.data.name}/detect"
        else:
            with tempfile.TemporaryDirectory(prefix="sre-space-bench-") as folder:
                detection_data.write(Path(folder))
                sections, source = measure(Path(folder)), "made by benchmarks/detection_data.py"
    except (OSError, ValueError, Refused) as problem:
        print(f"benchmarks.detection: {problem}", file=sys.stderr)
        return 1
    sections += live(options.runs, options.months)
    figures = {key: value for section in sections for key, value in section.figures.items()}
    print(json.dumps({"data": source, **figures}, indent=2) if options.json else as_text(sections, source))
    return 0


def measure(data: Path) -> list[Section]:
    """One section for each folder with labels below `data`/detect. Raises Refused when there is none, OSError or ValueError when one
    cannot be read."""
    suites = sorted(path.parent for path in (data / "detect").glob("*/labels.json"))
    if not suites:
        raise Refused(f"no labelled streams in {data}: expected detect/SUITE/labels.json")
    return [_suite(folder) for folder in suites]


def live(runs: int, months: int) -> list[Section]:
    """Simulated worlds, whatever the data: how soon a fault is a signal, how rarely a healthy month is one."""
    figures = (detection_live.figures(runs) if runs else {}) | (detection_live.months(months) if months else {})
    return [
        Section(
            "live detectors, simulated", {key: value for key, value in figures.items() if value is None or isinstance(value, int | float)}
        )
    ]


def _suite(folder: Path) -> Section:
    streams = load_suite(folder)
    key = KEYS.get(folder.name, folder.name)
    began = time.perf_counter()
    figures = _located(streams, key) if names_services(streams) else _novelty(streams, key)
    return Section(folder.name, {**figures, f"{key}_seconds": round(time.perf_counter() - began, 1)})


def _located(streams: Sequence[Stream], key: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for budget in BUDGETS_PER_DAY:
        own = score([(stream, _alarms(stream, float(budget))) for stream in streams])
        figures[f"{key}_right_at_{budget}"] = round(own.found_right, 4)
        figures[f"{key}_false_at_{budget}"] = round(own.false_per_day, 2)
        figures[f"{key}_within_{budget}"] = float(own.false_per_day <= budget)
    everything = [(stream, _alarms(stream, None)) for stream in streams]
    figures[f"{key}_right_at_0"] = round(score(everything, least_without_false(everything)).found_right, 4)
    return figures


def _novelty(streams: Sequence[Stream], key: str) -> dict[str, float]:
    return {f"{key}_standard": round(halves_score([_gauge(stream) for stream in streams]), 2)}


def _gauge(stream: Stream) -> GaugeStream:
    times = tuple(sorted({at_s for batch in read_files(stream.files, Tally()) for at_s, _ in batch.seen}))
    scores: dict[float, float] = {}
    for alarm in _alarms(stream, None):
        scores[alarm.at_s] = max(scores.get(alarm.at_s, 0.0), alarm.score)
    windows = tuple((window.start_s, window.end_s) for window in stream.windows)
    return GaugeStream(times, tuple(scores.get(at_s, 0.0) for at_s in times), windows)


def _alarms(stream: Stream, budget: float | None) -> list[Alarm]:
    return list(replay(stream.files, budget, Tally()))


def as_text(sections: Sequence[Section], source: str) -> str:
    lines = [f"data: {source}"]
    for section in sections:
        lines += ["", section.title]
        for key, value in section.figures.items():
            bar = f"  (at least {BARS[key]:g})" if key in BARS else f"  (at most {AT_MOST[key]:g})" if key in AT_MOST else ""
            shown = "missed" if value is None else f"{value:.4g}"
            lines.append(f"  {key:32} {shown:>9}{bar}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
