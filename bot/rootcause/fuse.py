"""Views of logs, traces and metrics become one ranking and one verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from bot.rootcause.model import Answer, Finding, Source, Suspect, Verdict, View

CULPRIT_STRENGTH = 1.0  # by definition the strength of the oddest healthy stretch
EXPLAINED_SHARE = 0.25  # of its strength that a finding keeps when another service's finding explains it
MAX_STRENGTH = 10.0  # beyond ten times the oddest healthy stretch nothing gets surer
TRUST: Mapping[Source, float] = MappingProxyType({"logs": 2.0, "traces": 1.5, "metrics": 1.0})


def fuse(views: Sequence[View]) -> Answer:
    """Suspects by their best finding, weighed by what its source is good for. Services without a name are no suspects."""
    findings = [one for view in views if view.comparable for one in view.findings if one.service]
    suspects = rank(findings)
    verdict = _verdict(views, suspects)
    return Answer(verdict, 0.5, suspects, tuple(views), ())


def rank(findings: Iterable[Finding]) -> tuple[Suspect, ...]:
    by_service: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        by_service[one.service].append(one)
    found = [
        Suspect(service, max(map(weight, own)), tuple(sorted(own, key=lambda one: (-weight(one), one.what))))
        for service, own in by_service.items()
    ]
    return tuple(sorted(found, key=lambda suspect: (-suspect.score, suspect.service)))


def weight(finding: Finding) -> float:
    kept = EXPLAINED_SHARE if finding.symptom_of else 1.0
    return TRUST[finding.source] * min(finding.strength, MAX_STRENGTH) * kept


def _verdict(views: Sequence[View], suspects: Sequence[Suspect]) -> Verdict:
    if not any(view.comparable for view in views):
        return "inconclusive"
    first = suspects[0] if suspects else None
    own = max((one.strength for one in first.findings if not one.symptom_of), default=0.0) if first else 0.0
    return "culprit" if own >= CULPRIT_STRENGTH else "no-culprit"
