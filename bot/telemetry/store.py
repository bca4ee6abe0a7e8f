"""The spans of the last minutes by trace, bounded by count and age, oldest trace first out. Not safe for threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.telemetry import limits
from bot.telemetry.commits import Commits
from bot.telemetry.extra import Extras
from bot.telemetry.peers import Peers
from bot.telemetry.pool import Pool
from bot.telemetry.span import Span, SpanException

OVERFLOW = "(other)"  # stands for any text beyond limits.POOLED_STRINGS different ones
FRAME = 'File "'


@dataclass(slots=True)
class Trace:
    """The spans of one trace that have arrived, by span id, in order of arrival."""

    id: bytes
    arrived_s: float  # when its first span arrived
    spans: dict[bytes, Span] = field(default_factory=dict)
    settled: bool = False  # nothing more is expected of it (bot/telemetry/hanging.py)

    def parent(self, span: Span) -> Span | None:
        return self.spans.get(span.parent_id) if span.parent_id else None

    def server_of(self, span: Span) -> Span | None:
        """The server span of `span`'s own service that it belongs to (itself when it is one); None when that has not arrived."""
        seen: set[bytes] = set()
        at: Span | None = span
        while at is not None and at.service == span.service and at.span_id not in seen:
            if at.kind == "server":
                return at
            seen.add(at.span_id)
            at = self.parent(at)
        return None


class SpanStore:
    """What has been heard lately. `add` refuses repeated span ids of a trace (an exporter's second try)."""

    def __init__(self, max_spans: int = limits.STORED_SPANS) -> None:
        self._max_spans = max_spans
        self.commits = Commits()
        self.peers = Peers()
        self._traces: OrderedDict[bytes, Trace] = OrderedDict()
        self._count = 0
        self.horizon_s = float("-inf")  # arrival of the youngest trace that has gone: of what began before, we may hold a rest only
        self._strings: Pool[str, str] = Pool(limits.POOLED_STRINGS, limits.STORED_S)
        self._extras = Extras()
        self._stacks: Pool[tuple[str, tuple[str, ...]], str] = Pool(limits.DISTINCT_STACKTRACES, limits.STORED_S)

    def __len__(self) -> int:
        return self._count

    @property
    def traces(self) -> Mapping[bytes, Trace]:
        """In order of arrival."""
        return self._traces

    def spans(self) -> Iterator[tuple[Trace, Span]]:
        for trace in self._traces.values():
            for span in trace.spans.values():
                yield trace, span

    def add(self, span: Span, now_s: float) -> Trace | None:
        """Keeps the span; its trace, or None when it was there already or its trace is full."""
        trace = self._traces.get(span.trace_id)
        if trace is None:
            trace = self._traces[span.trace_id] = Trace(span.trace_id, now_s)
        if span.span_id in trace.spans or len(trace.spans) >= limits.SPANS_PER_TRACE:
            return None
        span = self._compact(span, trace, now_s)
        trace.spans[span.span_id] = span
        self._count += 1
        self.commits.observe(span)
        self._learn_peer(trace, span)
        self._evict(now_s)
        return trace

    def _learn_peer(self, trace: Trace, span: Span) -> None:
        if span.kind in ("server", "consumer"):
            parent = trace.parent(span)
            if parent is not None and parent.kind in ("client", "producer"):
                self.peers.learn(parent, span)
        elif span.kind in ("client", "producer"):
            for other in trace.spans.values():
                if other.parent_id == span.span_id and other.kind in ("server", "consumer"):
                    self.peers.learn(span, other)
                    return

    def _evict(self, now_s: float) -> None:
        while self._traces:
            oldest = next(iter(self._traces.values()))
            if self._count <= self._max_spans and oldest.arrived_s >= now_s - limits.STORED_S:
                return
            self.horizon_s = oldest.arrived_s
            self._count -= len(oldest.spans)
            del self._traces[oldest.id]

    def _compact(self, span: Span, trace: Trace, now_s: float) -> Span:
        """The same span, sharing its text with others: most spans say the same few things."""
        shared = self._shared
        return Span(  # not by dataclasses.replace, which takes twice as long
            trace.id,
            span.span_id,
            span.parent_id,
            shared(span.service, now_s),
            shared(span.name, now_s),
            shared(span.operation, now_s),
            span.kind,
            span.start_s,
            span.end_s,
            span.status_code,
            span.error,
            shared(span.error_type, now_s),
            shared(span.peer_service, now_s),
            shared(span.server_address, now_s),
            span.server_port,
            self._with_shared_stack(span.exception, now_s) if span.exception else None,
            shared(span.commit, now_s),
            self._extras.share(span.service, span.extra, now_s),
        )

    def _shared(self, value: str, now_s: float) -> str:
        return value and (self._strings.share(value, value, now_s) or OVERFLOW)

    def _with_shared_stack(self, exception: SpanException, now_s: float) -> SpanException:
        """Exceptions of one type from one place share the first one's stack trace; without room for another place there is none."""
        place = (exception.type, tuple(line for line in exception.stacktrace.splitlines() if FRAME in line))
        stack = self._stacks.share(place, exception.stacktrace, now_s) or ""
        return SpanException(self._shared(exception.type, now_s), self._shared(exception.message, now_s), stack)
