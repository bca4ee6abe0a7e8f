"""Which operations take longer than usual, in their own code or on the way to them, as a share of what their requests usually take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.rootcause.comparing.chance import larger, quantile, shift
from bot.rootcause.traces.visits import Visit

MIN_NOW, MIN_USUAL = 3, 5  # visits of an operation below which it is not compared
MIN_EVIDENCE = 1.3  # −log10 p: the usual 5 %
FULL_EVIDENCE = 3.0  # about 5 % over the fifty or so operations that are compared; less counts in proportion
FELT_MS = 100.0  # what people notice (Nielsen, "Usability Engineering", 1993): added to every request, lest doubled short ones count


@dataclass(frozen=True, slots=True)
class Delay:
    """One operation of one service as `caller` sees it; shares of 0 when it was compared and is not slower.

    The shares are of the usual duration of the requests it belongs to, weighted by how clearly the two samples differ.
    """

    caller: str
    service: str
    operation: str
    own_share: float
    gap_share: float
    usual_ms: float  # median of own time and gap
    now_ms: float
    late: tuple[Visit, ...]  # visits of the incident that took longer than almost all before


@dataclass(frozen=True, slots=True)
class _Usual:
    """The baseline of one operation, sorted; `own_ms` is empty when only the gaps of other calls stand in for it."""

    total_ms: Sequence[float]
    own_ms: Sequence[float]
    gap_ms: Sequence[float]
    request_ms: float


def delays(usual: Iterable[Visit], now: Iterable[Visit], requests_ms: Mapping[str, float]) -> list[Delay]:
    """All operations that can be compared. `requests_ms`: the duration of whole requests of the baseline by trace id."""
    edges: defaultdict[tuple[str, str, str], list[Visit]] = defaultdict(list)
    operations: defaultdict[tuple[str, str], list[Visit]] = defaultdict(list)
    gaps_ms: list[float] = []
    for visit in usual:
        edges[visit.caller, visit.service, visit.operation].append(visit)
        operations[visit.service, visit.operation].append(visit)
        if visit.gap_ms is not None:
            gaps_ms.append(visit.gap_ms)
    gaps_ms.sort()
    any_request_ms = quantile(sorted(requests_ms.values()), 0.5) if requests_ms else 0.0
    groups: defaultdict[tuple[str, str, str], list[Visit]] = defaultdict(list)
    for visit in now:
        groups[visit.caller, visit.service, visit.operation].append(visit)
    found = []
    for place, group in sorted(groups.items()):
        before = edges.get(place, ())
        if len(before) < MIN_USUAL:
            before = operations.get(place[1:], ())
        known = _usual(before, gaps_ms, requests_ms, any_request_ms)
        if known is not None and len(group) >= MIN_NOW:
            found.append(_delay(place, known, group))
    return found


def _usual(before: Sequence[Visit], gaps_ms: Sequence[float], requests_ms: Mapping[str, float], any_request_ms: float) -> _Usual | None:
    """An operation that was hardly seen before is measured by all gaps of the system, and its own time by nothing."""
    if len(before) < MIN_USUAL:
        return _Usual(gaps_ms, (), gaps_ms, any_request_ms) if len(gaps_ms) >= MIN_USUAL else None
    requests = sorted(requests_ms[visit.key[0]] for visit in before if visit.key[0] in requests_ms)
    return _Usual(
        sorted(visit.total_ms for visit in before),
        sorted(visit.own_ms for visit in before),
        sorted(visit.gap_ms for visit in before if visit.gap_ms is not None),
        quantile(requests, 0.5) if requests else any_request_ms,
    )


def _delay(place: tuple[str, str, str], usual: _Usual, group: Sequence[Visit]) -> Delay:
    gap_ms = sorted(visit.gap_ms for visit in group if visit.gap_ms is not None)
    now_ms = sorted(visit.total_ms for visit in group) if usual.own_ms else gap_ms
    if len(now_ms) < MIN_NOW:
        return Delay(*place, 0.0, 0.0, 0.0, 0.0, ())
    chance, evidence = larger(usual.total_ms, now_ms)
    medians = quantile(usual.total_ms, 0.5), quantile(now_ms, 0.5)
    own = max(_longer(usual.own_ms, sorted(visit.own_ms for visit in group)), 0.0) if usual.own_ms else 0.0
    gap = max(shift(usual.gap_ms, gap_ms), 0.0) if usual.gap_ms and gap_ms else 0.0
    if evidence < MIN_EVIDENCE or not own + gap:
        return Delay(*place, 0.0, 0.0, *medians, ())
    per_trace = len(group) / len({visit.key[0] for visit in group})
    weight = per_trace / (usual.request_ms + FELT_MS) * (2 * chance - 1) * min(evidence / FULL_EVIDENCE, 1.0)
    limit_ms = quantile(usual.total_ms, 0.95)
    late = tuple(visit for visit in group if (visit.total_ms if usual.own_ms else visit.gap_ms or 0.0) > limit_ms)
    return Delay(*place, own * weight, gap * weight, *medians, late)


def _longer(usual: Sequence[float], now: Sequence[float]) -> float:
    """By the medians: own time holds that of databases, whose tail is heavy also in good health."""
    return quantile(now, 0.5) - quantile(usual, 0.5)
