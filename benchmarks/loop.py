"""The whole loop, measured: `python -m benchmarks.loop [--runs N] [--fault NAME] [--json]`. Each run is a demo in its own process.

Every run injects its fault twice, so that both the first diagnosis and the remembered one are seen.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.startup import LIGHT_MODULES, Imported, Started, clean_env, import_modules, start_serve

FAULTS = ("dependency-timeout", "500")
PHASES = ("detect", "diagnose", "decide", "merge", "heal", "total")
STARTS = 5
DEMO_TIMEOUT_S = 600
BARS = {"total_s": 90.0, "serve_peak_mib": 120.0, "first_answer_s": 1.5, "heavy_imports": 0}


@dataclass(frozen=True)
class Run:
    """One incident of one demo, or what the demo said instead (`problem`)."""

    fault: str
    run: int
    time: int  # 1: seen for the first time, 2: it came back
    outcome: str
    answered_by: str = ""
    confidence: float | None = None
    seconds: tuple[tuple[str, float | None], ...] = ()
    serve_peak_mib: float | None = None
    problem: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything could be measured, 1 when a demo gave no figures or did not heal, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="demos for each fault (default 1)")
    parser.add_argument("--fault", choices=FAULTS, action="append", help="only this fault; may be given twice")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    imports = [import_modules(module) for module in LIGHT_MODULES]
    with tempfile.TemporaryDirectory(prefix="sre-space-bench-", ignore_cleanup_errors=True) as folder:
        starts = [start_serve(Path(folder)) for _ in range(STARTS)]
        runs = [
            run for fault in options.fault or FAULTS for number in range(1, options.runs + 1) for run in demo(fault, number, Path(folder))
        ]
    print(json.dumps(as_json(runs, starts, imports), indent=2) if options.json else as_text(runs, starts, imports))
    return 0 if all(run.outcome == "healed" for run in runs) else 1


def demo(fault: str, number: int, folder: Path) -> list[Run]:
    """Both incidents of one `demo --again`, in a folder of its own."""
    command = [sys.executable, "-m", "bot", "demo", "--fault", fault, "--again", "--json"]
    try:
        ended = subprocess.run(command, cwd=folder, env=clean_env(), capture_output=True, text=True, timeout=DEMO_TIMEOUT_S, check=False)
        reports = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        return [Run(fault, number, 1, "not measured", problem=f"the demo took longer than {DEMO_TIMEOUT_S} s")]
    except ValueError:
        return [Run(fault, number, 1, "not measured", problem=(ended.stderr or ended.stdout)[-500:])]
    return [read(report, number, time) for time, report in enumerate(reports, 1)]


def read(report: dict[str, Any], number: int, time: int) -> Run:
    return Run(
        fault=report["fault"],
        run=number,
        time=time,
        outcome=report["outcome"],
        answered_by=report["answered_by"],
        confidence=report["confidence"],
        seconds=tuple((phase, report["seconds"][phase]) for phase in PHASES),
        serve_peak_mib=report["rss_mib"]["serve_peak"],
    )


def as_json(runs: Sequence[Run], starts: Sequence[Started], imports: Sequence[Imported]) -> dict[str, Any]:
    return {
        "machine": machine(),
        "bars": BARS,
        "loop": [{**asdict(run), "seconds": dict(run.seconds)} for run in runs],
        "serve": [asdict(start) for start in starts],
        "imports": [asdict(one) for one in imports],
    }


def as_text(runs: Sequence[Run], starts: Sequence[Started], imports: Sequence[Imported]) -> str:
    head = ("fault", "run", "time", "outcome", "answered", "conf.", *PHASES, "serve MiB")
    rows = [
        (
            run.fault,
            str(run.run),
            str(run.time),
            run.outcome,
            run.answered_by or "-",
            shown(run.confidence, 3),
            *(shown(dict(run.seconds).get(phase), 1) for phase in PHASES),
            shown(run.serve_peak_mib, 0),
        )
        for run in runs
    ]
    answers, memory, stops = ([getattr(start, name) for start in starts] for name in ("first_answer_s", "rss_mib", "stop_s"))
    lines = [
        f"{machine()}; seconds, MiB",
        "",
        *table(head, rows),
        *(f"  {run.fault}, run {run.run}: {run.problem}" for run in runs if run.problem),
        f"  bar: total below {BARS['total_s']:.0f} s, serve at most {BARS['serve_peak_mib']:.0f} MiB",
        "",
        f"serve, {len(starts)} starts with no GitHub in reach",
        f"  first answer  median {statistics.median(answers):.2f} s, worst {max(answers):.2f} s  (bar: {BARS['first_answer_s']} s)",
        f"  memory then   median {statistics.median(memory):.0f} MiB",
        f"  SIGTERM to end  worst {max(stops):.2f} s",
        "",
        *table(
            ("import", "s", "MiB", "heavy"),
            [(i.module, f"{i.seconds:.2f}", f"{i.rss_mib:.0f}", ", ".join(i.heavy) or "none") for i in imports],
        ),
        "  bar: nothing heavy",
    ]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def machine() -> str:
    return f"Python {platform.python_version()}, {psutil.cpu_count()} CPUs"


if __name__ == "__main__":
    sys.exit(main())
