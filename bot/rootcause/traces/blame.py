"""Whose doing a delay is. Own time is the service's own; the time of a call is shared between callee and caller.

A service that is slow to reach is slow for whoever calls it; one that is slow to call is slow towards whomever it calls. So the share of
an end grows with how many of its edges on that side are slow as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from bot.rootcause.comparing.oddities import MAX_EVIDENCE, Oddity
from bot.rootcause.traces.delays import Delay

FULL_SHARE = 0.25  # longer by this share of the usual duration of a request is strength 1
SHIFTED = 0.1  # of FULL_SHARE: an edge that is slower by less counts as healthy when ends are compared
CALLEE_WEIGHT = 2.0  # with nothing else to go by it is the callee: a server that is too busy to take a call shows as such a gap, too


def delayed(found: Iterable[Delay]) -> list[Oddity]:
    """One oddity for every end of every delay that has some of the blame."""
    everything = list(found)
    towards, onwards = _slow_shares(everything)
    oddities = []
    for delay in everything:
        if delay.own_share:
            oddities.append(_oddity(delay, delay.service, delay.own_share, network=False))
        if delay.gap_share:
            callee, caller = CALLEE_WEIGHT * towards.get(delay.service, 0.0), onwards.get(delay.caller, 0.0)
            part = callee / (callee + caller) if callee + caller else 1.0
            oddities.append(_oddity(delay, delay.service, delay.gap_share * part, network=True))
            if delay.caller:
                oddities.append(_oddity(delay, delay.caller, delay.gap_share * (1 - part), network=True))
    return oddities


def _slow_shares(found: Iterable[Delay]) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """By service: which share of its callers reach it slowly, and which share of those that it calls."""
    edges: dict[tuple[str, str], bool] = {}
    for delay in found:
        edge = (delay.caller, delay.service)
        edges[edge] = edges.get(edge, False) or delay.gap_share >= SHIFTED * FULL_SHARE
    ends: tuple[defaultdict[str, list[bool]], defaultdict[str, list[bool]]] = (defaultdict(list), defaultdict(list))
    for (caller, callee), slow in edges.items():
        ends[0][callee].append(slow)
        ends[1][caller].append(slow)
    towards, onwards = ({service: sum(slow) / len(slow) for service, slow in end.items()} for end in ends)
    return towards, onwards


def _oddity(delay: Delay, service: str, share: float, *, network: bool) -> Oddity:
    where = f"calls from {delay.caller} to {delay.service}" if network else delay.service
    return Oddity(
        service=service,
        operation=delay.operation,
        fault="network" if network else "slow",
        strength=share / FULL_SHARE,
        what=f"{where} ({delay.operation[:80]}): {delay.usual_ms:.1f} ms before, {delay.now_ms:.1f} ms now, without what it calls",
        visits=tuple(visit.key for visit in delay.late),
        instances=Counter(visit.instance for visit in delay.late if visit.service == service),
        since_ns=min((visit.start_ns for visit in delay.late), default=0),
        evidence=tuple(dict.fromkeys(visit.key[0] for visit in delay.late))[:MAX_EVIDENCE],
        exclusive=True,
    )
