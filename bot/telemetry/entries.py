"""Learns which entry operation a span belongs to, from traces that have finished: the child of an unfinished one then names its entry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Above:
    """How often each entry operation stood above a span of one kind, and the one that (almost) always did; None when none does."""

    counts: dict[Key, int] = field(default_factory=dict)
    usual: Key | None = None

    def learn(self, entry: Key) -> None:
        self.counts[entry] = self.counts.get(entry, 0) + 1
        if self.counts[entry] > MAX_COUNTED or len(self.counts) > limits.KEYS_PER_OPEN_TRACE:
            self.counts = {entry_key: count // 2 for entry_key, count in self.counts.items() if count > 1}
        total = sum(self.counts.values())
        most = max(self.counts, key=lambda entry_key: self.counts[entry_key], default=None)
        self.usual = most if most and total >= MIN_SEEN and self.counts[most] >= MIN_SHARE * total else None


class Entries:
    """(service, operation) of a span → how often each entry operation stood above it. Least recently seen spans are forgotten."""

    def __init__(self) -> None:
        self._above: OrderedDict[Key, Above] = OrderedDict()

    def learn(self, trace: Trace, entry: Span) -> None:
        above = key(entry)
        for child in {key(span) for span in trace.spans.values() if span.span_id != entry.span_id and span.start_s >= entry.start_s}:
            self._above.setdefault(child, Above()).learn(above)
            self._above.move_to_end(child)
        while len(self._above) > limits.ENTRY_KEYS:
            self._above.popitem(last=False)

    def name(self, children: Iterable[Key]) -> Key | None:
        """The entry that (almost) always stood above these spans; None when it is not known or they disagree. Asked far more often than
        anything is learnt."""
        named: Key | None = None
        for child in children:
            above = self._above.get(child)
            if above is None or above.usual is None or above.usual == named:
                continue
            if named is not None:
                return None
            named = above.usual
        return named
