"""The traces that stand for many: a few bad ones, a few normal ones from before, with what is known of spans that have not ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.evidence import SpanView, TraceView
from bot.redact import commit_id
from bot.telemetry import limits
from bot.telemetry.entries import Key, key
from bot.telemetry.peers import Peers
from bot.telemetry.span import Span
from bot.telemetry.store import Trace
from bot.telemetry.unfinished import Missing, SpanId


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A trace to be shown. `entry` is its server span of the operation, None while that has not ended."""

    trace: Trace
    entry: Span | None
    bad: bool
    missing: tuple[Missing, ...] = ()  # its unfinished spans, outermost first


def choose(
    entries: Sequence[tuple[Trace, Span]],
    is_bad: Callable[[Span], bool],
    hanging: Sequence[tuple[Trace, tuple[Missing, ...]]],
    first_bad_s: float,
) -> list[Exemplar]:
    """Bad: the first, the worst and the latest finished ones, then hanging ones. Normal: those before with the most ordinary duration."""
    bad = [(trace, span) for trace, span in entries if span.start_s >= first_bad_s and is_bad(span)]
    normal = [(trace, span) for trace, span in entries if span.end_s <= first_bad_s and not is_bad(span)]
    chosen: dict[bytes, Exemplar] = {}
    if bad:
        by_start = sorted(bad, key=lambda item: item[1].start_s)
        worst = max(by_start, key=lambda item: (item[1].exception is not None, item[1].duration_ms))
        for trace, span in (by_start[0], worst, by_start[-1]):
            chosen.setdefault(trace.id, Exemplar(trace, span, True))
    for trace, missing in hanging:
        if len(chosen) < limits.BAD_TRACES:
            chosen.setdefault(trace.id, Exemplar(trace, None, True, missing))
    durations = sorted(span.duration_ms for _, span in normal)
    if durations:
        middle = durations[len(durations) // 2]
        normal.sort(key=lambda item: (abs(item[1].duration_ms - middle), item[1].start_s))
        for trace, span in normal[: limits.NORMAL_TRACES]:
            chosen.setdefault(trace.id, Exemplar(trace, span, False))
    return list(chosen.values())


class Viewer:
    """Turns exemplars into views with evidence ids that count over all of them: t1, t2 …, s1, s2 …."""

    def __init__(self, peers: Peers, entry: Key, shown: Callable[[str], str], now_s: float) -> None:
        self._peers = peers
        self._entry = entry
        self._shown = shown
        self._now_s = now_s
        self._traces = 0
        self._spans = 0

    def view(self, exemplar: Exemplar) -> TraceView:
        spans = sorted(exemplar.trace.spans.values(), key=lambda span: (span.start_s, -span.end_s))
        rows: list[Missing | Span] = [*exemplar.missing, *self._most_telling(spans, len(exemplar.missing))]
        start_s = min((row.first_s if isinstance(row, Missing) else row.start_s for row in rows), default=self._now_s)
        ids: dict[SpanId, str] = {}
        for row in rows:
            self._spans += 1
            ids[row.id if isinstance(row, Missing) else row.span_id] = f"s{self._spans}"
        self._traces += 1
        views = tuple(self._missing(row, ids, start_s) if isinstance(row, Missing) else self._finished(row, ids, start_s) for row in rows)
        return TraceView(f"t{self._traces}", exemplar.bad, round(start_s, 3), views)

    def _most_telling(self, spans: Sequence[Span], taken: int) -> list[Span]:
        """At most SPANS_PER_VIEW in order of start; failed and long ones stay."""
        limit = max(0, limits.SPANS_PER_VIEW - taken)
        kept = sorted(
            spans, key=lambda span: (key(span) == self._entry, span.error, span.kind != "internal", span.duration_ms), reverse=True
        )
        keep = {span.span_id for span in kept[:limit]}
        return [span for span in spans if span.span_id in keep]

    def _finished(self, span: Span, ids: dict[SpanId, str], start_s: float) -> SpanView:
        return SpanView(
            id=ids[span.span_id],
            service=self._shown(span.service),
            name=self._shown(span.operation),
            kind=span.kind,
            parent=ids.get(span.parent_id) if span.parent_id else None,
            offset_ms=round((span.start_s - start_s) * 1000.0, 1),
            duration_ms=round(span.duration_ms, 1),
            error=span.error,
            status_code=span.status_code,
            error_type=self._shown(span.error_type),
            peer=self._shown(self._peers.name(span)) if span.kind in ("client", "producer") else "",
            commit=commit_id(span.commit),
        )

    def _missing(self, span: Missing, ids: dict[SpanId, str], start_s: float) -> SpanView:
        service, _, kind, operation = span.role
        return SpanView(
            id=ids[span.id],
            service=self._shown(service),
            name=self._shown(operation),
            kind=kind,
            parent=ids.get(span.parent) if span.parent is not None else None,
            offset_ms=round((span.first_s - start_s) * 1000.0, 1),
            duration_ms=round((self._now_s - span.first_s) * 1000.0, 1),
            error=False,
            status_code=None,
            error_type="",
            peer=self._shown(span.callee) if kind in ("client", "producer") else "",
            commit="",
            finished=False,
        )
