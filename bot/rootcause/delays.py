"""Which services take longer than usual, in their own code or on the way to them, as a share of what their requests usually take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.rootcause.chance import larger, quantile, shift
from bot.rootcause.forest import Forest
from bot.rootcause.visits import Visit

MIN_NOW, MIN_USUAL = 3, 5  # visits of an operation below which it is not compared
MIN_EVIDENCE = 1.3  # −log10 p: the usual 5 %
FELT_MS = 100.0  # what people notice (Nielsen, "Usability Engineering", 1993): added to short requests, whose doubling nobody feels
FULL_SHARE = 0.25  # of the usual duration of a request: longer by that is strength 1
SHIFTED = 0.05  # of it: an edge that is longer by less stays out of the question who is to blame


@dataclass(frozen=True, slots=True)
class Delay:
    """One operation of one service as `caller` sees it. The shares are of the usual duration of the requests it belongs to."""

    caller: str
    service: str
    operation: str
    own_share: float
    gap_share: float
    usual_ms: float  # median of own time and gap
    now_ms: float
    visits: tuple[Visit, ...]  # those of the incident


def delays(usual: Iterable[Visit], now: Iterable[Visit], forest: Forest, requests_ms: Mapping[str, float]) -> list[Delay]:
    """Operations that got slower. `requests_ms`: usual duration of whole requests by trace id of the baseline."""
    old, new = _grouped(usual), _grouped(now)
    every_gap = sorted(visit.gap_ms for group in old.values() for visit in group if visit.gap_ms is not None)
    every_request = sorted(requests_ms.values())
    found = []
    for place, group in sorted(new.items()):
        before = old.get(place, [])
        known = sorted(requests_ms[visit.key[0]] for visit in before if visit.key[0] in requests_ms) or every_request
        delay = _delay(place, before, group, every_gap, quantile(known, 0.5)) if known else None
        if delay is not None:
            found.append(delay)
    return found


def _grouped(of: Iterable[Visit]) -> dict[tuple[str, str, str], list[Visit]]:
    groups: defaultdict[tuple[str, str, str], list[Visit]] = defaultdict(list)
    for visit in of:
        groups[visit.caller, visit.service, visit.operation].append(visit)
    return groups


def _delay(
    place: tuple[str, str, str], before: Sequence[Visit], group: Sequence[Visit], gaps_ms: list[float], request_ms: float
) -> Delay | None:
    if len(group) < MIN_NOW:
        return None
    per_trace = len(group) / len({visit.key[0] for visit in group})
    scale = per_trace / (request_ms + FELT_MS)
    gap_now = sorted(visit.gap_ms for visit in group if visit.gap_ms is not None)
    if len(before) < MIN_USUAL:  # a young edge: its gap is compared with all gaps of the system, its own time with nothing
        if len(gap_now) < MIN_NOW or len(gaps_ms) < MIN_USUAL:
            return None
        usual, now = gaps_ms, gap_now
        own = 0.0
    else:
        usual, now = sorted(visit.total_ms for visit in before), sorted(visit.total_ms for visit in group)
        own = max(shift(sorted(visit.own_ms for visit in before), sorted(visit.own_ms for visit in group)), 0.0)
    chance, evidence = larger(usual, now)
    longer_ms = shift(usual, now)
    if evidence < MIN_EVIDENCE or longer_ms <= 0:
        return None
    gap_before = sorted(visit.gap_ms for visit in before if visit.gap_ms is not None) if len(before) >= MIN_USUAL else gaps_ms
    gap = max(shift(gap_before, gap_now), 0.0) if gap_before and gap_now else 0.0
    share = longer_ms * scale * (2 * chance - 1)
    own_part = own / (own + gap) if own + gap else 1.0
    return Delay(*place, share * own_part, share * (1 - own_part), quantile(usual, 0.5), quantile(now, 0.5), tuple(group))
