"""What the calls between services say: delays that lie in the network, and calls that a caller no longer makes. Whose end is it?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

ODD = 1.0  # more than the worst healthy stretch
LOUD = 10.0  # louder edges count no more than this: a factor says little once it is plain
FAIR_SHARE = 0.5  # a caller that lost half of what its callee lost, or more, explains it

Edge = tuple[str, str]  # caller, callee


class Blamed(NamedTuple):
    strength: float
    edges: tuple[Edge, ...]  # the odd ones, loudest first


def network_ends(gaps: Mapping[Edge, float]) -> dict[str, Blamed]:
    """Which service's network is slow, from how odd the gap between the caller's and the callee's time is on each edge.

    A service is blamed by how much of the odd edges are its own and how much of its own edges are odd: a slow interface delays all that
    pass it, and explains no delay elsewhere. Of both ends of a single edge it is the callee that has no other edges.
    """
    odd = {edge: min(size, LOUD) for edge, size in gaps.items() if size > ODD}
    touching: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in gaps:
        for end in edge:
            touching[end].append(edge)
    total = sum(odd.values())
    found: dict[str, Blamed] = {}
    for service, edges in touching.items():
        own = sorted((edge for edge in edges if edge in odd), key=lambda edge: -gaps[edge])
        if own:
            quiet = len(edges) - len(own)
            cover = sum(odd[edge] for edge in own) / (total + quiet * LOUD * FAIR_SHARE)
            found[service] = Blamed(gaps[own[0]] * cover, tuple(own))
    return found


def lost_calls(
    falls: Mapping[str, float],
    kept_share: Mapping[str, float],
    callers: Mapping[str, Collection[str]],
    callees: Mapping[str, Collection[str]],
) -> dict[str, Blamed]:
    """Callers that stopped calling although they are called as before: an early return or an exception looks like this from outside.

    `falls` are in worst healthy falls of a service's requests, `kept_share` is requests now / usual.
    """
    blamed: defaultdict[str, list[tuple[float, Edge]]] = defaultdict(list)
    for service, fall in falls.items():
        above = [caller for caller in callers.get(service, ()) if caller in kept_share]
        enough = kept_share.get(service, 1.0)
        if fall <= ODD or not above or any(kept_share[caller] <= 1.0 - FAIR_SHARE * (1.0 - enough) for caller in above):
            continue
        for caller in above:
            blamed[caller].append((fall, (caller, service)))
    return {caller: _spread(lost, sum(callee in kept_share for callee in callees.get(caller, ()))) for caller, lost in blamed.items()}


def _spread(lost: Sequence[tuple[float, Edge]], measured: int) -> Blamed:
    """One callee of many may have its own reasons."""
    loudest = sorted(lost, key=lambda found: (-found[0], found[1]))
    return Blamed(loudest[0][0] * (len(lost) / max(measured, len(lost))) ** 0.5, tuple(edge for _, edge in loudest))
