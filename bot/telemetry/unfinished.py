"""The spans of a request that hangs which have not ended: ancestors that its finished spans imply, and calls that have not come back.

Both are inferred from requests that did finish. An absent call is weak evidence, so it counts only below a server span that itself has
not ended, only when healthy requests (almost) always made it, and only when it does not wait for another call that is not back either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from bot.telemetry import limits
from bot.telemetry.entries import Key
from bot.telemetry.peers import Peers
from bot.telemetry.span import Kind, Span
from bot.telemetry.store import Trace

MIN_REQUESTS = 20
MIN_SHARE = 0.95

Role = tuple[str, str, Kind, str]  # service, name, kind, operation: what a span is, whichever request it belongs to
SpanId = bytes | tuple[str, ...]


def role(span: Span) -> Role:
    return span.service, span.name, span.kind, span.operation


@dataclass(frozen=True, slots=True)
class Missing:
    """A span that has not ended. `id` is its real id when a child names it, else made of what it is."""

    id: SpanId
    parent: SpanId | None
    role: Role
    first_s: float  # start of its first child, or when such a call usually starts
    callee: str  # of a client span: whom it calls


@dataclass(slots=True)
class UsualCall:
    name: str
    offsets_s: list[float] = field(default_factory=list)  # from the start of the server span's first child
    durations_s: list[float] = field(default_factory=list)

    @property
    def offset_s(self) -> float:
        return median(self.offsets_s)

    @property
    def end_s(self) -> float:
        return self.offset_s + median(self.durations_s)


class Habits:
    """What usually stands above a span, and which peers a server span always calls: learned from traces of healthy requests."""

    def __init__(self, healthy: Iterable[Trace], peers: Peers) -> None:
        self._above: dict[Role, Counter[Role]] = {}
        self._requests: Counter[Role] = Counter()
        self._calls: dict[Role, dict[str, UsualCall]] = {}
        for trace in healthy:
            below: dict[bytes, list[Span]] = {}
            for span in trace.spans.values():
                parent = trace.parent(span)
                if parent is not None:
                    self._above.setdefault(role(span), Counter())[role(parent)] += 1
                server = trace.server_of(span)
                if server is not None and server is not span:
                    below.setdefault(server.span_id, []).append(span)
            for server_id, children in below.items():
                self._learn(role(trace.spans[server_id]), children, peers)

    def _learn(self, server: Role, children: Sequence[Span], peers: Peers) -> None:
        self._requests[server] += 1
        first_s = min(child.start_s for child in children)
        seen: set[str] = set()
        for child in children:
            peer = peers.name(child)
            if child.kind == "client" and peer not in seen:
                seen.add(peer)
                call = self._calls.setdefault(server, {}).setdefault(peer, UsualCall(child.operation))
                call.offsets_s.append(child.start_s - first_s)
                call.durations_s.append(child.duration_ms / 1000.0)

    def above(self, child: Role) -> Role | None:
        counts = self._above.get(child)
        return counts.most_common(1)[0][0] if counts else None

    def calls(self, server: Role) -> dict[str, UsualCall]:
        """The calls that (almost) every request to `server` makes, by peer."""
        requests = self._requests[server]
        if requests < MIN_REQUESTS:
            return {}
        return {peer: call for peer, call in self._calls.get(server, {}).items() if len(call.offsets_s) >= MIN_SHARE * requests}


def unfinished(trace: Trace, habits: Habits, peers: Peers, entry: Key) -> tuple[Missing, ...]:
    """The unfinished spans of a trace whose entry operation has not ended, outermost first."""
    ancestors = _ancestors(trace, habits, entry)
    calls = [call for server in ancestors if server.role[2] == "server" for call in _calls(trace, server, ancestors, habits, peers)]
    return _outermost_first([*ancestors, *calls])


def _ancestors(trace: Trace, habits: Habits, entry: Key) -> list[Missing]:
    found: dict[SpanId, Missing] = {}
    ids: dict[Role, SpanId] = {}
    orphans = [span for span in trace.spans.values() if span.parent_id and span.parent_id not in trace.spans]
    for span in sorted(orphans, key=lambda span: span.start_s):
        above = habits.above(role(span))
        if above is not None:
            ids.setdefault(above, span.parent_id)
            found.setdefault(span.parent_id, Missing(span.parent_id, None, above, span.start_s, span.service))
    pending = list(found.values())
    while pending and len(found) < limits.SPANS_PER_VIEW:
        child = pending.pop(0)
        service, _, kind, operation = child.role
        above = None if kind == "server" and (service, operation) == entry else habits.above(child.role)
        if above is None or above == child.role:
            continue
        parent_id = ids.setdefault(above, above)
        found[child.id] = replace(found[child.id], parent=parent_id)
        known = found.get(parent_id)
        if known is None:
            found[parent_id] = Missing(parent_id, None, above, child.first_s, child.role[0])
            pending.append(found[parent_id])
        else:
            found[parent_id] = replace(known, first_s=min(known.first_s, child.first_s))
    return list(found.values())


def _calls(trace: Trace, server: Missing, ancestors: Sequence[Missing], habits: Habits, peers: Peers) -> list[Missing]:
    """The calls of an unfinished server span that are not back, except those that `ancestors` hold already."""
    service = server.role[0]
    back = {peers.name(span) for span in trace.spans.values() if span.kind == "client" and _missing_above(trace, span) == server.id}
    absent = {peer: call for peer, call in habits.calls(server.role).items() if peer not in back}
    known = {other.callee for other in ancestors if other.role[2] == "client" and other.parent == server.id}
    found = []
    for peer, call in absent.items():
        waits = any(other.end_s <= call.offset_s for name, other in absent.items() if name != peer)
        if peer not in known and not waits:
            id_ = (service, call.name, "client", peer)
            found.append(Missing(id_, server.id, (service, call.name, "client", call.name), server.first_s + call.offset_s, peer))
    return found


def _missing_above(trace: Trace, span: Span) -> bytes:
    """The id of the first span above `span` that has not arrived; empty when all have."""
    at = span
    for _ in range(len(trace.spans)):
        above = trace.parent(at)
        if above is None:
            break
        at = above
    return at.parent_id


def _outermost_first(spans: list[Missing]) -> tuple[Missing, ...]:
    by_id = {span.id: span for span in spans}

    def depth(span: Missing) -> int:
        at, steps = span, 0
        while at.parent in by_id and steps < len(spans):
            at, steps = by_id[at.parent], steps + 1
        return steps

    return tuple(sorted(spans, key=depth))
