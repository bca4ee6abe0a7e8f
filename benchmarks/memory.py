"""Memory, measured: `python -m benchmarks.memory [--data DIR] [--suite X] [--json]`.

Recall: of queries whose kind of fault happened before, the share for which the right past incident comes first (hit@1); and how well the
score tells them from novel ones (AUROC). Leave one out: the same where every incident is asked for twice, among all others and among those
of other causes; steadier, as it has more pairs. Lookup: time of one question to CAG's table of 300 signatures. With `--data`, the labelled
incidents of DIR/recall; without, a small set that is made here. Nothing is fitted, so nothing can be learnt from the answers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.memory_world import BASELINE_TRACES, INCIDENT_TRACES, Fault, window
from bot.diagnosis.lookup import Table
from bot.diagnosis.trust import Told
from bot.errors import Refused
from bot.model import Use, UseResult
from bot.rootcause.model import Symptom
from bot.rootcause.reading.window import load_window
from bot.rootcause.resemblance import Past, Traits, recall, traits
from bot.rootcause.views import look
from bot.signature import Signature

SIGNATURES = 300  # three kinds of causes in each of a hundred incidents
QUESTIONS = 2_000


@dataclass(frozen=True)
class Query:
    suite: str
    name: str
    traits: Traits
    expected: frozenset[str]  # empty: novel
    cause: str


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything could be measured, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled incidents: DIR/recall/memory.json, queries.json, DIR/rca")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME", help="only this suite (may be repeated)")
    parser.add_argument("--cases", action="store_true", help="list each query")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    try:
        past, queries = _recorded(options.data, options.suite) if options.data else _made()
    except (OSError, ValueError, KeyError, Refused) as problem:
        print(f"benchmarks.memory: {problem}", file=sys.stderr)
        return 1
    source = f"labelled incidents of {options.data.name}/recall" if options.data else "a small shop, made here"
    suites = {}
    for suite in sorted(past):
        asked = [q for q in queries if q.suite == suite]
        every = [*past[suite], *(Past(q.name, q.cause, q.traits) for q in asked)]
        suites[suite] = figures(past[suite], asked, listed=options.cases) | {"leave_one_out": leave_one_out(every)}
    found = {"source": source, "suites": suites, "lookup_us": lookup_us()}
    print(json.dumps(found, indent=1) if options.json else as_text(found))
    return 0


def figures(past: Sequence[Past], queries: Sequence[Query], *, listed: bool = False) -> dict[str, Any]:
    rows = [(query, recall(query.traits, past)) for query in queries]
    known = [(query, found) for query, found in rows if query.expected]
    novel = [found for query, found in rows if not query.expected]
    if listed:
        for query, found in rows:
            print(f"{query.suite} {query.name} expects {sorted(query.expected)}: {found.hit} {found.ranked[:2]}", file=sys.stderr)
    return {
        "past": len(past),
        "known": len(known),
        "novel": len(novel),
        "hit_at_1": _share([found.hit in query.expected for query, found in known]),
        "novelty_auroc": auroc([found.score for _, found in known], [found.score for found in novel]),
        "novel_answered_null": _share([found.hit is None for found in novel]),
    }


def leave_one_out(incidents: Sequence[Past]) -> dict[str, Any]:
    """Each incident asked for among all others (known, where one of them has its cause) and among those of other causes (novel)."""
    hits, known, novel = [], [], []
    for one in incidents:
        others = [other for other in incidents if other is not one]
        if any(other.cause == one.cause for other in others):
            found = recall(one.traits, others)
            known.append(found.score)
            hits.append(any(other.id == found.hit and other.cause == one.cause for other in others))
        novel.append(recall(one.traits, [other for other in others if other.cause != one.cause]).score)
    return {"known": len(known), "novel": len(novel), "hit_at_1": _share(hits), "novelty_auroc": auroc(known, novel)}


def _share(truths: Sequence[bool]) -> float | None:
    return round(sum(truths) / len(truths), 4) if truths else None


def auroc(known: Sequence[float], novel: Sequence[float]) -> float | None:
    """The chance that a known one scores above a novel one; a tie counts half."""
    if not known or not novel:
        return None
    return round(sum((k > n) + 0.5 * (k == n) for k in known for n in novel) / (len(known) * len(novel)), 4)


def _recorded(data: Path, only: Sequence[str]) -> tuple[dict[str, list[Past]], list[Query]]:
    past: dict[str, list[Past]] = {}
    for row in _rows(data / "recall" / "memory.json", only):
        one = Past(row["id"], json.dumps(row["answer"], sort_keys=True), _traits(data, row))
        past.setdefault(row["suite"], []).append(one)
    queries = []
    for row in _rows(data / "recall" / "queries.json", only):
        answers = json.loads((data / "rca" / row["suite"] / "answers.json").read_text(encoding="utf-8"))
        cause = json.dumps(answers[row["case"]], sort_keys=True)
        queries.append(Query(row["suite"], row["case"], _traits(data, row), frozenset(row["expected"]), cause))
    return past, queries


def _rows(path: Path, only: Sequence[str]) -> Iterator[Any]:
    yield from (row for row in json.loads(path.read_text(encoding="utf-8")) if not only or row["suite"] in only)


def _traits(data: Path, row: Any) -> Traits:
    case = data / "rca" / row["suite"] / row["case"]
    question = json.loads((case / "question.json").read_text(encoding="utf-8"))
    baseline = Path(os.path.normpath(case / question["baseline"]))
    return traits(look(load_window(case / "incident").window, load_window(baseline).window, Symptom()))


def _made() -> tuple[dict[str, list[Past]], list[Query]]:
    """Faults that happened before (twice, with other seeds), and faults that never did."""
    before = [Fault("stock", "slow"), Fault("cart", "network"), Fault("offers", "errors"), Fault("stock", "errors")]
    never = [Fault("offers", "slow"), Fault("stock", "network"), Fault("cart", "errors"), Fault("cart", "slow")]
    healthy = window(None, BASELINE_TRACES, seed=1)

    def seen(fault: Fault, seed: int) -> Traits:
        return traits(look(window(fault, INCIDENT_TRACES, seed), healthy, Symptom()))

    past = [Past(f"past-{n}", str(fault), seen(fault, 10 + n)) for n, fault in enumerate(before)]
    queries = [
        Query("shop", f"known-{n}-{again}", seen(f, 100 * again + n), frozenset({f"past-{n}"}), str(f))
        for again in (1, 2)
        for n, f in enumerate(before)
    ]
    queries += [
        Query("shop", f"novel-{n}-{again}", seen(f, 1000 * again + n), frozenset(), str(f)) for again in (1, 2) for n, f in enumerate(never)
    ]
    return {"shop": past}, queries


def lookup_us() -> dict[str, float]:
    """Median and 99th percentile, in microseconds, of questions that hit exactly, that hit by likeness, and that miss."""
    base = Signature("dependency-hangs", "shop", "POST /orders", ("hub", "POST /orders"), ("TimeoutError",), "stalled", "as-sound", "leaf")
    letters = [chr(97 + n) for n in range(26)]
    made = [replace(base, roles=(f"hub-{letters[n % 26]}", f"op-{letters[n // 26]}")) for n in range(SIGNATURES)]
    told = [Told(n, Use(1, str(one), "revert", UseResult.HEALED, float(n))) for n, one in enumerate(made)]
    table = Table(told)
    asked = [str(made[7]), str(replace(made[7], slower="slower")), str(replace(made[7], roles=("nobody", "op-a")))]
    took = []
    for n in range(QUESTIONS):
        begun_s = time.perf_counter()
        table.find(asked[n % len(asked)], "revert")
        took.append((time.perf_counter() - begun_s) * 1e6)
    return {"median": round(statistics.median(took), 1), "p99": round(statistics.quantiles(took, n=100)[98], 1)}


def as_text(found: dict[str, Any]) -> str:
    heads = f"{'suite':14}{'past':>6}{'known':>7}{'novel':>7}{'hit@1':>8}{'AUROC':>8}{'novel → null':>14}"
    heads += f"{'leave one out: hit@1':>22}{'AUROC':>8}"
    lines = [f"Recall on {found['source']}", heads]
    for suite, row in found["suites"].items():
        out = row["leave_one_out"]
        shown = [_shown(row[key]) for key in ("hit_at_1", "novelty_auroc", "novel_answered_null")]
        lines.append(
            f"{suite:14}{row['past']:6}{row['known']:7}{row['novel']:7}{shown[0]:>8}{shown[1]:>8}{shown[2]:>14}{_shown(out['hit_at_1']):>22}{_shown(out['novelty_auroc']):>8}"
        )
    lookup = found["lookup_us"]
    lines.append(f"A lookup among {SIGNATURES} signatures takes {lookup['median']:g} µs (median), {lookup['p99']:g} µs (p99)")
    return "\n".join(lines)


def _shown(figure: float | None) -> str:
    return f"{figure:.3f}" if figure is not None else "–"


if __name__ == "__main__":
    sys.exit(main())
