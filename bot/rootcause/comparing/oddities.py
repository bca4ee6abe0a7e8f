"""From oddities to findings: measured against what health looks like, symptoms told from causes, one finding for each service and cause."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.rootcause.comparing.forest import Forest, Key
from bot.rootcause.comparing.origins import cause_of, explained, odd_instance
from bot.rootcause.model import Fault, Finding, Source

WEAK = 0.4  # of strength: less is neither reported nor explains anything
MAX_FINDINGS = 50  # of a view: more than a reader or a ranking can use
MAX_EVIDENCE = 5  # ids of one finding


@dataclass(frozen=True, slots=True)
class Oddity:
    """A difference in what one service did, before it is compared with what health looks like."""

    service: str
    operation: str
    fault: Fault
    strength: float
    what: str
    visits: tuple[Key, ...]
    instances: Mapping[str, int]
    since_ns: int
    evidence: tuple[str, ...]
    exclusive: bool = False  # its measure holds nothing of what others did, so nobody else can explain it


def strongest(oddities: Iterable[Oddity]) -> float:
    """How odd the oddest service is, 0 when nothing is."""
    total: Counter[str] = Counter()
    for one in oddities:
        if one.strength >= WEAK:
            total[one.service] += one.strength  # type: ignore[assignment]  # counters add floats as well
    return max(total.values(), default=0.0)


def findings(
    oddities: Iterable[Oddity], forest: Forest, source: Source, healthy: float, work: Mapping[str, Counter[str]]
) -> tuple[Finding, ...]:
    """The strongest first. `healthy`: the strongest service in healthy stretches; where it is above 1 it is the measure."""
    worth = [one for one in oddities if one.strength >= WEAK]
    causes = explained(((visit, one.service) for one in worth for visit in one.visits), forest)
    groups: defaultdict[tuple[str, str], list[Oddity]] = defaultdict(list)
    for one in worth:
        groups[one.service, "" if one.exclusive else cause_of(one.service, one.visits, causes)].append(one)
    chain = {service: cause for service, cause in groups if cause and (service, "") not in groups}
    measure = max(healthy, 1.0)
    found = [_finding(group, source, measure, _last(cause, chain), work) for (_, cause), group in groups.items()]
    return tuple(sorted(found, key=lambda one: (bool(one.symptom_of), -one.strength, one.service, one.fault))[:MAX_FINDINGS])


def _last(cause: str, chain: Mapping[str, str]) -> str:
    """The end of a chain of symptoms; where it turns in a circle, the cause itself."""
    seen = [cause]
    while seen[-1] in chain:
        if chain[seen[-1]] in seen:
            return cause
        seen.append(chain[seen[-1]])
    return seen[-1]


def _finding(group: Sequence[Oddity], source: Source, measure: float, cause: str, work: Mapping[str, Counter[str]]) -> Finding:
    top = max(group, key=lambda one: one.strength)
    seen: Counter[str] = Counter()
    for one in group:
        seen.update(one.instances)
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return Finding(
        service=top.service,
        fault=top.fault,
        source=source,
        strength=_tempered(sum(one.strength for one in group) / measure),
        what=top.what + more,
        instance=odd_instance(seen, work.get(top.service, Counter())),
        operation=top.operation,
        since_ns=min(one.since_ns for one in group),
        evidence=tuple(dict.fromkeys(id_ for one in group for id_ in one.evidence))[:MAX_EVIDENCE],
        symptom_of=cause,
    )


def _tempered(strength: float) -> float:
    """Above 1 by its logarithm: ten times as odd is surer, but not ten times as sure, and sources stay comparable."""
    return strength if strength <= 1.0 else 1.0 + math.log(strength)
