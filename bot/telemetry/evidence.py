"""The evidence of a signal, from the stored spans: exemplars, edges, exceptions, deploys, a chart; bounded, redacted, reproducible."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.codec import to_json
from bot.evidence import DeployMark, Evidence, LogGroup, TraceView
from bot.model import Signal, SignalKind
from bot.policy.schema import ServiceSpec
from bot.redact import commit_id, redact
from bot.telemetry import limits
from bot.telemetry.attributes import clean
from bot.telemetry.changes import changes
from bot.telemetry.differences import differences
from bot.telemetry.edges import add_unfinished, edges
from bot.telemetry.exemplars import Viewer, choose
from bot.telemetry.failures import error_groups
from bot.telemetry.frames import path_prefixes
from bot.telemetry.histogram import Durations, Exact, histogram
from bot.telemetry.log_groups import Logs, log_groups
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.unfinished import MIN_REQUESTS, Habits, unfinished
from bot.telemetry.windows import quantile

BEFORE_S = 600.0  # how far back the healthy past reaches when the signal does not say
DEPLOYS_S = 1_800.0
CHART_BEFORE_S = 120.0


@dataclass(frozen=True)
class Scene:
    """The operation's traces, told apart."""

    entries: tuple[tuple[Trace, Span], ...]  # with its finished server span
    hanging: tuple[Trace, ...]
    bad: tuple[Trace, ...]  # since the first bad request, hanging ones included
    before: tuple[Trace, ...]
    service: str  # whose signal it is: it may have no trace

    @property
    def services(self) -> set[str]:
        traces = [*self.bad, *self.before]
        return {self.service, *(span.service for trace in traces for span in trace.spans.values())}


def gather(
    store: SpanStore,
    signal: Signal,
    services: Iterable[ServiceSpec],
    hanging: Sequence[Trace],
    now_s: float,
    *,
    durations: tuple[Durations, Durations] | None = None,
    logs: Logs | None = None,
) -> Evidence:
    """What the store shows about `signal`, at most limits.EVIDENCE_CHARS of JSON. `hanging`: traces whose request has not ended;
    `durations`: of all requests before and since the first bad one, when somebody counted them; without, those of the stored ones.
    """
    first_bad_s = signal.first_bad_s
    is_bad = bad_of(signal)
    scene = set_scene(store, signal, is_bad, hanging)
    before_s, bad_s = (past_s(signal), first_bad_s), (first_bad_s, now_s + 1.0)
    entry = (signal.service, signal.operation)
    habits = Habits(_usual(scene, is_bad, first_bad_s), store.peers)
    open_traces = [(trace, unfinished(trace, habits, store.peers, entry)) for trace in hanging[-limits.HANGING :]]
    found = edges(store, scene.services, before_s, bad_s)
    for _, missing in open_traces:
        add_unfinished(found, missing, now_s)
    viewer = Viewer(store.peers, entry, shown, now_s)
    exemplars = choose(scene.entries, is_bad, open_traces, first_bad_s)
    traces = tuple(viewer.view(exemplar) for exemplar in exemplars)
    names = {exemplar.trace.id: view.id for exemplar, view in zip(exemplars, traces, strict=True)}
    took = histogram(1, *(durations or _durations(scene, signal)))
    evidence = Evidence(
        taken_s=round(now_s, 3),
        traces=traces,
        edges=tuple(edge.stat(i, shown) for i, edge in enumerate(found, 1)),
        errors=error_groups(scene.bad, scene.before, path_prefixes(services), shown, shown_message),
        deploys=_deploys(store, scene.services, now_s),
        series=_series(scene, signal, now_s),
        differences=differences(scene.bad, _good(scene, is_bad, before_s[0]), shown),
        logs=log_groups(logs, scene.services, before_s, bad_s, names, shown_message) if logs else (),
        histograms=(took,) if took else (),
        changes=changes(store, scene.services, now_s - DEPLOYS_S, shown),
        bad_requests=len(scene.bad),
    )
    return bounded(evidence)


