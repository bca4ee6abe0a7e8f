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
    SATURATION = "saturation"  # a gauge says that something of the service is nearly used up
    LOG_ERRORS = "log-errors"  # the service logs unusually many errors

    @property
    def of_service(self) -> bool:
        """Whether it concerns the service as a whole: it is measured from a gauge or from logs, not from the requests of one operation."""
        return self in (SignalKind.SATURATION, SignalKind.LOG_ERRORS)


@dataclass(frozen=True)
class Objective:
    """One entry of policies/slo.yaml: what is promised for one operation. Or what was learnt of one that nobody promised anything for.

    Of a signal that concerns a whole service, `operation` names the gauge, or says that it is about error logs.
    """

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
    limit: float | None = None  # SATURATION: readings at or above this share of what there is are bad

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
    """What one operation did in one window. `p99_ms` is None when there were no requests.

    Of a SATURATION `requests` are the readings of the gauge and `errors` those at or above the limit; of LOG_ERRORS they are the
    seconds in which the service was heard and the error lines in them, so that the error ratio is lines a second.
    """

    start_s: float
    end_s: float
    requests: int
    errors: int
    slow: int  # requests above the objective's p99_ms
    p50_ms: float | None
    p99_ms: float | None
    commits: tuple[str, ...] = ()  # deployed commits that answered, in order of first appearance
    share: float | None = None  # SATURATION: the latest reading, 0..1 and beyond

    @property
    def error_ratio(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / (self.end_s - self.start_s) if self.end_s > self.start_s else 0.0


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

    @property
    def aspect(self) -> str:
        """What of the service or operation it is about, where one incident has to be told from another: latency that turns into errors is
        the same incident, a gauge of the same name is another one."""
        return self.kind.value if self.kind.of_service else ""


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
    """`kind` dependency: `name` is the peer, `at` the caller; change: the commit, at the service; setting: its key, at the service."""

    kind: Literal["dependency", "change", "setting"]
    name: str
    at: str
    score: float


RemedyKind = Literal["revert", "bound-dependency"]


@dataclass(frozen=True)
class Remedy:
    """A parametric fix: the content of the files follows from it and from the base commit alone."""

    kind: RemedyKind
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


Tool = Literal["query_spans", "compare_windows", "read_file", "blame", "list_deploys", "search_memory"]


@dataclass(frozen=True)
class Lookup:
    """What a reasoner wants to have looked up, with one of a closed set of tools. What the tool does not need is left empty."""

    tool: Tool
    service: str = ""
    operation: str = ""
    path: str = ""
    sha: str = ""
    line: int = 0
    text: str = ""


@dataclass(frozen=True)
class Finding:
    """What a lookup gave: bounded, redacted, citable like evidence."""

    id: str  # "q1"
    lookup: Lookup
    text: str
    telling: bool = False  # shows something abnormal, or whose change it was; only then may a claim rest on it


@dataclass(frozen=True)
class Opinion:
    """What a reasoner says: a cause, suspects (best first) and claims that cite evidence ids. Nothing in it is believed unchecked."""

    cause: str
    suspects: tuple[Suspect, ...]
    claims: tuple[Claim, ...]
    reasoner: str
    lookups: tuple[Lookup, ...] = ()  # what it wants to see before it stands by this


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
    findings: tuple[Finding, ...] = ()  # what was looked up for it


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
    PARTIAL = "partial"  # what the change was for is gone; something that it is not to blame for is left
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class UseResult(StrEnum):
    """What became of a remedy that was used, or offered, once."""

    HEALED = "healed"
    FAILED = "failed"
    UNKNOWN = "unknown"  # not measured, or not carried out: says nothing for or against it
    REFUSED = "refused"  # a person closed its pull request
    REVERTED = "reverted"  # a person took it back later
    CORRECTED = "corrected"  # a person named another cause


@dataclass(frozen=True)
class Use:
    """One remedy of one attempt, as CAG counts it."""

    attempt: int
    signature: str
    remedy: str  # its kind
    result: UseResult
    at_s: float
    blamed: tuple[str, ...] = ()  # the suspect's name and place
    pull: int = 0
    merge_sha: str = ""  # of its pull request, "" when it was never merged


@dataclass(frozen=True)
class Correction:
    """What a person with write permission said the cause was."""

    by: str
    culprit: str  # "" when they named none
    words: str


@dataclass(frozen=True)
class Moment:
    at_s: float
    what: str


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
    timeline: tuple[Moment, ...] = ()
    impact: str = ""  # one sentence, like the next two
    proof: str = ""
    prevention: str = ""
    uses: tuple[Use, ...] = ()  # of every attempt, oldest first
    correction: Correction | None = None


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
