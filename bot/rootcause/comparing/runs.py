"""Spans as runs of steps: the lines that each wrote, and the calls that each made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bot.rootcause.comparing.forest import CONSUMER, Forest, Key
from bot.rootcause.comparing.grammar import Run
from bot.rootcause.comparing.log_texts import Texts
from bot.rootcause.model import LogLine, Span


def visit_of(line: LogLine, forest: Forest) -> Key:
    """The visit that wrote a line; without its span the service's part of the trace stands for it."""
    return forest.entry_of.get((line.trace_id, line.span_id), (line.trace_id, line.service))


def log_runs(logs: Iterable[LogLine], forest: Forest, texts: Texts) -> list[Run]:
    """A run for every span, also for those without a line; lines of unknown spans are taken together by span id, else by trace and service.

    Lines without a trace belong to no run.
    """
    by_span: defaultdict[Key, list[LogLine]] = defaultdict(list)
    loose: defaultdict[tuple[str, ...], list[LogLine]] = defaultdict(list)
    for line in logs:
        key = (line.trace_id, line.span_id)
        if key in forest.spans and forest.spans[key].service == line.service:
            by_span[key].append(line)
        elif line.trace_id:
            loose[line.trace_id, line.span_id, line.service, line.instance].append(line)
    runs = [
        Run(
            span.service,
            span.instance,
            span.operation,
            span.trace_id,
            forest.entry_of[key],
            span.start_ns,
            _steps(by_span.get(key, ()), texts),
        )
        for key, span in forest.spans.items()
    ]
    for (trace_id, _, service, instance), lines in loose.items():
        at_ns = min(line.at_ns for line in lines)
        runs.append(Run(service, instance, "", trace_id, visit_of(lines[0], forest), at_ns, _steps(lines, texts)))
    return runs


def _steps(lines: Sequence[LogLine], texts: Texts) -> tuple[str, ...]:
    """In order of time. A line that says the very same as the one before it was collected twice."""
    if not lines:
        return ()
    ordered = sorted(lines, key=lambda line: line.at_ns)
    return tuple(texts.step(line) for i, line in enumerate(ordered) if not i or line.body != ordered[i - 1].body)


def call_runs(forest: Forest) -> list[Run]:
    """For every span that is not itself a call: what it started, in order; what ran at the same time is sorted by name."""
    return [
        Run(span.service, span.instance, span.operation, span.trace_id, forest.entry_of[key], span.start_ns, _calls(span, forest))
        for key, span in forest.spans.items()
        if not forest.is_call(span)
    ]


def _calls(span: Span, forest: Forest) -> tuple[str, ...]:
    steps: list[str] = []
    together: list[str] = []
    until_ns = 0
    for kid in forest.kids(span):
        if kid.kind == CONSUMER:
            continue  # messages are taken up whenever somebody is free
        if together and kid.start_ns >= until_ns:
            steps += sorted(together)
            together = []
        together.append(_call_name(kid, forest))
        until_ns = max(until_ns, kid.end_ns)
    return tuple(steps + sorted(together))


def _call_name(kid: Span, forest: Forest) -> str:
    remote = forest.remote(kid) if forest.is_call(kid) else ()
    answered = remote[0] if remote else None
    if answered is not None:
        return f"{answered.service} {answered.operation}"
    return f"{kid.peer} {kid.operation}".strip() if forest.is_call(kid) else f"{kid.service} {kid.operation}"
