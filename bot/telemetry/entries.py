"""Learns which entry operation a span belongs to, from traces that have finished: the child of an unfinished one then names its entry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from bot.telemetry import limits
from bot.telemetry.span import Span
from bot.telemetry.store import Trace

Key = tuple[str, str]  # service, operation
MIN_SEEN = 5
MIN_SHARE = 0.95
MAX_COUNTED = 1_000  # then all counts are halved: what was true long ago fades


def key(span: Span) -> Key:
    return span.service, span.operation


def entry_of(trace: Trace) -> Span | None:
    """The server span with which the trace came in: the earliest one, when its way up to the root is there; else None."""
    servers = [span for span in trace.spans.values() if span.kind == "server"]
    if not servers:
        return None
    first = min(servers, key=lambda span: span.start_s)
    at: Span | None = first
    for _ in range(len(trace.spans)):
        if at is None:
            return None
        if not at.parent_id:
            return first
        at = trace.parent(at)
    return None


def topmost(trace: Trace) -> Span | None:
    """The server span that began before everything else in the trace, its caller unknown to us; None when there is none such."""
    first = min(trace.spans.values(), key=lambda span: span.start_s)
    return first if first.kind == "server" else None


class Entries:
    """(service, operation) of a span → how often each entry operation stood above it. Least recently seen spans are forgotten."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Key, dict[Key, int]] = OrderedDict()

    def learn(self, trace: Trace, entry: Span) -> None:
        above = key(entry)
        for child in {key(span) for span in trace.spans.values() if span.span_id != entry.span_id and span.start_s >= entry.start_s}:
            counts = self._counts.setdefault(child, {})
            self._counts.move_to_end(child)
            counts[above] = counts.get(above, 0) + 1
            if counts[above] > MAX_COUNTED or len(counts) > limits.KEYS_PER_OPEN_TRACE:
                self._counts[child] = {entry_key: count // 2 for entry_key, count in counts.items() if count > 1}
        while len(self._counts) > limits.ENTRY_KEYS:
            self._counts.popitem(last=False)

    def name(self, children: Iterable[Key]) -> Key | None:
        """The entry that (almost) always stood above these spans; None when it is not known or they disagree."""
        named: set[Key] = set()
        for child in children:
            counts = self._counts.get(child)
            if not counts:
                continue
            total = sum(counts.values())
            if total >= MIN_SEEN:
                above = max(counts, key=lambda entry_key: counts[entry_key])
                if counts[above] >= MIN_SHARE * total:
                    named.add(above)
        return named.pop() if len(named) == 1 else None
