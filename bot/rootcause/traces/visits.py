"""How long visits took, without what they waited for: own time, and the time a call spent between caller and callee.

Both are exclusive: a slow callee makes neither its caller's own time nor the caller's calls to others longer. So a delay needs no
explaining away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.model import Span

NS_PER_MS = 1e6
MAX_SPANS = 2_000  # of one visit that are walked for its calls


@dataclass(frozen=True, slots=True)
class Visit:
    """`gap_ms`: the caller's side of the call less the callee's, None when no span shows the caller's side."""

    key: Key
    service: str
    instance: str
    operation: str  # of its first span
    caller: str  # the calling service, "" when there is none
    own_ms: float  # its duration without its calls
    gap_ms: float | None
    start_ns: int

    @property
    def total_ms(self) -> float:
        return self.own_ms + (self.gap_ms or 0.0)


def visits(forest: Forest) -> list[Visit]:
    """Every visit of the window."""
    return [_visit(entry, forest) for key, entry in forest.entry_of.items() if key == entry]


def _visit(entry: Key, forest: Forest) -> Visit:
    span = forest.spans[entry]
    above = forest.parent(span)
    waited_ns = _covered(_calls(span, forest), span)
    return Visit(
        key=entry,
        service=span.service,
        instance=span.instance,
        operation=span.operation,
        caller=above.service if above is not None else "",
        own_ms=(span.end_ns - span.start_ns - waited_ns) / NS_PER_MS,
        gap_ms=_gap_ms(above, span, forest),
        start_ns=span.start_ns,
    )


def _gap_ms(above: Span | None, span: Span, forest: Forest) -> float | None:
    """Differences of durations: clocks of two hosts are never compared. Not for work that is taken up after the caller went on."""
    if above is None or not forest.is_call(above) or len(forest.kids(above)) != 1 or span.start_ns >= above.end_ns:
        return None
    return ((above.end_ns - above.start_ns) - (span.end_ns - span.start_ns)) / NS_PER_MS


def _calls(entry: Span, forest: Forest) -> Iterable[tuple[int, int]]:
    """When the visit waited for others."""
    walk, seen = [entry], 0
    while walk and seen < MAX_SPANS:
        span = walk.pop()
        seen += 1
        for kid in forest.kids(span):
            if forest.entry_of[key_of(kid)] != forest.entry_of[key_of(entry)] or forest.is_call(kid):
                yield kid.start_ns, kid.end_ns
            else:
                walk.append(kid)


def _covered(spells: Iterable[tuple[int, int]], within: Span) -> int:
    covered_ns, until_ns = 0, within.start_ns
    for start_ns, end_ns in sorted(spells):
        begin_ns, stop_ns = max(start_ns, until_ns), min(end_ns, within.end_ns)
        if stop_ns > begin_ns:
            covered_ns += stop_ns - begin_ns
            until_ns = stop_ns
    return covered_ns
