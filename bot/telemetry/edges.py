"""Calls between services before and during an incident, from the caller's client spans and, where they came, the callee's server spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from bot.evidence import UNFINISHED, EdgeStat
from bot.telemetry import limits
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.unfinished import Missing
from bot.telemetry.windows import quantile

MAX_ERROR_TYPES = 5


@dataclass(slots=True)
class Calls:
    """The calls of one edge in one period."""

    durations_ms: list[float] = field(default_factory=list)
    errors: int = 0
    self_ms: list[float] = field(default_factory=list)
    error_types: Counter[str] = field(default_factory=Counter)

    def add(self, client: Span, server: Span | None) -> None:
        self.durations_ms.append(client.duration_ms)
        if client.error or client.error_type:
            self.errors += 1
            if client.error_type:
                self.error_types[client.error_type] += 1
        if server is not None:
            self.self_ms.append(client.duration_ms - server.duration_ms)

    def add_unfinished(self, so_far_ms: float) -> None:
        self.durations_ms.append(so_far_ms)
        self.error_types[UNFINISHED] += 1

    def quantile(self, q: float) -> float | None:
        value = quantile(sorted(self.durations_ms), q)
        return None if value is None else round(value, 1)


@dataclass(slots=True)
class Edge:
    caller: str
    operation: str
    peer: str
    before: Calls = field(default_factory=Calls)
    now: Calls = field(default_factory=Calls)

    def stat(self, number: int, shown: Callable[[str], str]) -> EdgeStat:
        self_ms = quantile(sorted(self.now.self_ms), 0.5)
        common = sorted(self.now.error_types.items(), key=lambda item: -item[1])[:MAX_ERROR_TYPES]
        return EdgeStat(
            id=f"e{number}",
            caller=shown(self.caller),
            operation=shown(self.operation),
            peer=shown(self.peer),
            before_requests=len(self.before.durations_ms),
            before_p50_ms=self.before.quantile(0.5),
            before_p99_ms=self.before.quantile(0.99),
            before_errors=self.before.errors,
            now_requests=len(self.now.durations_ms),
            now_p50_ms=self.now.quantile(0.5),
            now_p99_ms=self.now.quantile(0.99),
            now_errors=self.now.errors,
            self_ms=None if self_ms is None else round(self_ms, 1),
            error_types=tuple(shown(name) for name, _ in common),
        )


def edges(store: SpanStore, services: Collection[str], before_s: tuple[float, float], now_s: tuple[float, float]) -> list[Edge]:
    """The edges whose caller is one of `services`, by first call; calls that began and ended in `before_s`, or began in `now_s`.

    The operation of a call whose own server span has not ended is the one that such calls usually belong to.
    """
    found: dict[tuple[str, str, str], Edge] = {}
    usual: dict[tuple[str, str], Counter[str]] = {}
    pending: list[tuple[Trace, Span, str]] = []
    for trace, span in store.spans():
        if span.kind != "client" or span.service not in services:
            continue
        peer = store.peers.name(span)
        server = trace.server_of(span)
        if server is None:
            pending.append((trace, span, peer))
            continue
        usual.setdefault((span.service, peer), Counter())[server.operation] += 1
        _count(found, (span.service, server.operation, peer), trace, span, before_s, now_s)
    for trace, span, peer in pending:
        counts = usual.get((span.service, peer))
        operation = counts.most_common(1)[0][0] if counts else ""
        _count(found, (span.service, operation, peer), trace, span, before_s, now_s)
    used = [edge for edge in found.values() if edge.before.durations_ms or edge.now.durations_ms]
    used.sort(key=lambda edge: -(len(edge.before.durations_ms) + len(edge.now.durations_ms)))
    kept = {id(edge) for edge in used[: limits.EDGES]}
    return [edge for edge in found.values() if id(edge) in kept]


def add_unfinished(found: list[Edge], spans: Sequence[Missing], now_s: float) -> None:
    """Counts the calls among the unfinished `spans` of one request to the edges that are known from calls that ended."""
    by_name = {(edge.caller, edge.operation, edge.peer): edge for edge in found}
    operations = {span.id: span.role[3] for span in spans if span.role[2] == "server"}
    for span in spans:
        if span.role[2] == "client" and span.parent is not None:
            edge = by_name.get((span.role[0], operations.get(span.parent, ""), span.callee))
            if edge is not None:
                edge.now.add_unfinished((now_s - span.first_s) * 1000.0)


def _count(
    found: dict[tuple[str, str, str], Edge],
    name: tuple[str, str, str],
    trace: Trace,
    span: Span,
    before_s: tuple[float, float],
    now_s: tuple[float, float],
) -> None:
    edge = found.get(name)
    if edge is None:
        edge = found[name] = Edge(*name)
    callee = next((s for s in trace.spans.values() if s.parent_id == span.span_id and s.kind == "server"), None)
    if before_s[0] <= span.start_s and span.end_s <= before_s[1]:
        edge.before.add(span, callee)
    elif now_s[0] <= span.start_s < now_s[1]:
        edge.now.add(span, callee)
