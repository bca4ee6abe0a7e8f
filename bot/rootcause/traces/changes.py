"""What the traces of an incident show that those of the baseline do not: delays, failures, and calls that are missing or new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.rootcause.comparing.compared import Compared, odd_succession, work
from bot.rootcause.comparing.failing import failing, visits_by_service
from bot.rootcause.comparing.failures import touched, untouched_runs
from bot.rootcause.comparing.forest import Forest
from bot.rootcause.comparing.grammar import Change, Kind, changes
from bot.rootcause.comparing.oddities import Oddity
from bot.rootcause.comparing.runs import call_runs
from bot.rootcause.comparing.sides import Side
from bot.rootcause.model import Fault
from bot.rootcause.traces.blame import delayed
from bot.rootcause.traces.calls import unanswered
from bot.rootcause.traces.delays import delays
from bot.rootcause.traces.visits import NS_PER_MS, visits

# As for log lines (logs/changes.py), but less sure of itself: which calls a request makes depends more on what users do.
FULL_EVIDENCE: Final[Mapping[Kind, float]] = {"cut": 2.5, "error": 2.5, "repeat": 3.0, "skip": 4.0, "new": 4.0}


def compare_traces(incident: Side, baseline: Side, known: frozenset[str] = frozenset()) -> Compared:
    """Both with spans. `known`: sorts of failure that are no news although the baseline has none of them."""
    texts, old, new = incident.texts, baseline.forest, incident.forest
    old_failed, new_failed = baseline.failures, incident.failures
    known |= {failure.sort for failure in old_failed}
    all_old, all_new = call_runs(old), call_runs(new)
    steps = changes(
        untouched_runs(all_old, touched(old_failed, old)), untouched_runs(all_new, touched(new_failed, new), known), frozenset()
    )
    compared = delays(visits(old), visits(new), _requests_ms(old))
    old_shown, new_shown = ([one for one in failed if one.source == "traces"] for failed in (old_failed, new_failed))
    found = [
        *delayed(compared),
        *(_different(change) for change in steps),
        *unanswered(old, new, texts),
        *failing(old_shown, new_shown, visits_by_service(all_old), visits_by_service(all_new), known, texts),
    ]
    return Compared(tuple(found), new, len(compared), work(all_new), known)


def _requests_ms(forest: Forest) -> Mapping[str, float]:
    """By trace id, the duration of its longest span without a parent."""
    longest: dict[str, float] = {}
    for span in forest.spans.values():
        if forest.parent(span) is None:
            longest[span.trace_id] = max(longest.get(span.trace_id, 0.0), (span.end_ns - span.start_ns) / NS_PER_MS)
    return longest


def _different(change: Change) -> Oddity:
    fault: Fault = "exception" if change.kind == "cut" else "unknown"
    return odd_succession(change, fault, FULL_EVIDENCE[change.kind], "nothing more is called")
