"""Calls that never end: a client span is exported when it ends, so a peer that hangs shows first as silence among calls that go on.

Early in a hang nothing slow has ended yet. What can be seen is that a caller goes on calling its other peers at their usual rate, while
the calls that usually go with them to one peer stopped ending.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.diagnosis.candidate import clip
from bot.diagnosis.case import Case
from bot.evidence import EdgeStat, SpanView, TraceView
from bot.model import SignalKind

SEEN_CALLS = 3  # of a sibling, and expected of the silent one; fewer prove nothing
CLEARLY_SILENT = 0.5  # share of the expected calls that is missing; less is traffic's own variation


def silence(edge: EdgeStat, case: Case) -> float:
    """Share of an edge's expected calls that did not end, 0..1; 0 unless its siblings show that the caller went on calling."""
    missing = _missing(edge, case)
    if not missing or _goes_on(edge, case):
        return 0.0
    for other in siblings(edge, case):
        if _missing(other, case) and _follows(edge, other, case):
            return 0.0  # never called, because an earlier call never ended
    return missing


def begun(case: Case) -> frozenset[tuple[str, str]]:
    """(caller, peer) whose calls have begun and not ended: in good exemplars they begin before a sibling's call ends, and those go on."""
    return frozenset(
        (edge.caller, edge.peer)
        for edge in case.evidence.edges
        if silence(edge, case) and any(_before_the_end(edge, sibling, case) for sibling in lively(edge, case))
    )


def siblings(edge: EdgeStat, case: Case) -> tuple[EdgeStat, ...]:
    """The other calls of the same operation of the same caller."""
    return tuple(e for e in case.evidence.edges if (e.caller, e.operation) == (edge.caller, edge.operation) and e.peer != edge.peer)


def lively(edge: EdgeStat, case: Case) -> tuple[EdgeStat, ...]:
    """The siblings whose calls go on ending, the liveliest first."""
    found = [s for s in siblings(edge, case) if s.before_requests and s.now_requests >= SEEN_CALLS]
    return tuple(sorted(found, key=lambda s: (-s.now_requests / s.before_requests, s.id)))


def lacks_call(edge: EdgeStat, trace: TraceView) -> bool:
    """Whether in this trace the caller's other calls ended and the one of this edge did not."""
    peers = {s.peer for s in trace.spans if s.kind == "client" and s.service == edge.caller and s.finished}
    return bool(peers) and edge.peer not in peers


def _goes_on(edge: EdgeStat, case: Case) -> bool:
    """Whether most bad exemplars show that the call ended: it is the siblings that are called more often."""
    bad = [trace for trace in case.evidence.traces if trace.bad]
    ended = [trace for trace in bad if any(_is_call(s, edge) and s.finished for s in trace.spans)]
    return len(ended) * 2 > len(bad)


def _is_call(span: SpanView, edge: EdgeStat) -> bool:
    return span.kind == "client" and (span.service, span.peer) == (edge.caller, edge.peer)


def _missing(edge: EdgeStat, case: Case) -> float:
    others = lively(edge, case)
    if case.incident.signal.kind not in (SignalKind.LATENCY, SignalKind.THROUGHPUT) or not others:
        return 0.0
    expected = edge.before_requests * others[0].now_requests / others[0].before_requests
    if expected < SEEN_CALLS:
        return 0.0
    share = clip(1.0 - edge.now_requests / expected)
    return share if share >= CLEARLY_SILENT else 0.0


def _follows(edge: EdgeStat, other: EdgeStat, case: Case) -> bool:
    """Whether in the normal exemplar traces this call always begins after the other one has ended."""
    after = list(_begins_after(edge, other, case))
    return bool(after) and all(after)


def _before_the_end(edge: EdgeStat, other: EdgeStat, case: Case) -> bool:
    """Whether in the normal exemplar traces this call always begins before the other one has ended."""
    after = list(_begins_after(edge, other, case))
    return bool(after) and not any(after)


def _begins_after(edge: EdgeStat, other: EdgeStat, case: Case) -> Iterator[bool]:
    """For each normal exemplar trace with both calls, whether this one begins when the other one has ended."""
    for trace in case.evidence.traces:
        calls = {s.peer: s for s in trace.spans if s.kind == "client" and s.service == edge.caller}
        if not trace.bad and edge.peer in calls and other.peer in calls:
            first = calls[other.peer]
            yield calls[edge.peer].offset_ms >= first.offset_ms + first.duration_ms
