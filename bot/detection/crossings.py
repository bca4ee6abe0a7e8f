"""Spans joined to their parents by ids and times alone: what a call spent between two services, and what an operation spent itself.

Between caller and callee: the caller's span minus the callee's (network, connection, queue). Own time: a span minus the time covered by its
children (Jaeger and others call it self time). Spans come in any order; the child usually ends first, so it waits for its parent.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.detection.observation import BareSpan

HOLD_S = 60.0  # how long a child waits for its parent
MAX_HELD = 50_000  # children waiting at once; beyond, the oldest are given up and counted


@dataclass(frozen=True, slots=True)
class Crossing:
    """One call from `caller` to `callee` and the time that neither of their spans' work explains (`between_s` may be slightly negative)."""

    at_s: float
    caller: str
    callee: str
    between_s: float


@dataclass(frozen=True, slots=True)
class OwnTime:
    """What one span of an operation spent outside its children."""

    at_s: float
    service: str
    operation: str
    own_s: float


class SpanJoin:
    """Feed spans; get back what became known with each."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], list[BareSpan]] = OrderedDict()
        self._held = 0
        self.given_up = 0

    def add(self, span: BareSpan) -> tuple[Crossing | None, OwnTime]:
        """The span's own time, and the crossing below it when it has exactly one child in another service (more: it is no client span)."""
        children = self._waiting.pop((span.trace_id, span.span_id), [])
        self._held -= len(children)
        if span.parent_id:
            self._waiting.setdefault((span.trace_id, span.parent_id), []).append(span)
            self._held += 1
            self._give_up(span.end_s)
        remote = [child for child in children if child.service != span.service]
        crossing = None
        if len(remote) == 1:
            callee = remote[0]
            between_s = (span.end_s - span.start_s) - (callee.end_s - callee.start_s)
            crossing = Crossing(span.end_s, span.service, callee.service, between_s)
        return crossing, OwnTime(span.end_s, span.service, span.name, _own_s(span, children))

    def _give_up(self, now_s: float) -> None:
        while self._waiting:
            parent, children = next(iter(self._waiting.items()))
            if self._held <= MAX_HELD and children[0].end_s >= now_s - HOLD_S:
                return
            del self._waiting[parent]
            self._held -= len(children)
            self.given_up += len(children)


def _own_s(span: BareSpan, children: list[BareSpan]) -> float:
    covered_s, reached_s = 0.0, span.start_s
    for child in sorted(children, key=lambda child: child.start_s):
        start_s, end_s = max(child.start_s, reached_s), min(child.end_s, span.end_s)
        if end_s > start_s:
            covered_s += end_s - start_s
            reached_s = end_s
    return max(span.end_s - span.start_s - covered_s, 0.0)
