"""Faults that the structure of bad exemplar traces shows by itself, whatever changed: calls one by one, retry storms, calls given up.

The analyses are those of bot/rootcause/alone/; what good exemplars show as well is part of health. A pattern names no culprit: it is
said as a claim, and, where nothing else explains the incident, in its cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.diagnosis.exemplars import forest_of
from bot.diagnosis.plain import plain
from bot.evidence import TraceView
from bot.model import Claim
from bot.rootcause.alone.repeats import loops
from bot.rootcause.alone.retries import retries
from bot.rootcause.alone.timeouts import timeouts
from bot.rootcause.model import Span

MAX_PATTERNS = 3


@dataclass(frozen=True)
class Pattern:
    """`text`: a sentence without its end; `ids`: of the traces and spans that show it."""

    text: str
    ids: tuple[str, ...]

    def claim(self) -> Claim:
        return Claim(f"{self.text}.", self.ids)


@dataclass(frozen=True)
class _Seen:
    """One structure in one trace; `kind`, `service` and `callee` say that two are the same."""

    kind: str
    service: str
    callee: str
    text: str
    count: int
    trace_id: str
    span_id: str


def patterns(traces: Sequence[TraceView]) -> tuple[Pattern, ...]:
    """At most MAX_PATTERNS, those that most bad exemplars show first."""
    usual = {_key(one) for one in _seen(trace for trace in traces if not trace.bad)}
    found: defaultdict[tuple[str, str, str], list[_Seen]] = defaultdict(list)
    for one in _seen(trace for trace in traces if trace.bad):
        if _key(one) not in usual:
            found[_key(one)].append(one)
    bad = sum(trace.bad for trace in traces)
    ranked = sorted(
        found.values(), key=lambda group: (-len({one.trace_id for one in group}), -max(one.count for one in group), _key(group[0]))
    )
    return tuple(_pattern(group, bad) for group in ranked[:MAX_PATTERNS])


def _key(one: _Seen) -> tuple[str, str, str]:
    return one.kind, one.service, one.callee


def _pattern(group: Sequence[_Seen], bad: int) -> Pattern:
    most = max(group, key=lambda one: (one.count, one.trace_id))
    shown = list(dict.fromkeys(one.trace_id for one in group))
    return Pattern(f"{most.text}, in {len(shown)} of {bad} bad exemplar traces", (*shown, most.span_id))


def _seen(traces: Iterable[TraceView]) -> Iterator[_Seen]:
    for trace in traces:
        forest = forest_of([trace])
        for root in [span for span in forest.spans.values() if forest.parent(span) is None and forest.kids(span)]:
            for parent, group in loops(forest, root):
                text = f"{plain(parent.service)} makes {{}} equal calls to {_callee(group[0])} one after the other"
                yield _one("repeats", parent, group[0], text, len(group))
            for storm in retries(forest, root):
                text = f"{plain(storm.parent.service)} tries its call to {_callee(storm.first)} {{}} times, without pauses that grow"
                yield _one("retries", storm.parent, storm.first, text, storm.total)
            for late in timeouts(forest, root):
                text = f"{plain(late.call.service)} gives up its call to {_callee(late.call)}, which takes longer than it waits"
                yield _one("given up", late.call, late.call, text, 1)


def _one(kind: str, at: Span, call: Span, text: str, count: int) -> _Seen:
    return _Seen(kind, at.service, f"{call.peer} {call.operation}", text.format(count), count, at.trace_id, at.span_id)


def _callee(call: Span) -> str:
    return plain(call.peer or call.operation).replace("{", "(").replace("}", ")")
