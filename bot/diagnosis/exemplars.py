"""The exemplar traces of a case as call trees that the analyses of bot/rootcause understand; trace and span ids are what claims cite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bot.evidence import SpanView, TraceView
from bot.rootcause.comparing.forest import Forest, plant
from bot.rootcause.model import Span

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
KINDS: Final[Mapping[str, int]] = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}  # OTLP's SpanKind


def forest_of(traces: Iterable[TraceView]) -> Forest:
    """The call trees of some exemplars. A span that has not ended lasts as long as it was seen to."""
    return plant(_span(trace, span) for trace in traces for span in trace.spans)


def _span(trace: TraceView, span: SpanView) -> Span:
    start_ns = int(trace.start_s * NS_PER_S) + int(span.offset_ms * NS_PER_MS)
    said = {"error.type": span.error_type} if span.error_type else {}
    if span.status_code is not None:
        said["http.response.status_code"] = str(span.status_code)
    return Span(
        trace_id=trace.id,
        span_id=span.id,
        parent_id=span.parent or "",
        service=span.service,
        instance="",
        operation=span.name,
        kind=KINDS[span.kind],
        start_ns=start_ns,
        end_ns=start_ns + int(span.duration_ms * NS_PER_MS),
        failed=span.error,
        peer=span.peer,
        attributes=said,
    )
