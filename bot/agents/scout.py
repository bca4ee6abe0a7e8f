"""Scout watches: takes spans, says which objectives are broken and hands over the evidence. It can write nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from bot.agents.scout_notices import Notices
from bot.agents.scout_reach import Reach
from bot.agents.scout_told import Told, speak
from bot.agents.scout_words import broken_text, ended_text
from bot.evidence import Evidence, ServiceCall
from bot.model import Health, Measurement, Signal
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink
from bot.telemetry import slices
from bot.telemetry.batch import Batch, Catalogue
from bot.telemetry.calls import CallMap
from bot.telemetry.closed_seconds import ClosedSeconds
from bot.telemetry.conditions import Condition, Conditions, condition_of
from bot.telemetry.counters import Counters
from bot.telemetry.evidence import CHART_BEFORE_S, gather, past_s
from bot.telemetry.gauges import Gauges
from bot.telemetry.hanging import Hanging
from bot.telemetry.histogram import Durations, Exact
from bot.telemetry.keys import key_of
from bot.telemetry.learnt import rate_is_back
from bot.telemetry.log_line import LogLine
from bot.telemetry.logs import LogBook
from bot.telemetry.metric_point import MetricPoint
from bot.telemetry.repeats import Repeats
from bot.telemetry.series import Fold, Merge, SeriesTable
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.unwritten import Unwritten
from bot.telemetry.watch import View, Watch
from bot.telemetry.windows import measurement


class Scout:
    """The Telemetry port over the spans of the last minutes. Answers at once from memory; not safe for threads."""

    def __init__(
        self,
        policies: Policies,
        clock: Clock,
        say: EventSink,
        counters: Counters | None = None,
        *,
        fold: Fold = slices.fold,
        merge: Merge = slices.merge,
    ) -> None:
        """`fold` and `merge`: bot/telemetry/slices.py's, or faster ones with the same results."""
        self._policies = policies
        self._clock = clock
        self._say = say
        self._store = SpanStore()
        self._calls = CallMap(self._store)
        detection = policies.detection
        self._watches = {
            (o.service, o.operation): Watch(o, detection.false_alarms_per_year, detection.again_within_s) for o in policies.objectives
        }
        self._hanging = Hanging(policies.objectives, self._store)
        self.catalogue = Catalogue.of({(o.service, o.operation): o.p99_ms for o in policies.objectives})
        self.counters = counters or Counters()
        self.series = SeriesTable(self.catalogue.keys, self.counters, fold=fold, merge=merge)
        self._repeats = Repeats()
        self._unglanced = False  # a request of a written objective has arrived since the last glance
        self.gauges = Gauges(detection.saturation)
        self.logs = LogBook()
        self._conditions = Conditions(self.gauges, self.logs, detection, self._with_deploy)
        self._notices = Notices(self._conditions, say)
        self._raised = 0
        self._unwritten = Unwritten(detection, self._watches, self.series, ClosedSeconds(self.catalogue, self.logs), self._with_deploy)
        self._reach = Reach(say)
        self._told = Told(say)

    @property
    def raised(self) -> int:
        """Signals since the start."""
        return self._raised + self._told.raised

    def observe(self, spans: Iterable[Span], now_s: float | None = None) -> None:
        """Takes finished spans, in any order. `now_s`: when they arrived; the clock's time when it is not given."""
        now_s = self._clock.now() if now_s is None else now_s
        for span in spans:
            trace = self._store.add(span, now_s)
            if trace is None:
                continue
            self.series.add(key_of(span), span.end_s, span.duration_ms)
            watch = self._watches.get((span.service, span.operation))
            if watch is not None and span.kind == "server":
                self._unglanced = True
                watch.observe(span, now_s)
            self._hanging.observe(trace, span, now_s)

    def observe_batch(self, batch: Batch, now_s: float) -> None:
        """Takes what a request of an exporter held: counts of all its spans, and the objects of some. What came before is not counted."""
        records, count, detail = batch.records, self.counters.add, self.catalogue.detail
        if self._repeats.again(batch.fingerprint, len(records), now_s):
            count("spans_repeated", n=len(records))
            return
        count("spans", n=len(records))
        if batch.detail:
            count("detail", n=len(batch.detail))
        if batch.shed:
            count("detail_shed", n=batch.shed)
        self.series.extend(records.tobytes(), now_s)
        for said in batch.servings:
            self._store.commits.answered_from_to(said.service, said.commit, said.first_start_s, said.last_start_s, said.last_end_s)
        for request in batch.requests:
            self._unglanced = True
            self._watches[request.operation].observe(request, now_s)
        if detail.halvings != self._reach.halvings:
            self._notice_shedding(now_s)
        for span, whole in batch.detail:
            trace = self._store.add(span, now_s)
            if trace is not None and whole:
                self._hanging.observe(trace, span, now_s)

    def _notice_shedding(self, now_s: float) -> None:
        detail = self.catalogue.detail
        if detail.halvings > self._reach.halvings:
            self._hanging.forget(detail.whole)
        self._reach.kept(detail.halvings, now_s)

    def glance(self, now_s: float) -> bool:
        """Looks where bad requests have just arrived: whether something broke that was not broken before. Cheap when nothing is bad."""
        if not self._unglanced:
            return False
        self._unglanced = False
        wanted = [watch for watch in self._watches.values() if watch.wants_look(now_s)]
        for watch in wanted:
            self._look(watch, now_s)
        return any(watch.episode is not None for watch in wanted)

    def signals(self, now_s: float) -> Sequence[Signal]:
        """What was broken within its last window: objectives in the order of the policy, operations that have none, gauges and logs."""
        self._tick(now_s)
        for watch in self._watches.values():
            self._look(watch, now_s)
        for operation in self._unwritten.operations():
            self._look_unwritten(operation, now_s)
        for condition in self._conditions.conditions():
            self._look_condition(condition, now_s)
        written = [watch.signal(now_s) for watch in self._watches.values()]
        learnt = [self._unwritten.signal(operation, now_s) for operation in self._unwritten.operations()]
        of_services = [self._conditions.signal(condition, now_s) for condition in self._conditions.conditions()]
        return [signal for signal in (*written, *learnt, *of_services) if signal is not None]

    def _tick(self, now_s: float) -> None:
        self._conditions.tick(now_s)
        self._notices.look(now_s)
        self._hanging.tick(now_s, self._broken())
        self._unwritten.tick(now_s)
        self._reach.heard(self._unwritten.stopped, now_s)
        self._reach.learnt(self.unlearnt, self._policies.detection.learn.operations, now_s)

    @property
    def unlearnt(self) -> int:
        """Operations without an objective that were heard of late and are not watched, for want of places."""
        return self._unwritten.unlearnt

    def health(self, service: str, operation: str, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        """UNKNOWN and None without an objective for the operation: written, learnt, or recorded in its open `incident`."""
        watch = self._watches.get((service, operation))
        self._tick(now_s)
        if incident is not None and incident.kind.of_service:
            return self._look_condition(condition_of(incident), now_s, incident)
        if watch is None:
            return self._look_unwritten((service, operation), now_s, incident)
        view = self._look(watch, now_s)
        if view.health is Health.HEALTHY and incident is not None and not rate_is_back(incident, view.now):
            return Health.UNKNOWN, view.now  # of lost traffic that a restart has forgotten
        return view.health, view.now

    def measure(self, service: str, operation: str, start_s: float, end_s: float, incident: Signal | None = None) -> Measurement | None:
        """Finished requests that started in [start_s, end_s); None without an objective for the operation, as for `health`.
        With a learnt one, requests that ended in that time, as far back as seconds are kept."""
        if incident is not None and incident.kind.of_service:
            return self._conditions.measure(incident, start_s, end_s)
        watch = self._watches.get((service, operation))
        if watch is None:
            return self._unwritten.measure((service, operation), start_s, end_s, incident)
        return measurement(watch.log.started(start_s, end_s), watch.objective, start_s, end_s)

    def serving(self, service: str, now_s: float) -> tuple[str, float] | None:
        return self._store.commits.serving(service, now_s)

    def evidence(self, signal: Signal, now_s: float) -> Evidence:
        """What the spans show about the signal: bounded, redacted, the same bytes for the same spans."""
        self._hanging.tick(now_s, self._broken())
        overdue = self._hanging.overdue(signal.objective, now_s) if self._knows(signal) else ()
        # One that began before the first bad request is no part of this: left behind by a process that died, or by an earlier incident.
        hanging = [trace for _, request, trace in overdue if request.start_s >= signal.first_bad_s]
        durations = self._durations(signal, hanging, now_s)
        found = gather(self._store, signal, self._policies.services, hanging, now_s, durations=durations, logs=self.logs)
        if signal.kind.of_service:
            return replace(found, series=self._conditions.series(signal, signal.first_bad_s - CHART_BEFORE_S, now_s))
        return found

    def service_calls(self, since_s: float, now_s: float) -> Sequence[ServiceCall]:
        return self._calls.calls(since_s, now_s)

    def _durations(self, signal: Signal, hanging: Sequence[Trace], now_s: float) -> tuple[Durations, Durations] | None:
        """Of all requests, stored ones or not; one that hangs counts with the time that it has taken so far."""
        if signal.kind.of_service:
            return None
        watch = self._watches.get((signal.service, signal.operation))
        if watch is None:
            return self._unwritten.durations((signal.service, signal.operation), past_s(signal), signal.first_bad_s, now_s)
        since_s = past_s(signal)
        before = [request for request in watch.log.ended(since_s, signal.first_bad_s) if request.start_s >= since_s]
        now = [request.duration_ms for request in watch.log.started(signal.first_bad_s, now_s)]
        so_far = [(now_s - min(span.start_s for span in trace.spans.values())) * 1000.0 for trace in hanging]
        return Exact(request.duration_ms for request in before), Exact([*now, *so_far])

    def _knows(self, signal: Signal) -> bool:
        return not signal.kind.of_service and (signal.service, signal.operation) in self._watches

    def _broken(self) -> Collection[tuple[str, str]]:
        return {key for key, watch in self._watches.items() if watch.episode is not None}

    def _look(self, watch: Watch, now_s: float) -> View:
        hanging = [(overdue_s, request) for overdue_s, request, _ in self._hanging.overdue(watch.objective, now_s)]
        earlier = watch.episode
        loss = self._unwritten.loss((watch.objective.service, watch.objective.operation))
        lost_since_s = loss.shortfall.since_s if loss is not None else None
        view = watch.look(now_s, hanging, partial(self._hanging.plausible_losses, watch.objective), lost_since_s, self._reach.share)
        if earlier is None and watch.episode is not None:
            watch.episode.signal = self._with_deploy(watch.episode.signal)
            self._raised += 1
            speak(self._say, watch.episode.signal, now_s, broken_text(watch.episode.signal, view.unfinished))
        elif earlier is not None and watch.episode is None:
            speak(self._say, earlier.signal, now_s, ended_text(earlier.signal, view.health, view.now, now_s))
        return view

    def _look_unwritten(
        self, operation: tuple[str, str], now_s: float, incident: Signal | None = None
    ) -> tuple[Health, Measurement | None]:
        known = self._unwritten.open_signal(operation) is not None
        seen = self._unwritten.health(operation, now_s, incident)
        resumed = incident is not None and not known
        self._told.look((*operation, ""), self._unwritten.open_signal(operation), seen, now_s, resumed=resumed)
        return seen

    def _look_condition(self, condition: Condition, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        known = self._conditions.open_signal(condition) is not None
        seen = self._conditions.health(condition, now_s, incident)
        resumed = incident is not None and not known
        self._told.look(condition, self._conditions.open_signal(condition), seen, now_s, resumed=resumed)
        return seen

    def _with_deploy(self, signal: Signal) -> Signal:
        """With the commit that was deployed shortly before the bad time, when there is one."""
        commit = self._store.commits.deployed(signal.service, signal.first_bad_s, self._policies.detection.deploy_within_s)
        return replace(signal, deploy=commit) if commit else signal

    def deployed(self, service: str, commit: str, at_s: float) -> None:
        """The platform says so (a webhook): told with what breaks afterwards; that it serves is believed of telemetry alone."""
        self._store.commits.announce(service, commit, at_s)

    def observe_points(self, points: Iterable[MetricPoint], now_s: float) -> None:
        """Takes new points of metrics, in any order. `now_s`: when they arrived."""
        taken = list(points)
        self.gauges.observe(taken, now_s)
        for service in {point.service for point in taken}:
            self.logs.hear(service, now_s)

    def observe_logs(self, lines: Iterable[LogLine], now_s: float) -> None:
        """Takes log lines, in any order. `now_s`: when they arrived."""
        self.logs.observe(lines, now_s)
