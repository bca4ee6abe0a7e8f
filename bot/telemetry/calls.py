"""Which operation calls which service, from the stored spans, and which of these calls got worse: the map on which trouble spreads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bot.model import ServiceCall
from bot.telemetry import limits
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.windows import quantile

MIN_CALLS: Final = 5  # bad ones, or missing ones: fewer show nothing
MIN_SHARE: Final = 0.1  # of the calls since the bad time began
SILENT_SHARE: Final = 0.1  # of the calls that the caller's other spans lead to expect: fewer, and they do not come back

Route = tuple[str, str, str, str]  # caller, its operation, callee, its operation


@dataclass(slots=True)
class Tally:
    """Calls of one route before and since."""

    before_ms: list[float] = field(default_factory=list)
    now_ms: list[float] = field(default_factory=list)
    before_errors: int = 0
    now_errors: int = 0

    def add(self, span: Span, since_s: float) -> None:
        failed = span.error or bool(span.error_type)
        if span.start_s >= since_s:
            self.now_ms.append(span.duration_ms)
            self.now_errors += failed
        else:
            self.before_ms.append(span.duration_ms)
            self.before_errors += failed

    def worse(self, caller_before: int, caller_now: int) -> bool:
        """`caller_*`: spans of the caller's service in the two periods, to tell calls that do not come back from a caller without work."""
        before, now = len(self.before_ms), len(self.now_ms)
        usual = self.before_errors / before if before else 0.0
        if self.now_errors >= MIN_CALLS and self.now_errors / now >= usual + MIN_SHARE:
            return True
        p99_ms = quantile(sorted(self.before_ms), 0.99)
        slow = sum(took_ms > p99_ms for took_ms in self.now_ms) if p99_ms is not None and before >= MIN_CALLS else 0
        if slow >= MIN_CALLS and slow / now >= MIN_SHARE:
            return True
        expected = before * (caller_now - now) / max(1, caller_before - before)
        return expected >= MIN_CALLS and now < SILENT_SHARE * expected


def service_calls(store: SpanStore, since_s: float) -> tuple[ServiceCall, ...]:
    """At most limits.CALLS, the most frequent. `since_s`: when the bad time began."""
    tallies: dict[Route, Tally] = {}
    before: Counter[str] = Counter()
    now: Counter[str] = Counter()
    sends_spans = {span.service for _, span in store.spans()}
    for trace in store.traces.values():
        callees = {span.parent_id: span for span in trace.spans.values() if span.parent_id}
        for span in trace.spans.values():
            (now if span.start_s >= since_s else before)[span.service] += 1
            route = _route(trace, span, callees.get(span.span_id), store, sends_spans)
            if route is not None:
                tally = tallies.get(route)
                if tally is None:
                    tally = tallies[route] = Tally()
                tally.add(span, since_s)
    ranked = sorted(tallies.items(), key=lambda item: -(len(item[1].before_ms) + len(item[1].now_ms)))[: limits.CALLS]
    return tuple(ServiceCall(*route, worse=tally.worse(before[route[0]], now[route[0]])) for route, tally in ranked)


def _route(trace: Trace, span: Span, child: Span | None, store: SpanStore, sends_spans: set[str]) -> Route | None:
    """Of a call as its caller saw it; else as its callee did. Of a callee that sends spans its operation is taken from these alone."""
    if span.kind in ("client", "producer"):
        callee = child if child is not None and child.service != span.service else None
        peer = callee.service if callee else store.peers.name(span)
        answered = not span.error and not span.error_type
        if not peer or peer == span.service or (callee is None and answered and peer in sends_spans):
            return None
        return span.service, _operation(trace, span), peer, callee.operation if callee else ""
    parent = trace.parent(span)
    if parent is None or parent.service == span.service or parent.kind in ("client", "producer"):
        return None
    return parent.service, _operation(trace, parent), span.service, span.operation


def _operation(trace: Trace, span: Span) -> str:
    server = trace.server_of(span)
    return (server or span).operation
