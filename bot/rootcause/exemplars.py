"""Traces to look at: those that the findings of the first suspects name, each as rows of a waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.rootcause.comparing.forest import Forest
from bot.rootcause.model import Answer, Span

MAX_EXEMPLARS = 3
MAX_ROWS = 60
MAX_DEPTH = 60
SUSPECTS = 2  # whose findings name them


@dataclass(frozen=True, slots=True)
class Row:
    """A span in a waterfall; `begin` and `width` are shares of the trace's time."""

    depth: int
    service: str
    operation: str
    begin: float
    width: float
    duration_ns: int
    failed: bool
    blamed: bool
    said: str  # its exception, "" without


@dataclass(frozen=True, slots=True)
class Exemplar:
    """`left_out`: spans that there is no room for."""

    trace_id: str
    why: str
    duration_ns: int
    rows: tuple[Row, ...]
    left_out: int


def exemplars(answer: Answer, forest: Forest) -> tuple[Exemplar, ...]:
    """At most MAX_EXEMPLARS, none when no finding names a trace that is there."""
    roots: dict[str, list[Span]] = {}
    for span in forest.spans.values():
        if forest.parent(span) is None:
            roots.setdefault(span.trace_id, []).append(span)
    chosen: dict[str, Exemplar] = {}
    for suspect in answer.suspects[:SUSPECTS]:
        for finding in suspect.findings:
            trace_id = next((one for one in finding.evidence if one in roots and one not in chosen), None)
            if trace_id is not None and len(chosen) < MAX_EXEMPLARS:
                why = f"{suspect.service}: {finding.what}"
                chosen[trace_id] = _exemplar(forest, roots[trace_id], why, suspect.service, finding.operation)
    return tuple(chosen.values())


def _exemplar(forest: Forest, roots: list[Span], why: str, service: str, operation: str) -> Exemplar:
    spans = [pair for root in sorted(roots, key=lambda one: one.start_ns) for pair in _in_order(forest, root, 0)]
    began, ended = min(span.start_ns for _, span in spans), max(span.end_ns for _, span in spans)
    length = max(ended - began, 1)
    rows = [
        Row(
            depth=depth,
            service=span.service,
            operation=span.operation,
            begin=(span.start_ns - began) / length,
            width=(span.end_ns - span.start_ns) / length,
            duration_ns=span.end_ns - span.start_ns,
            failed=span.failed,
            blamed=span.service == service and (not operation or span.operation == operation),
            said=span.exception,
        )
        for depth, span in spans
    ]
    return Exemplar(roots[0].trace_id, why, ended - began, tuple(rows[:MAX_ROWS]), max(len(rows) - MAX_ROWS, 0))


def _in_order(forest: Forest, span: Span, depth: int) -> Iterator[tuple[int, Span]]:
    yield depth, span
    if depth < MAX_DEPTH:
        for kid in forest.kids(span):
            yield from _in_order(forest, kid, depth + 1)
