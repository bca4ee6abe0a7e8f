"""Exceptions of bad requests, grouped by what was raised where; a failed request without any is grouped by its deepest failed span."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.evidence import ErrorGroup
from bot.redact import commit_id
from bot.telemetry import limits
from bot.telemetry.frames import frames
from bot.telemetry.span import Span
from bot.telemetry.store import Trace

Place = tuple[str, str, str, tuple[str, ...]]  # service, operation, type, frames


@dataclass(slots=True)
class Group:
    first: Span  # the first one of the bad time
    count: int = 0
    before: int = 0


def error_groups(
    bad: Iterable[Trace], before: Iterable[Trace], prefixes: Sequence[str], shown: Callable[[str], str], message: Callable[[str], str]
) -> tuple[ErrorGroup, ...]:
    """Most frequent first, then in order of first appearance. `before`: the traces to compare with, bad or not."""
    known: dict[tuple[str, str], tuple[str, ...]] = {}
    groups: dict[Place, Group] = {}
    for place, span in _places(bad, prefixes, known):
        group = groups.setdefault(place, Group(span))
        group.count += 1
        if span.start_s < group.first.start_s:
            group.first = span
    for place, _ in _places(before, prefixes, known):
        if place in groups:
            groups[place].before += 1
    ranked = sorted(groups.items(), key=lambda item: (-item[1].count, item[1].first.start_s))[: limits.ERROR_GROUPS]
    return tuple(_group(i, place, group, shown, message) for i, (place, group) in enumerate(ranked, 1))


def _group(i: int, place: Place, group: Group, shown: Callable[[str], str], message: Callable[[str], str]) -> ErrorGroup:
    service, operation, kind, at = place
    return ErrorGroup(
        id=f"x{i}",
        service=shown(service),
        operation=shown(operation),
        type=shown(kind),
        message=message(group.first.exception.message) if group.first.exception else "",
        frames=tuple(shown(frame) for frame in at),
        count=group.count,
        before_count=group.before,
        first_seen_s=round(group.first.end_s, 3),
        commit=commit_id(group.first.commit),
    )


def _places(
    traces: Iterable[Trace], prefixes: Sequence[str], known: dict[tuple[str, str], tuple[str, ...]]
) -> Iterator[tuple[Place, Span]]:
    """Each failure of each trace once, although spans on the way out record the same exception again."""
    for trace in traces:
        seen: set[Place] = set()
        for span in origins(trace):
            at: tuple[str, ...] = ()
            kind = span.error_type
            if span.exception is not None:
                kind = span.exception.type or kind
                text = (kind, span.exception.stacktrace)
                if text not in known:
                    known[text] = frames(span.exception.stacktrace, prefixes)
                at = known[text]
            server = trace.server_of(span)
            place = (span.service, (server or span).operation, kind, at)
            if place not in seen:
                seen.add(place)
                yield place, span


def origins(trace: Trace) -> list[Span]:
    """Spans with an exception; when there is none, the failed spans that have no failed child."""
    raised = [span for span in trace.spans.values() if span.exception is not None and (span.error or span.exception.stacktrace)]
    if raised:
        return _innermost(trace, raised)
    failed = [span for span in trace.spans.values() if span.error]
    above = {span.parent_id for span in failed}
    return [span for span in failed if span.span_id not in above]


def _innermost(trace: Trace, raised: list[Span]) -> list[Span]:
    """Of spans of one service that recorded the same type of exception one inside the other, the innermost."""
    outer: set[bytes] = set()
    for span in raised:
        at = trace.parent(span)
        for _ in range(len(trace.spans)):
            if at is None or at.service != span.service:
                break
            if at.exception is not None and span.exception is not None and at.exception.type == span.exception.type:
                outer.add(at.span_id)
            at = trace.parent(at)
    return [span for span in raised if span.span_id not in outer]
