"""Two windows compared, and the view that is made of it: the same for log lines and for spans."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.rootcause.comparing.forest import Forest
from bot.rootcause.comparing.grammar import END, Change, Run
from bot.rootcause.comparing.oddities import MAX_EVIDENCE, Oddity, findings, strongest
from bot.rootcause.comparing.sides import Side, Sides
from bot.rootcause.model import Fault, Finding, Source, View

SHOWN: Final = 90  # characters of a step in a sentence
MANY_SHARED = 50  # from here on more of what both windows have makes nothing surer


@dataclass(frozen=True, slots=True)
class Compared:
    """`oddities` of the incident; `shared`: how much both windows have of what was compared; `work`: visits by service and instance."""

    oddities: tuple[Oddity, ...]
    forest: Forest
    shared: int
    work: Mapping[str, Counter[str]]
    known: frozenset[str]  # sorts of failure


Compare = Callable[[Side, Side, frozenset[str]], Compared]  # incident, baseline, sorts of failure that are no news


def odd_succession(change: Change, fault: Fault, full_evidence: float, nothing_more: str) -> Oddity:
    """A change of what follows what. `nothing_more`: the words for a run that ended; `full_evidence` (−log10 p) counts as strength 1."""
    seldom = f"{change.usual[0]} of {change.usual[1]} times before, {change.now[0]} of {change.now[1]} now"
    then = nothing_more if change.after == END else f"comes {change.after[:SHOWN]}"
    return Oddity(
        service=change.service,
        operation=change.operation,
        fault=fault,
        strength=change.evidence / full_evidence,
        what=f"after {change.before[:SHOWN]} {then}: {seldom}",
        visits=tuple(dict.fromkeys(run.visit for run in change.runs)),
        instances=Counter(run.instance for run in change.runs),
        since_ns=change.runs[0].at_ns,
        evidence=tuple(dict.fromkeys(run.trace_id for run in change.runs))[:MAX_EVIDENCE],
    )


def work(runs: Iterable[Run]) -> Mapping[str, Counter[str]]:
    """Visits by service and instance."""
    done: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for visit, service, instance in {(run.visit, run.service, run.instance) for run in runs}:
        if visit:
            done[service][instance] += 1
    return done


def view_of(source: Source, sides: Sides, compare: Compare, least_shared: int, too_little: str) -> View:
    """Findings of the incident, beside what the same comparison finds in stretches of the baseline.

    `too_little`: a sentence with a place for the number, for when fewer than `least_shared` things are shared.
    """
    compared = compare(sides.incident, sides.baseline, frozenset())
    if compared.shared < least_shared:
        return View(source, (), False, too_little.format(compared.shared))
    healthy = max((strongest(compare(part, rest, compared.known).oddities) for part, rest in sides.healthy), default=0.0)
    found = findings(compared.oddities, compared.forest, source, healthy, compared.work)
    return View(source, found, True, features=_features(found, compared.shared, healthy))


def _features(found: tuple[Finding, ...], shared: int, healthy: float) -> dict[str, float]:
    """What confidence is computed from, each between 0 and 1."""
    by_service: dict[str, float] = {}
    for one in found:
        if not one.symptom_of:
            by_service[one.service] = by_service.get(one.service, 0.0) + one.strength
    first, second = (*sorted(by_service.values(), reverse=True), 0.0, 0.0)[:2]
    return {
        "compared": min(shared / MANY_SHARED, 1.0),
        "strength": first / (1 + first),
        "margin": (first - second) / (first + second) if first else 0.0,
        "healthy": healthy / (1 + healthy),
    }
