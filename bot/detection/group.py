"""One incident from one cause: which of the operations that are unwell belong together, which one stands for all, where to look first.

Two belong together when they began to be unwell within SPREAD_S of each other and trouble can have come from one to the other: they are
of the same service, one calls the other (directly or through others), or both call something that has itself got worse. What belongs
together by way of a third one does, too. The answer depends on nothing but the sets that are given: not on their order, and not on names
except to break ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.evidence import ServiceCall

SPREAD_S: Final = 600.0  # time-outs, retries and full queues carry trouble along within minutes; what begins later is something new
UPSTREAM: Final = 5  # suspects named

Key = tuple[str, str, str]
Node = tuple[str, str]  # service, operation; "" for a callee that sends no spans, and for what concerns a whole service


@dataclass(frozen=True)
class Symptom:
    """An operation that is unwell, whatever the kind of its signal."""

    service: str
    operation: str
    first_bad_s: float
    detected_s: float
    written: bool = True  # somebody wrote an objective for it; else it was learnt
    incident: int = 0  # the number of its open incident; 0: it has none
    excused: bool = False  # not expected to be well (a maintenance window): never stands for others
    aspect: str = ""  # of what concerns the whole service (a gauge, its logs): what it is about; `operation` is no operation then

    @property
    def node(self) -> Node:
        """Where it stands among the calls."""
        return self.service, "" if self.aspect else self.operation

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.service, self.operation, self.aspect


@dataclass(frozen=True)
class Group:
    """`primary` stands for all. `others` in order of their beginning. `upstream`: services furthest along the calls that are unwell."""

    primary: Symptom
    others: tuple[Symptom, ...]
    upstream: tuple[str, ...]

    @property
    def members(self) -> tuple[Symptom, ...]:
        return self.primary, *self.others


class Calls:
    """Who calls whom, to be asked which nodes lie behind one."""

    def __init__(self, calls: Iterable[ServiceCall]) -> None:
        self._all: dict[Node, set[Node]] = {}
        self._worse: dict[Node, set[Node]] = {}
        self._operations: dict[str, set[Node]] = {}
        for call in calls:
            caller, callee = (call.caller, call.operation), (call.callee, call.callee_operation)
            self._all.setdefault(caller, set()).add(callee)
            if call.worse:
                self._worse.setdefault(caller, set()).add(callee)
            for node in (caller, callee):
                self._operations.setdefault(node[0], set()).add(node)

    def behind(self, node: Node, *, worse: bool = False) -> set[Node]:
        """All that is called from it, directly or not, without itself. `worse`: only along calls that got worse."""
        edges = self._worse if worse else self._all
        starts = [node] if node[1] else list(self._operations.get(node[0], ()))
        found: set[Node] = set()
        pending = list(starts)
        while pending:
            for callee in edges.get(pending.pop(), ()):
                if callee not in found:
                    found.add(callee)
                    pending.append(callee)
        return found - set(starts)

    def next_worse(self, service: str) -> set[str]:
        """Services that it calls, whose calls got worse."""
        nodes = self._operations.get(service, set())
        return {callee[0] for node in nodes for callee in self._worse.get(node, ())} - {service}


def groups(symptoms: Iterable[Symptom], calls: Iterable[ServiceCall]) -> tuple[Group, ...]:
    """The symptoms by cause; each in exactly one group. Of two with the same service and operation the one with an incident counts."""
    graph = Calls(calls)
    distinct: dict[Key, Symptom] = {}
    for one in sorted(symptoms, key=lambda s: (not s.incident, s.incident, s.first_bad_s, s.detected_s)):
        distinct.setdefault(one.key, one)
    rest = sorted(distinct.values(), key=_by_beginning)
    found = []
    while rest:
        members, pending = [rest[0]], [rest.pop(0)]
        while pending:
            one = pending.pop()
            joined = [other for other in rest if _together(one, other, graph)]
            rest = [other for other in rest if other not in joined]
            members += joined
            pending += joined
        found.append(_group(members, graph))
    return tuple(found)


def _by_beginning(one: Symptom) -> tuple[float, str, str]:
    return one.first_bad_s, one.service, one.operation


def _together(one: Symptom, other: Symptom, graph: Calls) -> bool:
    if abs(one.first_bad_s - other.first_bad_s) > SPREAD_S:
        return False
    if one.service == other.service or _leads_to(one, other, graph) or _leads_to(other, one, graph):
        return True
    return bool(graph.behind(one.node, worse=True) & graph.behind(other.node, worse=True))


def _leads_to(one: Symptom, other: Symptom, graph: Calls) -> bool:
    """To the other's very operation; by calls that got worse, to its service."""
    behind = graph.behind(one.node)
    if other.node in behind or (not other.node[1] and any(service == other.service for service, _ in behind)):
        return True
    return any(service == other.service for service, _ in graph.behind(one.node, worse=True))


def _group(members: Sequence[Symptom], graph: Calls) -> Group:
    primary = _primary(members, graph)
    others = sorted((one for one in members if one is not primary), key=_by_beginning)
    return Group(primary, tuple(others), _upstream(members, graph))


def _primary(members: Sequence[Symptom], graph: Calls) -> Symptom:
    """The one whose incident is open already (the oldest). Without any: of those that were noticed first, a written objective before a
    learnt one, an operation before a whole service, the most user-facing (no other member calls it), the earliest.

    Those noticed first only: whoever was noticed before has opened an incident by now, though a list on GitHub may not show it yet.
    """
    opened = [one for one in members if one.incident]
    if opened:
        return min(opened, key=lambda one: one.incident)
    able = [one for one in members if not one.excused] or list(members)
    first_s = min(one.detected_s for one in able)
    able = [one for one in able if one.detected_s == first_s]
    return min(able, key=lambda one: (not one.written, one.aspect != "", _is_called(one, members, graph), *_by_beginning(one)))


def _is_called(one: Symptom, members: Sequence[Symptom], graph: Calls) -> bool:
    """By another member that it does not call in turn."""
    return any(_leads_to(other, one, graph) and not _leads_to(one, other, graph) for other in members if other.service != one.service)


def _upstream(members: Sequence[Symptom], graph: Calls) -> tuple[str, ...]:
    """From the members whose own callees are no members on along calls that got worse, to where these end."""
    deepest = [
        one for one in members if not any(_leads_to(one, other, graph) for other in members if other.service != one.service)
    ] or list(members)
    found: dict[str, None] = {}
    for one in sorted(deepest, key=_by_beginning):
        for service in _ends(one, graph):
            found[service] = None
    return tuple(found)[:UPSTREAM]


def _ends(one: Symptom, graph: Calls) -> list[str]:
    """Services at the end of the worse calls behind it; itself when there are none."""
    behind = {service for service, _ in graph.behind(one.node, worse=True)} - {one.service}
    ends = sorted(service for service in behind if not graph.next_worse(service))
    return ends or [one.service]
