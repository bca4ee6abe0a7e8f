"""Which operation calls which service, from the stored spans, and which of these calls got worse: the map on which trouble spreads."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bot.evidence import ServiceCall
from bot.telemetry import limits
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.windows import quantile

MIN_CALLS: Final = 5  # bad ones, or missing ones: fewer show nothing
MIN_SHARE: Final = 0.1  # of the calls since the bad time began
FRESH_S: Final = 2.0  # drawing takes 60 ms of a full store
SILENT_SHARE: Final = 0.1  # of the calls that the caller's other spans lead to expect: fewer that come back well, and it hangs or fails

Route = tuple[str, str, str, str]  # caller, its operation, callee, its operation


@dataclass(slots=True)
class Tally:
    """Calls of one route before and since."""

    before_ms: list[float] = field(default_factory=list)
    before_errors: int = 0
    now: list[tuple[float, bool]] = field(default_factory=list)  # (duration in ms, failed)

    def add(self, span: Span, since_s: float) -> None:
        failed = span.error or bool(span.error_type)
        if span.start_s >= since_s:
            self.now.append((span.duration_ms, failed))
        else:
            self.before_ms.append(span.duration_ms)
            self.before_errors += failed

    def worse(self, caller_before: int, caller_now: int, stretch: float) -> bool:
        """`caller_*`: spans of the caller's service in the two periods, to tell calls that do not come back from a caller without work.
        `stretch`: how many times as long the second period is, of a callee that sends no spans: a caller that has fallen silent altogether
        may wait for this very call, and nothing else would show it. 0 of others.
        """
        before, now = len(self.before_ms), len(self.now)
        usual = self.before_errors / before if before else 0.0
        failed = sum(failed for _, failed in self.now)
        if failed >= MIN_CALLS and failed / now >= usual + MIN_SHARE:
            return True
        p99_ms = quantile(sorted(self.before_ms), 0.99) if before >= MIN_CALLS else None
        limit_ms = math.inf if p99_ms is None else p99_ms
        slow = sum(took_ms > limit_ms for took_ms, _ in self.now)
        if slow >= MIN_CALLS and slow / now >= MIN_SHARE:
            return True
        expected = before * (caller_now - now) / max(1, caller_before - before)
        if caller_now < SILENT_SHARE * stretch * caller_before:
            expected = before * stretch
        well = sum(took_ms <= limit_ms and not failed for took_ms, failed in self.now)
        return expected >= MIN_CALLS and well < SILENT_SHARE * expected


class CallMap:
    """`service_calls` of one store, drawn anew at most every FRESH_S: the loop asks many times while an incident is open."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store
        self._drawn: tuple[float, float, tuple[ServiceCall, ...]] | None = None

    def calls(self, since_s: float, now_s: float) -> tuple[ServiceCall, ...]:
        if self._drawn is None or self._drawn[0] != since_s or not 0.0 <= now_s - self._drawn[1] < FRESH_S:
            self._drawn = (since_s, now_s, service_calls(self._store, since_s))
        return self._drawn[2]


def service_calls(store: SpanStore, since_s: float) -> tuple[ServiceCall, ...]:
    """At most limits.CALLS, the most frequent. `since_s`: when the bad time began.

    The operations of a call whose server spans, on either side, have not arrived are those that such calls usually belong to.
    """
    tallies: dict[Route, Tally] = {}
    usual: dict[tuple[str, str], Counter[Route]] = {}
    pending: list[tuple[Span, str, str | None]] = []
    before: Counter[str] = Counter()
    now: Counter[str] = Counter()
    first_s, last_s = since_s, since_s
    for trace in store.traces.values():
        callees = {span.parent_id: span for span in trace.spans.values() if span.parent_id}
        for span in trace.spans.values():
            (now if span.start_s >= since_s else before)[span.service] += 1
            first_s, last_s = min(first_s, span.start_s), max(last_s, span.end_s)
            caller, callee = _sides(trace, span, callees.get(span.span_id))
            if caller is None:
                continue
            peer = callee.service if callee else store.peers.name(caller)
            operation = _entry(trace, caller)
            if not peer or peer == caller.service:
                continue
            if callee is None or operation is None:
                pending.append((caller, peer, operation))
                continue
            route = (caller.service, operation, peer, callee.operation)
            usual.setdefault((caller.service, peer), Counter())[route] += 1
            tallies.setdefault(route, Tally()).add(caller, since_s)
    for caller, peer, operation in pending:
        tallies.setdefault(_usual(usual, caller, peer, operation), Tally()).add(caller, since_s)
    ranked = sorted(tallies.items(), key=lambda item: -(len(item[1].before_ms) + len(item[1].now)))[: limits.CALLS]
    stretch = (last_s - since_s) / (since_s - first_s) if since_s > first_s else 0.0
    silent = {route[2] for route, _ in ranked} - set(before) - set(now)  # callees that never send spans
    return tuple(
        ServiceCall(*route, worse=tally.worse(before[route[0]], now[route[0]], stretch if route[2] in silent else 0.0))
        for route, tally in ranked
    )


def _usual(usual: dict[tuple[str, str], Counter[Route]], caller: Span, peer: str, operation: str | None) -> Route:
    routes = usual.get((caller.service, peer), Counter())
    fitting = [route for route, _ in routes.most_common() if operation is None or route[1] == operation]
    return fitting[0] if fitting else (caller.service, operation or "", peer, "")


def _sides(trace: Trace, span: Span, child: Span | None) -> tuple[Span | None, Span | None]:
    """(the span that stands for a call, the callee's span): of a client span with what it led to, or, of a callee whose caller made no
    client span, the caller's span and itself. (None, None) when the span is neither. The callee is None while its span has not arrived."""
    if span.kind in ("client", "producer"):
        return span, child if child is not None and child.service != span.service else None
    parent = trace.parent(span)
    if parent is None or parent.service == span.service or parent.kind in ("client", "producer"):
        return None, None
    return parent, span


def _entry(trace: Trace, span: Span) -> str | None:
    """The operation that makes the call: of the server span above it, else of its service's outermost span. None while that is open."""
    server = trace.server_of(span)
    if server is not None:
        return server.operation
    at = span
    for _ in range(len(trace.spans)):
        above = trace.parent(at)
        if above is None:
            return at.operation if not at.parent_id else None
        if above.service != span.service:
            return at.operation
        at = above
    return None
