"""Whose doing it is: of odd visits in one trace the deepest keeps the blame, what called it shows symptoms. And which instance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from bot.rootcause.comparing.forest import Forest, Key

MOST = 0.5  # a finding is a symptom when at least this share of it has a deeper cause
ODD_SHARE = 0.9  # of what is odd lies on one instance …
FAIR_SHARE = 0.7  # … that does at most this share of the work: then it is that instance's trouble


Mark: TypeAlias = tuple[Key, str]  # a visit, and the service that is held to be the cause of what is odd there


def explained(odd: Iterable[Mark], forest: Forest) -> Mapping[Mark, str]:
    """Marks that another service's mark explains: one on a visit that it called, or one that blames somebody else for the same visit."""
    marks: defaultdict[Key, set[str]] = defaultdict(set)
    for visit, service in odd:
        marks[visit].add(service)
    causes: dict[Mark, str] = {}
    for visit, services in marks.items():
        span = forest.spans.get(visit)
        for service in sorted(services):
            blames_another = span is not None and span.service != service
            for above in ((visit,) if blames_another else ()) + tuple(forest.callers(visit)):
                for other in marks.get(above, ()):
                    if other != service:
                        causes.setdefault((above, other), service)
    return causes


def cause_of(service: str, visits: Iterable[Key], causes: Mapping[Mark, str]) -> str:
    """The service that explains most of these visits, "" when most have no deeper cause."""
    all_of_them = list(visits)
    deeper = Counter(causes[visit, service] for visit in all_of_them if (visit, service) in causes)
    if not deeper or deeper.total() < MOST * len(all_of_them):
        return ""
    return min(deeper, key=lambda name: (-deeper[name], name))


def odd_instance(odd: Counter[str], work: Counter[str]) -> str:
    """The one instance of several that the oddities keep to; "" when there is only one or all are alike."""
    if len([name for name in work if name]) < 2 or not odd:
        return ""
    name, count = odd.most_common(1)[0]
    return name if count >= ODD_SHARE * odd.total() and work[name] <= FAIR_SHARE * work.total() else ""
