"""The nouns: what flows from a span to a post-mortem. Frozen, comparable, free of I/O.

`Signal → Evidence → Diagnosis → Proposal → Verdict → Outcome → PostMortem`, and `Event`, what an agent says while it thinks. The
records that an incident leaves on GitHub stand in `bot/journal.py`. Times are Unix seconds (`*_s`), durations milliseconds
(`*_ms`) or seconds (`*_s`), ratios 0..1. Everything here can be written to JSON by `bot/codec.py` and read back equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

# --- what telemetry says ---------------------------------------------------------------------------------------------------


class Health(StrEnum):
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"  # not measured: never closes, merges or undoes anything


class SignalKind(StrEnum):
    LATENCY = "latency"
    ERRORS = "errors"
    THROUGHPUT = "throughput"  # requests that should be there are not


@dataclass(frozen=True)
class Objective:
    """One entry of policies/slo.yaml: what is promised for one operation. Or what was learnt of one that nobody promised anything for."""

    service: str
    operation: str
    p99_ms: float
    error_ratio: float
    window_s: float
    min_requests: int  # fewer in the window: unknown
    min_bad: int  # fewer bad ones: not a breach yet (the low-traffic guard)
    quantile: float = 0.99  # this share of the requests takes at most p99_ms
    availability: float | None = None  # the share that succeeds in the long run: for the burn rates; without it 1 - error_ratio
    learnt: bool = False  # not promised: what the operation's own past says

    @property
    def slow_ratio(self) -> float:
        """This share of the requests may take longer than p99_ms."""
        return round(1.0 - self.quantile, 9)

    def too_slow(self, m: Measurement) -> bool:
        return m.slow >= self.min_bad and m.slow > self.slow_ratio * m.requests

    def too_many_errors(self, m: Measurement) -> bool:
        return m.errors >= self.min_bad and m.error_ratio > self.error_ratio


@dataclass(frozen=True)
class Measurement:
    """What one operation did in one window. `p99_ms` is None when there were no requests."""

    start_s: float
    end_s: float
    requests: int
    errors: int
    slow: int  # requests above the objective's p99_ms
    p50_ms: float | None
    p99_ms: float | None
    commits: tuple[str, ...] = ()  # deployed commits that answered, in order of first appearance

    @property
    def error_ratio(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Signal:
    """An objective is broken, or its requests stay away (THROUGHPUT): the trigger of an incident."""

    kind: SignalKind
    objective: Objective
    before: Measurement  # the healthy past that we compare with
    now: Measurement
    first_bad_s: float  # start of the first bad request; of kind THROUGHPUT: of the time with too few
    detected_s: float
    deploy: str | None = None  # the commit that the service began to answer from shortly before
    flaps: int = 0  # how often it broke again soon after it had recovered

    @property
    def service(self) -> str:
        return self.objective.service

    @property
    def operation(self) -> str:
        return self.objective.operation


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

    def ids(self) -> frozenset[str]:
        """All that a claim may cite."""
        parts = (self.traces, self.edges, self.errors, self.deploys, self.differences, self.logs, self.histograms, self.changes)
        spans = {span.id for trace in self.traces for span in trace.spans}
        return frozenset(spans | {one.id for part in parts for one in part})


DeployState = Literal["waiting", "building", "live", "failed", "gone"]


@dataclass(frozen=True)
class Deploy:
    """One deploy of a service. `gone` was live once or was cancelled. Times are Unix seconds."""

    service: str
    commit: str
    state: DeployState
    created_at_s: float
    finished_at_s: float | None


# --- what the agents conclude ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """One sentence of a diagnosis, with the ids of the evidence it rests on. `holds` is set by the challenge, not by the claimant."""

    text: str
    evidence: tuple[str, ...]
    holds: bool | None = None


@dataclass(frozen=True)
class Suspect:
    """`kind` dependency: `name` is the peer and `at` the caller; change: `name` is the commit and `at` the service."""

    kind: Literal["dependency", "change"]
    name: str
    at: str
    score: float


@dataclass(frozen=True)
class Remedy:
    """A parametric fix: the content of the files follows from it and from the base commit alone."""

    kind: Literal["revert", "bound-dependency"]
    commit: str = ""  # revert: the guilty commit
    service: str = ""  # bound-dependency: whose manifest
    dependency: str = ""
    parameters: tuple[tuple[str, str], ...] = ()  # e.g. (("timeout_s","1.0"),("breaker.enabled","true"),("fallback","omit"))
    summary: str = ""  # one sentence for people


@dataclass(frozen=True)
class Feature:
    """A named piece of confidence: `value` 0..1 as observed, `weight` from policies/confidence.yaml."""

    name: str
    value: float
    weight: float
    why: str


@dataclass(frozen=True)
class Opinion:
    """What a reasoner says: a cause, suspects (best first) and claims that cite evidence ids. Nothing in it is believed unchecked."""

    cause: str
    suspects: tuple[Suspect, ...]
    claims: tuple[Claim, ...]
    reasoner: str


@dataclass(frozen=True)
class Diagnosis:
    """The answer of CAG or Brain. No remedy, or a low confidence, is an answer too."""

    verdict: Literal["culprit", "no-culprit", "inconclusive"]
    cause: str  # one plain sentence
    suspects: tuple[Suspect, ...]
    claims: tuple[Claim, ...]
    features: tuple[Feature, ...]
    confidence: float
    answered_by: Literal["cag", "brain"]
    signature: str  # bot/signature.py; "" when nothing is certain enough to be remembered
    remedy: Remedy | None = None
    recalled: tuple[int, ...] = ()  # issue numbers of similar past incidents
    reasoner: str = "evidence"  # evidence | the model's name


@dataclass(frozen=True)
class FileChange:
    path: str
    before: str | None  # None: the file is new
    after: str | None  # None: the file goes


@dataclass(frozen=True)
class Proposal:
    """What the Fixer would commit, with reversibility and blast radius computed from the change itself."""

    remedy: Remedy
    base_sha: str
    changes: tuple[FileChange, ...]
    added_lines: int
    removed_lines: int
    services: tuple[str, ...]  # blast radius: services whose paths the change touches


class Decision(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True)
class Reason:
    """A node of the verdict's tree. `decision` None: the rule did not apply (skipped)."""

    rule: str
    decision: Decision | None
    text: str
    where: str = ""  # policies/guardrail.yaml:LINE
    observed: str = ""
    limit: str = ""
    children: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Verdict:
    decision: Decision
    head_sha: str
    policy_sha: str  # of the policy text it was judged by
    reasons: tuple[Reason, ...]


class OutcomeKind(StrEnum):
    HEALED = "healed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True)
class PostMortem:
    """What an incident taught. `outcome` is of the attempt that ended it."""

    issue: int
    signature: str
    title: str
    cause: str
    remedy: Remedy | None
    outcome: OutcomeKind
    answered_by: str
    confidence: float
    opened_s: float
    healed_s: float | None
    text: str  # one paragraph: the document that recall searches


# --- what agents say --------------------------------------------------------------------------------------------------------------


class Phase(StrEnum):
    OBSERVE = "OBSERVE"
    ORIENT = "ORIENT"
    DECIDE = "DECIDE"
    ACT = "ACT"
    VERIFY = "VERIFY"
    LEARN = "LEARN"


@dataclass(frozen=True)
class Event:
    """One thought: one plain sentence. `id` is given by the feed (0 until then); `incident` is the issue's number or the fingerprint."""

    at_s: float
    agent: str  # scout cag brain guardrail fixer verifier curator jules human loop
    phase: Phase
    incident: str
    text: str
    data: tuple[tuple[str, str], ...] = field(default=())
    id: int = 0