def _usual(scene: Scene, is_bad: Callable[[Span], bool], first_bad_s: float) -> Sequence[Trace]:
    """Requests that show what usually calls what. For that, unlike for figures, the time before an earlier incident counts as well."""
    if len(scene.before) >= MIN_REQUESTS:
        return scene.before
    return [trace for trace, span in scene.entries if span.end_s <= first_bad_s and not is_bad(span)]


def _good(scene: Scene, is_bad: Callable[[Span], bool], since_s: float) -> list[Trace]:
    """Requests to compare with, before and during the bad time: those that were well."""
    bad = {trace.id for trace in scene.bad}
    return [trace for trace, span in scene.entries if span.end_s > since_s and trace.id not in bad and not is_bad(span)]


def _durations(scene: Scene, signal: Signal) -> tuple[Durations, Durations]:
    """Of the stored requests, by when they ended; what hangs is not among them."""
    before_s, first_bad_s = past_s(signal), signal.first_bad_s
    return (
        Exact(span.duration_ms for _, span in scene.entries if before_s <= span.start_s and span.end_s <= first_bad_s),
        Exact(span.duration_ms for _, span in scene.entries if span.start_s >= first_bad_s),
    )


def bad_of(signal: Signal) -> Callable[[Span], bool]:
    """Whether a finished request broke what the signal is about: failed ones where a service logs errors, none where a gauge is full."""
    if signal.kind in (SignalKind.ERRORS, SignalKind.LOG_ERRORS):
        return lambda span: span.error
    return lambda span: span.duration_ms > signal.objective.p99_ms


def past_s(signal: Signal) -> float:
    """Since when it was well: an earlier incident is no past to compare with, nor is a request that began in it."""
    before = signal.before
    return before.start_s if before.requests else signal.first_bad_s - BEFORE_S


def set_scene(store: SpanStore, signal: Signal, is_bad: Callable[[Span], bool], hanging: Sequence[Trace]) -> Scene:
    entries = tuple(
        (trace, span)
        for trace, span in store.spans()
        if span.kind == "server" and span.service == signal.service and (signal.kind.of_service or span.operation == signal.operation)
    )
    bad = [trace for trace, span in entries if span.start_s >= signal.first_bad_s and is_bad(span)]
    before_s = past_s(signal)
    before = [trace for trace, span in entries if before_s <= span.start_s and span.end_s <= signal.first_bad_s]
    return Scene(entries, tuple(hanging), (*bad, *hanging), tuple(before), signal.service)


def shown(name: str) -> str:
    """A name as evidence may show it."""
    return clean(redact(name), limits.VIEW_CHARS)


def shown_message(text: str) -> str:
    return clean(redact(text), limits.VIEW_MESSAGE_CHARS)


def _deploys(store: SpanStore, services: set[str], now_s: float) -> tuple[DeployMark, ...]:
    marks = [mark for mark in store.commits.since(now_s - DEPLOYS_S) if mark[0] in services][-limits.DEPLOYS :]
    return tuple(
        DeployMark(f"d{i}", shown(service), commit_id(commit), commit_id(previous), round(first_s, 3))
        for i, (service, commit, previous, first_s) in enumerate(marks, 1)
    )


