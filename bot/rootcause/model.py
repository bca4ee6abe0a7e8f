"""Nouns of localisation: what a window of telemetry holds, and what an analysis found in it. Pure values; times are Unix nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["network", "slow", "errors", "exception", "resource", "stalled", "traffic", "unknown"]
Source = Literal["traces", "logs", "metrics"]
Verdict = Literal["culprit", "no-culprit", "inconclusive"]
Instrument = Literal["gauge", "delta", "cumulative"]


@dataclass(frozen=True, slots=True)
class Span:
    """One span. `instance` is the pod or process ("" when the resource does not say), `kind` OTLP's number (0 unspecified)."""

    trace_id: str
    span_id: str
    parent_id: str  # "" for a root
    service: str
    instance: str
    operation: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool  # error status, or a 5xx status code
    peer: str = ""  # what the span says it calls (peer.service, server.address …), "" when it does not say
    attributes: Mapping[str, str] = field(default_factory=dict)
    exception: str = ""  # type and message of the first exception event


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record. `at_ns` is 0 when the record has no believable time."""

    at_ns: int
    service: str
    instance: str
    severity: int  # OTLP's number, 0 when unset
    body: str
    trace_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric series: `times_ns` ascending, `values` of the same length, finite."""

    service: str
    instance: str
    metric: str
    statistic: str  # "p99", "0.95", "sum" …; "" when the point does not say
    unit: str
    instrument: Instrument
    attributes: tuple[tuple[str, str], ...]  # sorted, without the statistic and without client and server
    client: str  # of an edge series: who calls, else ""
    server: str
    times_ns: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """All telemetry of a stretch of time; any part may be empty. `graph` holds (caller, callee) edges that metrics state."""

    spans: tuple[Span, ...] = ()
    logs: tuple[LogLine, ...] = ()
    series: tuple[Series, ...] = ()
    graph: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Symptom:
    """What somebody complained about; any field may be empty or 0."""

    service: str = ""
    signal: str = ""  # "latency", "availability", "errors" …
    at_ns: int = 0
    span: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is different, and whose doing it is.

    `strength` ≥ 0 is comparable within one source (1.0: as odd as the oddest healthy stretch of equal length in the baseline). `evidence`
    holds ids (trace ids, span ids, series or log template names) that a reader can look up, at most a handful.
    """

    service: str
    fault: Fault
    source: Source
    strength: float
    what: str  # one sentence with figures
    instance: str = ""
    operation: str = ""
    since_ns: int = 0
    evidence: tuple[str, ...] = ()
    symptom_of: str = ""  # the service whose finding explains this one, "" when nothing does


@dataclass(frozen=True, slots=True)
class View:
    """What one analysis says: `comparable` is False when incident and baseline have too little in common to judge; `why` says so."""

    source: Source
    findings: tuple[Finding, ...]
    comparable: bool
    why: str = ""
    features: Mapping[str, float] = field(default_factory=dict)  # named, bounded numbers for confidence (how much was compared, …)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service in the ranking, with what speaks for it, strongest first."""

    service: str
    score: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What localisation concludes. `confidence` is the calibrated chance that the verdict (and the first suspect) is right."""

    verdict: Verdict
    confidence: float
    suspects: tuple[Suspect, ...]
    views: tuple[View, ...]
    reasons: tuple[str, ...]  # sentences for people: why this verdict, why not surer
