"""Whose doing it is: of odd visits in one trace the deepest keeps the blame, what called it shows symptoms. And which instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bot.rootcause.forest import Forest, Key

MOST = 0.5  # a finding is a symptom when at least this share of it has a deeper cause
ODD_SHARE = 0.9  # of what is odd lies on one instance …
FAIR_SHARE = 0.7  # … that does at most this share of the work: then it is that instance's trouble


def explained(odd: Mapping[Key, str], forest: Forest) -> Mapping[Key, str]:
    """Odd visits that called an odd visit of another service, with that service. `odd`: visit → its service."""
    causes: dict[Key, str] = {}
    for visit, service in odd.items():
        for caller in forest.callers(visit):
            if odd.get(caller, service) != service:
                causes.setdefault(caller, service)
    return causes


def cause_of(visits: Iterable[Key], causes: Mapping[Key, str]) -> str:
    """The service that explains most of these visits, "" when most have no deeper cause."""
    all_of_them = list(visits)
    deeper = Counter(causes[visit] for visit in all_of_them if visit in causes)
    if deeper.total() < MOST * len(all_of_them) or not deeper:
        return ""
    return min(deeper, key=lambda service: (-deeper[service], service))


def odd_instance(odd: Counter[str], work: Counter[str]) -> str:
    """The one instance of several that the oddities keep to; "" when there is only one or all are alike."""
    if len([name for name in work if name]) < 2 or not odd:
        return ""
    name, count = odd.most_common(1)[0]
    return name if count >= ODD_SHARE * odd.total() and work[name] <= FAIR_SHARE * work.total() else ""
