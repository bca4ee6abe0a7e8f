"""Localisation, measured: `python -m benchmarks.diagnosis [--data DIR] [--suite X] [--view X] [--stress X] [--json]`.

With `--data`, the labelled incidents below DIR/rca. Without, a small set that is made here. Rankings need no training; whatever is fitted
(the confidence) is reported out of fold: each case is judged by weights that never saw its family (one fault of one service).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import diagnosis_data
from benchmarks.diagnosis_cases import STRESSES, Case, Stress, load_cases, windows
from benchmarks.diagnosis_folds import Seen, examples, out_of_fold
from benchmarks.diagnosis_score import Row, confidence_figures, ranking_figures, wilson
from bot.errors import Refused
from bot.rootcause.calibrate import PACKAGED, fit, load_weights, save_weights
from bot.rootcause.locate import strangers, views_of
from bot.rootcause.model import Source
from bot.rootcause.views import SOURCES

PROCESSES = 2
CALIBRATED_ON: tuple[Stress, ...] = ("none", "half", "drop", "otherday")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything could be measured, whatever the figures are."""
    options = _parser().parse_args(argv)
    try:
        if options.data is not None:
            return _run(options, options.data, f"labelled incidents below {options.data.name}/rca")
        with tempfile.TemporaryDirectory(prefix="sre-space-bench-") as folder:
            diagnosis_data.write(Path(folder))
            return _run(options, Path(folder), "made by benchmarks/diagnosis_data.py")
    except (OSError, ValueError, KeyError, Refused) as problem:
        print(f"benchmarks.diagnosis: {problem}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, data: Path, source: str) -> int:
    cases = load_cases(data, options.suite)
    cases = [case for case in cases if not options.only or any(part in f"{case.suite}/{case.name}" for part in options.only)]
    sources = tuple(options.view or SOURCES)
    if options.calibrate:
        return _calibrate(cases, sources, options)
    seen = look_at(cases, options.stress, sources, options.processes)
    rows = out_of_fold(seen, examples(seen), load_weights(), options.folds)
    if options.json:
        print(json.dumps(as_json(rows, source, options.stress), indent=1))
    else:
        print(as_text(rows, source, options.stress, options.cases))
    return 0


def _calibrate(cases: Sequence[Case], sources: tuple[Source, ...], options: argparse.Namespace) -> int:
    """Fits the package's weights to all cases, undisturbed and under stress, and shows what the same fit is worth out of fold."""
    seen = {stress: look_at(cases, stress, sources, options.processes) for stress in CALIBRATED_ON}
    known = [one for some in seen.values() for one in examples(some, 1.0 / len(CALIBRATED_ON))]
    for stress, some in seen.items():
        print(as_text(out_of_fold(some, known, load_weights(), options.folds), f"{len(cases)} cases", stress, options.cases), end="\n\n")
    families, suites = len({case.family for case in cases}), len({case.suite for case in cases})
    weights = fit(
        known,
        f"{len(cases)} cases of {families} families of {suites} suites, as they are and under stress ({', '.join(CALIBRATED_ON[1:])})",
    )
    save_weights(weights)
    print(f"{PACKAGED}: {weights}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled incidents: DIR/rca/SUITE/answers.json")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME", help="only this suite (may be repeated)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="only cases whose SUITE/NAME holds this")
    parser.add_argument("--view", action="append", choices=SOURCES, help="only what this source shows (may be repeated)")
    parser.add_argument("--stress", choices=STRESSES, default="none", help="what is done to the cases")
    parser.add_argument("--processes", type=int, default=PROCESSES, metavar="N")
    parser.add_argument("--folds", choices=("family", "suite"), default="family", help="what confidence is judged without")
    parser.add_argument("--calibrate", action="store_true", help="fit the weights of confidence that the package ships, and save them")
    parser.add_argument("--cases", action="store_true", help="list each case")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def look_at(cases: Sequence[Case], stress: Stress, sources: tuple[Source, ...], processes: int = PROCESSES) -> list[Seen]:
    """What the analyses find in each case, in their order."""
    work = partial(_look, stress=stress, sources=sources)
    if processes < 2:
        return list(map(work, cases))
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(work, cases, chunksize=8))


def _look(case: Case, stress: Stress, sources: tuple[Source, ...]) -> Seen:
    incident, baseline = windows(case, stress)
    began = time.perf_counter()
    views = views_of(incident, baseline, case.symptom, sources)
    return Seen(case, stress, views, time.perf_counter() - began, strangers(incident, baseline))


def by_suite(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.suite, []).append(row)
    return found


def as_json(rows: Sequence[Row], source: str, stress: Stress) -> dict[str, object]:
    suites = {suite: {**ranking_figures(own), **confidence_figures(own)} for suite, own in by_suite(rows).items()}
    return {"data": source, "stress": stress, "suites": suites, "all": confidence_figures(rows)}


def as_text(rows: Sequence[Row], source: str, stress: Stress, list_cases: bool) -> str:
    lines = [f"data: {source}; stress: {stress}"]
    for suite, own in by_suite(rows).items():
        figures = ranking_figures(own)
        faults, controls = int(figures["faults"] or 0), int(figures["controls"] or 0)
        lines.append(f"\n{suite}: {faults} faults, {controls} controls")
        for name in ("AS@1", "AS@3", "AS@5", "committed AS@1", "specificity"):
            lines.append(f"  {name:16} {_share(figures[name], controls if name == 'specificity' else faults)}")
        lines.append(f"  confidence       {_confidence(own)}")
        if list_cases:
            lines += [_case(row) for row in own]
    lines.append(f"\nall suites: {_confidence(rows)}")
    return "\n".join(lines)


def _case(row: Row) -> str:
    mark = "  " if row.right > 0.99 else "! "
    first = ", ".join(f"{service} {score:g}" for service, score in row.suspects[:3])
    return f"  {mark}{row.case:18} {row.truth or '-':42} {row.verdict:12} {row.confidence:.2f} {row.seconds:5.2f} s  {first}"


def _share(value: float | int | None, count: int) -> str:
    if value is None:
        return "-"
    low, high = wilson(value, count)
    return f"{value:.3f} [{low:.2f}, {high:.2f}]"


def _confidence(rows: Sequence[Row]) -> str:
    figures = confidence_figures(rows)
    sure = int(figures["sure"] or 0)
    parts = [f"≥ 0.90: {sure} of {len(rows)}, precision {_share(figures['precision'], sure)}"]
    parts += [f"{name} {figures[name]:.3f}" for name in ("ECE", "Brier") if figures[name] is not None]
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
