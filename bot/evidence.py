"""What Scout hands over about a signal: example traces, calls, errors, log lines, deploys, settings, differences; as nouns.

Frozen, bounded, redacted before they are made. Every part has an id that a claim can cite. Times are Unix seconds (`*_s`), durations
milliseconds (`*_ms`). Everything here can be written to JSON by `bot/codec.py` and read back equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UNFINISHED = "unfinished"  # among the error types of calls: some have not ended, and count with the time they have taken so far


@dataclass(frozen=True)
class SpanView:
    """One exemplar span, trimmed and redacted. `offset_ms` counts from its trace's first span."""

    id: str  # evidence id, e.g. "s12"
    service: str
    name: str
    kind: Literal["server", "client", "internal", "producer", "consumer"]
    parent: str | None
    offset_ms: float
    duration_ms: float
    error: bool
    status_code: int | None
    error_type: str
    peer: str  # for client spans: the callee's service.name when known, else peer.service, else host:port
    commit: str
    finished: bool = True  # False: seen only through its children


@dataclass(frozen=True)
class TraceView:
    id: str  # evidence id, e.g. "t1"
    bad: bool
    start_s: float
    spans: tuple[SpanView, ...]


@dataclass(frozen=True)
class EdgeStat:
    """Calls from one service to one peer, before and during the incident (CLIENT spans at the caller)."""

    id: str  # "e3"
    caller: str
    operation: str  # the caller's server operation that makes the call
    peer: str
    before_requests: int
    before_p50_ms: float | None
    before_p99_ms: float | None
    before_errors: int
    now_requests: int
    now_p50_ms: float | None
    now_p99_ms: float | None
    now_errors: int
    self_ms: float | None = None  # median of client span minus the callee's server span now: the network's share
    error_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class ErrorGroup:
    """Exceptions of one type at one place, seen in bad requests."""

    id: str  # "x1"
    service: str
    operation: str
    type: str
    message: str  # redacted, bounded
    frames: tuple[str, ...]  # innermost last: "path/file.py:function:line", paths relative to the repository where possible
    count: int
    before_count: int
    first_seen_s: float
    commit: str


@dataclass(frozen=True)
class DeployMark:
    """A service began to answer from another commit (resource attribute), as telemetry saw it."""

    id: str  # "d1"
    service: str
    commit: str
    previous_commit: str  # "" when it is the first one seen
    first_seen_s: float


@dataclass(frozen=True)
class Difference:
    """An attribute that bad requests have more often than good ones of the same operation. It may stand in any span of a request."""

    id: str  # "a1"
    service: str  # whose spans say it
    key: str
    value: str
    bad_count: int
    bad_total: int
    good_count: int
    good_total: int
    score: float  # how many times higher the odds of being bad are with it, at least: the lower bound, above 1


@dataclass(frozen=True)
class LogGroup:
    """Log records of one template, at the incident's services."""

    id: str  # "l1"
    service: str
    severity: str  # "warning", or "error" for it and worse
    template: str  # what its lines have in common, redacted, bounded
    example: str  # one line, redacted, bounded
    count: int
    before_count: int  # the most in any earlier stretch of equal length
    first_seen_s: float
    traces: tuple[str, ...] = ()  # ids of the evidence's traces that such a line belongs to


@dataclass(frozen=True)
class Histogram:
    """How long requests of the operation took. Bucket i: those above `upper_ms[i - 1]`, at most `upper_ms[i]`; the last one: the rest."""

    id: str  # "h1"
    upper_ms: tuple[float, ...]
    before: tuple[int, ...]  # one more than `upper_ms`
    now: tuple[int, ...]


@dataclass(frozen=True)
class ConfigChange:
    """A setting that a service's telemetry carries (a resource attribute, a flag) took another value and kept it."""

    id: str  # "c1"
    service: str
    key: str
    value: str
    previous_value: str
    first_seen_s: float


@dataclass(frozen=True)
class ServiceCall:
    """That an operation of one service calls another service, as spans show it."""

    caller: str
    operation: str  # the caller's server operation
    callee: str
    callee_operation: str = ""  # "" when the callee sends no spans
    worse: bool = False  # its calls got slower, fail, or do not come back since the bad time began


@dataclass(frozen=True)
class Affected:
    """Another operation that is unwell from the same cause, as far as the calls between services tell."""

    service: str
    operation: str
    kind: str  # of its signal
    first_bad_s: float


@dataclass(frozen=True)
class Evidence:
    """What Scout hands over: bounded, redacted, stable to serialise. Every part has an id that a claim can cite."""

    taken_s: float
    traces: tuple[TraceView, ...] = ()
    edges: tuple[EdgeStat, ...] = ()
    errors: tuple[ErrorGroup, ...] = ()
    deploys: tuple[DeployMark, ...] = ()
    series: tuple[tuple[float, float, float], ...] = ()  # (second, p99_ms, error_ratio) of the operation, for the chart
    differences: tuple[Difference, ...] = ()  # strongest first
    logs: tuple[LogGroup, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    changes: tuple[ConfigChange, ...] = ()  # oldest first
    affected: tuple[Affected, ...] = ()
    upstream: tuple[str, ...] = ()  # services furthest along the calls that are still unwell: where the cause is looked for first
    bad_requests: int = 0  # of the operation since the first one, among the traces that `edges` were counted in; 0: not counted

    def ids(self) -> frozenset[str]:
        """All that a claim may cite."""
        parts = (self.traces, self.edges, self.errors, self.deploys, self.differences, self.logs, self.histograms, self.changes)
        spans = {span.id for trace in self.traces for span in trace.spans}
        return frozenset(spans | {one.id for part in parts for one in part})
