"""Who keeps the blame: what a service suffers, minus what its callees hand up to it.

Amounts (seconds of waiting, failed requests; per interval) are compared, not ratios: a callee that is ten times slower for one
request in a thousand explains nothing. A callee explains at most what it suffers itself, so the deepest service that still explains
its callers keeps the blame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

MAX_VISITED = 200  # services looked through below one service: what has no measure of its own is looked through


def callees_of(edges: Collection[tuple[str, str]]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for client, server in edges:
        if client != server:
            found[client].add(server)
    return dict(found)


def callers_of(edges: Collection[tuple[str, str]]) -> dict[str, set[str]]:
    return callees_of([(server, client) for client, server in edges])


def kept(amounts: Mapping[str, float], callees: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Of each service's amount the part that no callee explains, ≥ 0."""
    return {
        service: max(0.0, amount - sum(min(amount, amounts[callee]) for callee in measured_below(service, amounts, callees)))
        for service, amount in amounts.items()
    }


def main_callee(service: str, amounts: Mapping[str, float], callees: Mapping[str, Collection[str]]) -> str:
    """The callee that explains most of it, "" when none has an amount."""
    below = measured_below(service, amounts, callees)
    return max(sorted(below), key=lambda callee: amounts[callee], default="")


def measured_below(service: str, amounts: Mapping[str, float], callees: Mapping[str, Collection[str]]) -> set[str]:
    """The nearest callees with an amount, looking through those without one."""
    seen, found, todo = {service}, set[str](), sorted(callees.get(service, ()))
    while todo and len(seen) < MAX_VISITED:
        callee = todo.pop()
        if callee in seen:
            continue
        seen.add(callee)
        if amounts.get(callee, 0.0) > 0.0:
            if service not in callees.get(callee, ()) or amounts[callee] >= amounts.get(
                service, 0.0
            ):  # of two that call each other one keeps it
                found.add(callee)
        else:
            todo.extend(sorted(callees.get(callee, ())))
    return found
