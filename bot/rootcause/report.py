"""What a person wants to see beside an answer: what was compared, the services and their calls, when what began, and traces to look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.rootcause.comparing.forest import Forest, plant
from bot.rootcause.exemplars import Exemplar, exemplars
from bot.rootcause.model import Answer, Finding, Series, Window

MAX_NODES = 30  # services in the picture: the suspects, who is next to them, then the busiest
MAX_MOMENTS = 12
MAX_POINTS = 400  # of a curve
NAMED_SCORE = 0.25  # of the first suspect's score: from here on a service is shown as a suspect


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of one source there was."""

    source: str
    incident: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Node:
    """A service in the picture. `role`: "culprit", "suspect", "symptom" or "other"."""

    service: str
    role: str


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls from one service to another: how many were seen in incident and baseline (0 and 0 when only a metric states the edge)."""

    caller: str
    callee: str
    incident: int
    baseline: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The series that speaks most for the first suspect, before and during the incident; times in ns."""

    name: str
    service: str
    unit: str
    baseline: tuple[tuple[int, float], ...]
    incident: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`moments`: findings whose begin is known, in order. `began_ns` and `ended_ns`: of the incident's telemetry, 0 when there is none.
    `left_out`: services that the picture has no room for."""

    answer: Answer
    amounts: tuple[Amount, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int
    moments: tuple[Finding, ...]
    began_ns: int
    ended_ns: int
    curve: Curve | None
    exemplars: tuple[Exemplar, ...]
    notes: tuple[str, ...]


def report(answer: Answer, incident: Window, baseline: Window, notes: Sequence[str] = ()) -> Report:
    """`notes`: what could not be read, in sentences."""
    now, before = plant(incident.spans), plant(baseline.spans)
    edges = _edges(now, before, incident.graph | baseline.graph)
    nodes = _nodes(answer, edges, incident)
    shown = {node.service for node in nodes}
    times = _times(incident)
    every = {span.service for span in incident.spans} | {one.service for one in incident.series} | {end for edge in edges for end in edge}
    return Report(
        answer=answer,
        amounts=(
            Amount("spans", _spans(incident), _spans(baseline)),
            Amount("log lines", f"{len(incident.logs):,}", f"{len(baseline.logs):,}"),
            Amount("metric series", _points(incident.series), _points(baseline.series)),
        ),
        nodes=nodes,
        edges=tuple(Edge(*ends, *counts) for ends, counts in sorted(edges.items()) if set(ends) <= shown),
        left_out=len({one for one in every if one} - shown),
        moments=_moments(answer),
        began_ns=min(times, default=0),
        ended_ns=max(times, default=0),
        curve=_curve(answer, incident, baseline),
        exemplars=exemplars(answer, now),
        notes=tuple(notes),
    )


def _spans(window: Window) -> str:
    return f"{len(window.spans):,} in {len({span.trace_id for span in window.spans}):,} traces"


def _points(series: Iterable[Series]) -> str:
    found = list(series)
    return f"{len(found):,} with {sum(len(one.values) for one in found):,} points"


def _edges(now: Forest, before: Forest, stated: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    counts: dict[tuple[str, str], list[int]] = {ends: [0, 0] for ends in stated}
    for number, forest in enumerate((now, before)):
        for span in forest.spans.values():
            for callee in _callees(forest, span.service, span.peer, [kid.service for kid in forest.kids(span)]):
                counts.setdefault((span.service, callee), [0, 0])[number] += 1
    return {ends: (seen[0], seen[1]) for ends, seen in counts.items() if all(ends)}


def _callees(forest: Forest, service: str, peer: str, kids: Sequence[str]) -> list[str]:
    """The services of remote children; without any, whom the span says it calls."""
    return [kid for kid in kids if kid != service] or ([peer] if peer and peer != service and not kids else [])


def _nodes(answer: Answer, edges: dict[tuple[str, str], tuple[int, int]], incident: Window) -> tuple[Node, ...]:
    roles = _roles(answer)
    beside: dict[str, set[str]] = defaultdict(set)
    busy: Counter[str] = Counter(span.service for span in incident.spans if span.service)
    for caller, callee in edges:
        beside[caller].add(callee)
        beside[callee].add(caller)
        busy[caller] += 1
        busy[callee] += 1
    named = [service for service, role in roles.items() if role in ("culprit", "suspect")]
    near = [other for service in named for other in sorted(beside[service])]
    order = dict.fromkeys([*named, *near, *(service for service, _ in busy.most_common())])
    return tuple(Node(service, roles.get(service, "other")) for service in list(order)[:MAX_NODES])


def _roles(answer: Answer) -> dict[str, str]:
    roles: dict[str, str] = {}
    best = answer.suspects[0].score if answer.suspects else 0.0
    for number, suspect in enumerate(answer.suspects):
        explained = all(one.symptom_of for one in suspect.findings)
        if number == 0 and answer.verdict == "culprit":
            roles[suspect.service] = "culprit"
        elif explained and answer.verdict == "culprit":
            roles[suspect.service] = "symptom"
        elif suspect.score >= NAMED_SCORE * best > 0.0:
            roles[suspect.service] = "suspect"
    return roles


def _times(window: Window) -> list[int]:
    return [
        *(at for span in window.spans for at in (span.start_ns, span.end_ns)),
        *(line.at_ns for line in window.logs if line.at_ns),
        *(at for one in window.series for at in one.times_ns if len(one.times_ns) > 1),
    ]


def _moments(answer: Answer) -> tuple[Finding, ...]:
    known = [one for suspect in answer.suspects for one in suspect.findings if one.since_ns]
    strongest = sorted(known, key=lambda one: -one.strength)[:MAX_MOMENTS]
    return tuple(sorted(strongest, key=lambda one: one.since_ns))


def _curve(answer: Answer, incident: Window, baseline: Window) -> Curve | None:
    for finding in answer.suspects[0].findings if answer.suspects else ():
        if finding.source != "metrics":
            continue
        for one in incident.series:
            if finding.service in (one.service, one.client, one.server) and {one.metric, one.statistic} - {""} <= set(finding.evidence):
                return _drawn(one, baseline)
    return None


def _drawn(one: Series, baseline: Window) -> Curve:
    same = [
        other
        for other in baseline.series
        if (other.service, other.metric, other.statistic, other.attributes, other.client, other.server)
        == (one.service, one.metric, one.statistic, one.attributes, one.client, one.server)
    ]
    name = " ".join(part for part in (one.metric, one.statistic, f"{one.client} → {one.server}" if one.client else "") if part)
    before = [pair for other in same for pair in zip(other.times_ns, other.values, strict=True)]
    now = list(zip(one.times_ns, one.values, strict=True))
    return Curve(name, one.service, one.unit, tuple(sorted(before)[-MAX_POINTS:]), tuple(now[:MAX_POINTS]))
