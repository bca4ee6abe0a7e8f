"""The baseline as its own control: stretches of it against the rest. What is found there is what health looks like."""

from __future__ import annotations

from collections.abc import Iterator

from bot.rootcause.logs.loose_lines import slot_of
from bot.rootcause.model import Window

MAX_STRETCHES = 4  # each costs an analysis
MIN_TRACES = 8  # a stretch with fewer, or without traces, tells nothing


def stretches(baseline: Window, length_ns: int) -> Iterator[tuple[Window, Window]]:
    """(a stretch, all the rest): 2 to MAX_STRETCHES, about as long as the incident if the baseline is long enough, cut between traces
    (lines without one: between slots of time)."""
    starts = _trace_starts(baseline)
    if len(starts) < 2 * MIN_TRACES:
        return
    times = sorted(starts.values())
    whole_ns = times[-1] - times[0]
    parts = min(max(whole_ns // max(length_ns, 1), 2), MAX_STRETCHES, len(starts) // MIN_TRACES)
    order = sorted(starts, key=lambda trace: (starts[trace], trace))
    for part in range(parts):
        inside = frozenset(order[len(order) * part // parts : len(order) * (part + 1) // parts])
        yield _only(baseline, inside, True), _only(baseline, inside, False)


def length_ns(window: Window) -> int:
    """From the first to the last start of a trace, 0 for an empty window."""
    times = _trace_starts(window).values()
    return max(times) - min(times) if times else 0


def _trace_starts(window: Window) -> dict[str, int]:
    starts: dict[str, int] = {}
    for span in window.spans:
        starts[span.trace_id] = min(starts.get(span.trace_id, span.start_ns), span.start_ns)
    for line in window.logs:
        unit = line.trace_id or slot_of(line)
        if line.at_ns and unit not in starts:
            starts[unit] = line.at_ns
    return starts


def _only(window: Window, traces: frozenset[str], inside: bool) -> Window:
    return Window(
        tuple(span for span in window.spans if (span.trace_id in traces) is inside),
        tuple(line for line in window.logs if ((line.trace_id or slot_of(line)) in traces) is inside),
    )
