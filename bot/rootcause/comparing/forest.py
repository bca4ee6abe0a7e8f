"""Spans as call trees, cut into visits. A visit is what one instance of a service did for one request: its neighbouring spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.rootcause.model import Span

Key: TypeAlias = tuple[str, str]  # trace id and span id: span ids alone may repeat

MAX_DEPTH = 200  # of a call tree: a chain of parents that is longer is a loop or an attack


@dataclass(frozen=True, slots=True)
class Forest:
    """All traces of a window. Children are in order of their start."""

    spans: Mapping[Key, Span]
    children: Mapping[Key, tuple[Span, ...]]
    entry_of: Mapping[Key, Key]  # span → the first span of its visit
    callers_side: frozenset[tuple[str, str]]  # service and operation of spans that stand for a call, learnt from those that were answered

    def parent(self, span: Span) -> Span | None:
        return self.spans.get((span.trace_id, span.parent_id)) if span.parent_id else None

    def kids(self, span: Span) -> tuple[Span, ...]:
        return self.children.get(key_of(span), ())

    def callers(self, entry: Key) -> Iterator[Key]:
        """The visits that led to this one, nearest first."""
        for _ in range(MAX_DEPTH):
            span = self.spans.get(entry)
            above = self.parent(span) if span is not None else None
            if above is None:
                return
            entry = self.entry_of[key_of(above)]
            yield entry

    def remote(self, span: Span) -> tuple[Span, ...]:
        """Its children that belong to other visits."""
        return tuple(kid for kid in self.kids(span) if not _same_visit(span, kid))

    def is_call(self, span: Span) -> bool:
        """Whether the span is the caller's side of one call: a client by kind, or one of an operation that does nothing but call."""
        if span.kind in (CLIENT, PRODUCER):
            return True
        kids = self.kids(span)
        return (span.service, span.operation) in self.callers_side if not kids else _only_calls(span, kids)


CLIENT, PRODUCER, CONSUMER = 3, 4, 5  # OTLP's SpanKind


def key_of(span: Span) -> Key:
    return span.trace_id, span.span_id


def plant(spans: Iterable[Span]) -> Forest:
    """The call trees of these spans; of spans with the same ids the first counts, and loops of parents are cut."""
    known: dict[Key, Span] = {}
    for span in spans:
        known.setdefault(key_of(span), span)
    children: defaultdict[Key, list[Span]] = defaultdict(list)
    for span in known.values():
        above = (span.trace_id, span.parent_id)
        if span.parent_id and above in known and above != key_of(span):
            children[above].append(span)
    ordered = {key: tuple(sorted(kids, key=lambda kid: (kid.start_ns, kid.span_id))) for key, kids in children.items()}
    calls = frozenset((known[key].service, known[key].operation) for key, kids in ordered.items() if _only_calls(known[key], kids))
    return Forest(known, ordered, _entries(known), calls)


def _only_calls(span: Span, kids: tuple[Span, ...]) -> bool:
    return len(kids) == 1 and not _same_visit(span, kids[0])


def _entries(spans: Mapping[Key, Span]) -> dict[Key, Key]:
    found: dict[Key, Key] = {}
    for key, span in spans.items():
        path = [key]
        here = span
        for _ in range(MAX_DEPTH):
            above = spans.get((here.trace_id, here.parent_id)) if here.parent_id else None
            if above is None or not _same_visit(above, here) or path[-1] in found:
                break
            here = above
            path.append(key_of(above))
        entry = found.get(path[-1], path[-1])
        found.update(dict.fromkeys(path, entry))
    return found


def _same_visit(one: Span, other: Span) -> bool:
    return one.service == other.service and one.instance == other.instance
