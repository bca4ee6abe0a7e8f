"""Traces without anything to compare them with: faults that the structure of a call tree alone shows.

Repeated calls (N+1), retries, time-outs that were swallowed, and errors at their origin. Slowness alone is no fault here: nobody knows
what is usual. What such structures look like: "Release It!" (Nygard) on time-outs and cascades; Google's SRE book, chapter 22, on retries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.rootcause.alone.failures import cascades
from bot.rootcause.alone.repeats import repeated_calls
from bot.rootcause.alone.retries import retries
from bot.rootcause.alone.timeouts import timeouts
from bot.rootcause.comparing.forest import Forest, plant
from bot.rootcause.model import Finding, Span, View, Window

RARE_SHARE = 0.1  # of the traces with the same root: a structure that fewer of them show is an accident among many requests
MAX_EVIDENCE = 5
WHY_EMPTY = "no whole trace (a span without a parent, with others below it) to judge by its structure"


def alone_view(window: Window) -> View:
    """Findings of the kinds above; strengths from 1.0 on stand for faults, below for what is part of health. Needs one whole trace at
    least."""
    forest = plant(window.spans)
    roots = [span for span in forest.spans.values() if forest.parent(span) is None and forest.kids(span)]
    if not roots:
        return View("traces", (), comparable=False, why=WHY_EMPTY)
    found = [one for root in roots for one in _of_trace(forest, root)]
    return View("traces", _together(found, roots), comparable=True, features={"alone": 1.0, "traces": float(len(roots))})


def _of_trace(forest: Forest, root: Span) -> Iterable[tuple[Span, Finding]]:
    storms, late = list(retries(forest, root)), list(timeouts(forest, root))
    stormed, given_up = {key for one in storms for key in one.span_ids}, {key for one in late for key in one.span_ids}
    blamed = [*(one.finding for one in storms), *(one.finding for one in late)]
    return [(root, one) for one in (*blamed, *cascades(forest, root, stormed, given_up), *repeated_calls(forest, root))]


def _together(found: Sequence[tuple[Span, Finding]], roots: Sequence[Span]) -> tuple[Finding, ...]:
    """One finding for each (root operation, service, fault, operation), with the traces that show it. What is rare among many is
    weakened."""
    traces: dict[tuple[str, str], int] = defaultdict(int)
    for root in roots:
        traces[root.service, root.operation] += 1
    groups: dict[tuple[str, ...], list[tuple[Span, Finding]]] = defaultdict(list)
    for root, one in found:
        groups[root.service, root.operation, one.service, one.fault, one.operation, one.symptom_of].append((root, one))
    merged = [_merged([one for _, one in group], traces[key[0], key[1]]) for key, group in groups.items()]
    return tuple(sorted(merged, key=lambda one: (-one.strength, one.service, one.what)))


def _merged(group: Sequence[Finding], traces: int) -> Finding:
    """The level of strength that counts most: one that few of the traces reach counts by their share."""
    best, worth, shown = group[0], 0.0, group[0].evidence
    seen: set[str] = set()
    for one in sorted(group, key=lambda one: -one.strength):
        seen |= set(one.evidence)
        weighed = one.strength * min(1.0, len(seen) / traces / RARE_SHARE)
        if weighed > worth:
            best, worth, shown = one, weighed, tuple(sorted(seen))
    what = best.what if len(shown) == 1 else f"{best.what}; in {len(shown)} of {traces} such traces"
    return replace(best, strength=worth, since_ns=min(one.since_ns for one in group), evidence=shown[:MAX_EVIDENCE], what=what)
