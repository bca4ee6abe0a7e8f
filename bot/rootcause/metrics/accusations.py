"""Who is accused of what over one stretch of time, before it is known what healthy stretches look like."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bot.rootcause.metrics.between_services import lost_calls, network_ends
from bot.rootcause.metrics.handed_down import callees_of, callers_of, kept, main_callee
from bot.rootcause.metrics.keys import Key, Values
from bot.rootcause.metrics.odd_measures import Baseline, Odd, amounts
from bot.rootcause.model import Fault

HALF = 0.5  # explained for the greater part
UNNAMED_WEIGHT = 0.5  # of a series that says nothing about what it is
FAULTS_OF: dict[str, tuple[Fault, ...]] = {
    "latency": ("slow", "network", "resource", "stalled", "traffic", "unknown"),
    "errors": ("errors", "exception", "traffic"),
}
COMPLAINTS = {"latency": ("latency", "duration", "slow", "time"), "errors": ("availab", "error", "fail", "success", "5xx")}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Measures over some intervals. `without` is the place of the stretch in the baseline when it is a part of that."""

    values: Mapping[Key, Values]
    intervals: Sequence[int]
    edges: Collection[tuple[str, str]]
    without: int | None = None


@dataclass(frozen=True, slots=True)
class Accusation:
    """`strength` in worst healthy stretches of the measures it rests on, weighed by how much of the trouble it explains."""

    service: str
    fault: Fault
    strength: float
    rests_on: Odd
    symptom_of: str = ""  # the callee that explains it
    others: tuple[str, ...] = ()  # at the other ends of the edges concerned


def accusations(baseline: Baseline, stretch: Stretch, front: str) -> list[Accusation]:
    """All accusations, strongest first. `front` is the service that somebody complained about, "" when nobody did."""
    odd = _odd(baseline, stretch)
    found = [*_suffering(baseline, stretch, odd, front, "time", "slow"), *_suffering(baseline, stretch, odd, front, "failures", "errors")]
    found += _working(odd)
    found += _network(odd)
    found += _traffic(baseline, stretch, odd)
    return sorted(found, key=lambda one: (-one.strength, one.service, one.fault))


def topical(found: Sequence[Accusation], signal: str) -> list[Accusation]:
    """Those that can be behind a complaint about this signal; all when the complaint says nothing that is known here."""
    said = signal.lower()
    for complaint, words in COMPLAINTS.items():
        if any(word in said for word in words):
            return [one for one in found if one.fault in FAULTS_OF[complaint]]
    return list(found)


def _odd(baseline: Baseline, stretch: Stretch) -> dict[Key, Odd]:
    found = {}
    for key, series in stretch.values.items():
        one = baseline.odd(key, [(at, series[at]) for at in stretch.intervals if at in series], stretch.without)
        if one is not None:
            found[key] = one
    return found


def _suffering(baseline: Baseline, stretch: Stretch, odd: Mapping[Key, Odd], front: str, quantity: str, fault: Fault) -> list[Accusation]:
    """The oddness of a service's series × the part that is its own × its rank among the worst × the root of what arrives at the front."""
    suffered = amounts(baseline, stretch.values, stretch.intervals, quantity)
    callees, instances = callees_of(stretch.edges), _by_service(odd)
    own = kept(suffered, callees)
    worst = max(own.values(), default=0.0)
    judged = baseline.knows(Key(quantity, front)) if front else False
    found = []
    for service, amount in suffered.items():
        loudest = _loudest(odd, Key(quantity, service), instances)
        if loudest is None or loudest.rise <= 0.0:
            continue
        weight = own[service] / amount * (own[service] / worst if worst else 0.0)
        if judged and own[service] > 0.0:
            weight *= min(1.0, suffered.get(front, 0.0) / own[service]) ** 0.5
        explained_by = main_callee(service, suffered, callees) if own[service] < HALF * amount else ""
        found.append(Accusation(service, fault, loudest.rise * weight, loudest, explained_by))
    return found


def _loudest(odd: Mapping[Key, Odd], key: Key, instances: Mapping[Key, Sequence[Odd]]) -> Odd | None:
    """The service's own series, or one instance's that is odder: the mean over many hides one."""
    known = [one for one in (odd.get(key), *instances.get(key, ())) if one is not None]
    return max(known, key=lambda one: one.rise, default=None)


def _by_service(odd: Mapping[Key, Odd]) -> dict[Key, list[Odd]]:
    found: dict[Key, list[Odd]] = {}
    for key, one in odd.items():
        if key.instance:
            found.setdefault(key._replace(instance=""), []).append(one)
    return found


def _working(odd: Mapping[Key, Odd]) -> list[Accusation]:
    """A change in total and for each request: more traffic is no fault of who serves it, and fewer requests make each of them dearer."""
    found = []
    for key, one in odd.items():
        if key.quantity not in ("cpu", "work"):
            continue
        each = odd.get(key._replace(quantity=key.quantity + " a request"))
        rise = one.rise if each is None else min(one.rise, each.rise)
        if key.quantity == "cpu":
            found.append(Accusation(key.service, "resource", rise, one))
        elif each is not None:
            found.append(Accusation(key.service, "unknown", UNNAMED_WEIGHT * max(rise, min(one.fall, each.fall)), one))
    return found


def _network(odd: Mapping[Key, Odd]) -> list[Accusation]:
    gaps = {(key.caller, key.service): one for key, one in odd.items() if key.quantity == "gap"}
    ends = network_ends({edge: one.rise for edge, one in gaps.items()})
    found = []
    for service, blamed in ends.items():
        others = tuple(caller if callee == service else callee for caller, callee in blamed.edges)
        found.append(Accusation(service, "network", blamed.strength, gaps[blamed.edges[0]], others=others))
    return found


def _traffic(baseline: Baseline, stretch: Stretch, odd: Mapping[Key, Odd]) -> list[Accusation]:
    served = {key.service: one for key, one in odd.items() if key.quantity == "requests" and not key.caller and not key.instance}
    share = {}
    for service, one in served.items():
        series = stretch.values[Key("requests", service)]
        known = [series[at] for at in stretch.intervals if at in series]
        share[service] = mean(known) / one.usual if one.usual else 1.0
    lost = lost_calls({service: one.fall for service, one in served.items()}, share, callers_of(stretch.edges), callees_of(stretch.edges))
    return [
        Accusation(caller, "traffic", blamed.strength, served[blamed.edges[0][1]], others=tuple(callee for _, callee in blamed.edges))
        for caller, blamed in lost.items()
    ]