def _series(scene: Scene, signal: Signal, now_s: float) -> tuple[tuple[float, float, float], ...]:
    """(second, p99_ms, error ratio) of requests by their start, in steps of whole seconds; what hangs counts as long as it has run."""
    start_s = math.floor(signal.first_bad_s - CHART_BEFORE_S)
    step_s = max(1, math.ceil((now_s - start_s) / limits.SERIES_POINTS))
    buckets: dict[int, list[tuple[float, bool]]] = {}
    points = [(span.start_s, span.duration_ms, span.error) for _, span in scene.entries]
    for trace in scene.hanging:
        first_s = min(span.start_s for span in trace.spans.values())
        points.append((first_s, (now_s - first_s) * 1000.0, False))
    for at_s, duration_ms, error in points:
        if start_s <= at_s < now_s:
            buckets.setdefault(int((at_s - start_s) // step_s), []).append((duration_ms, error))
    series = []
    for i, found in sorted(buckets.items()):
        p99_ms = quantile(sorted(duration for duration, _ in found), 0.99)
        series.append((float(start_s + i * step_s), round(p99_ms or 0.0, 1), round(sum(error for _, error in found) / len(found), 4)))
    return tuple(series[-limits.SERIES_POINTS :])


def size(evidence: Evidence) -> int:
    """Characters of its JSON as the most generous writer would write it."""
    return len(json.dumps(to_json(evidence)))


def bounded(evidence: Evidence, limit: int = limits.EVIDENCE_CHARS) -> Evidence:
    """Cut in a fixed order, what helps least first, until it fits."""
    for cut in CUTS:
        if size(evidence) <= limit:
            return evidence
        evidence = cut(evidence)
    return evidence


def _fewer_points(evidence: Evidence) -> Evidence:
    return replace(evidence, series=evidence.series[::2] if len(evidence.series) > limits.SERIES_POINTS // 3 else evidence.series)


def _traces(bad: int, normal: int, spans: int) -> Callable[[Evidence], Evidence]:
    def cut(evidence: Evidence) -> Evidence:
        kept = [trace for trace in evidence.traces if trace.bad][:bad] + [trace for trace in evidence.traces if not trace.bad][:normal]
        return replace(evidence, traces=tuple(_fewer_spans(trace, spans) for trace in kept))

    return cut


def _fewer_spans(trace: TraceView, limit: int) -> TraceView:
    """The unfinished, the failed and the longest spans, in their order."""
    ranked = sorted(trace.spans, key=lambda span: (not span.finished, span.error, span.duration_ms), reverse=True)
    keep = {span.id for span in ranked[:limit]}
    spans = tuple(replace(span, parent=span.parent if span.parent in keep else None) for span in trace.spans if span.id in keep)
    return replace(trace, spans=spans)


def _short(group: LogGroup, limit: int) -> LogGroup:
    return replace(group, template=group.template[:limit], example=group.example[:limit])


def _lists(edge_count: int, errors: int, deploys: int, frames: int) -> Callable[[Evidence], Evidence]:
    def cut(evidence: Evidence) -> Evidence:
        ranked = sorted(
            evidence.edges, key=lambda edge: (edge.now_errors, (edge.now_p99_ms or 0.0) - (edge.before_p99_ms or 0.0)), reverse=True
        )
        keep = {edge.id for edge in ranked[:edge_count]}
        return replace(
            evidence,
            edges=tuple(edge for edge in evidence.edges if edge.id in keep),
            errors=tuple(replace(group, frames=group.frames[-frames:]) for group in evidence.errors[:errors]),
            deploys=evidence.deploys[-deploys:],
            differences=evidence.differences[:errors],
            changes=evidence.changes[-deploys:],
            logs=tuple(_short(group, 40 * frames) for group in evidence.logs[:errors]),
        )

    return cut


CUTS: tuple[Callable[[Evidence], Evidence], ...] = (
    _fewer_points,
    _traces(bad=3, normal=1, spans=20),
    _traces(bad=2, normal=1, spans=14),
    _lists(edge_count=20, errors=6, deploys=10, frames=6),
    _traces(bad=1, normal=1, spans=10),
    _lists(edge_count=12, errors=4, deploys=8, frames=4),
    _traces(bad=1, normal=0, spans=8),
    _lists(edge_count=8, errors=2, deploys=5, frames=3),
    _traces(bad=0, normal=0, spans=0),
    _lists(edge_count=4, errors=1, deploys=3, frames=2),
)
