"""What is watched without being written down: the traffic of every operation, and what is normal for those without an objective."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection

from bot.detection.idle import IDLE_S, IDLE_YOUNG_S, Idle
from bot.detection.traffic import Loss, Traffic
from bot.model import Health, Measurement, Objective, Signal, SignalKind
from bot.policy.schema import Detection
from bot.telemetry import limits
from bot.telemetry.baseline import BLOCK_S, Baseline, Finding
from bot.telemetry.keys import SeriesKey
from bot.telemetry.learnt import Counted, LearntWatch
from bot.telemetry.series import SeriesTable
from bot.telemetry.sketch import Sketch
from bot.telemetry.span import Kind

TICK_S = 1.0  # seconds are taken once they are over
MIN_REQUESTS = 15  # of an operation without an objective, to say that its traffic is back
WATCHES = 200  # operations that are or were in an episode; of those that are well again the first ones go

Operation = tuple[str, str]


class Unwritten:
    """Takes closed seconds from the table of series. `written`: operations that have an objective; only their traffic is watched here."""

    def __init__(
        self,
        detection: Detection,
        written: Collection[Operation],
        series: SeriesTable,
        closed: Callable[[SeriesKey, Sketch, int], None],
        with_deploy: Callable[[Signal], Signal],
    ) -> None:
        """`closed` is told the durations of every series in each second, too: seconds are handed out once. `with_deploy` adds to a new
        signal what was deployed before it."""
        self._closed = closed
        self._with_deploy = with_deploy
        self._detection = detection
        self._written = frozenset(written)
        self._series = series
        self._traffic = Traffic(detection.traffic, detection.false_alarms_per_year, detection.learn.operations)
        self._kinds: OrderedDict[Operation, Kind] = OrderedDict()  # the longest silent first
        self._baselines: Idle[Baseline] = Idle(detection.learn.operations, _forgettable)
        self._found: dict[Operation, Finding] = {}
        self._losses: dict[Operation, Loss] = {}
        self._watches: dict[Operation, LearntWatch[Counted]] = {}  # in the order of their first episodes
        self._ticked_s: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether telemetry as a whole has stopped: nobody can be told from anybody."""
        return self._traffic.stopped

    def tick(self, now_s: float) -> None:
        """Takes what has ended; once in TICK_S, however often it is called."""
        if self._ticked_s is not None and now_s - self._ticked_s < TICK_S:
            return
        self._ticked_s = now_s
        fresh = self._take(now_s)
        if self._detection.traffic.enabled:
            self._traffic.tick(now_s)
            self._losses = {(loss.service, loss.operation): loss for loss in self._traffic.losses()}
        for operation in fresh:
            finding = self._baselines[operation].look(now_s)
            if finding is None:
                self._found.pop(operation, None)
            else:
                self._found[operation] = finding
        self._follow(now_s)

    def _take(self, now_s: float) -> set[Operation]:
        """The operations that are learnt and have new requests."""
        fresh: set[Operation] = set()
        for second, key, errors, sketch in self._series.closed(now_s):
            self._closed(key, sketch, second)
            if key.kind not in ("server", "consumer") or key.overflow:
                self._traffic.heard()
                continue
            operation = (key.service, key.operation)
            self._remember_kind(operation, key.kind)
            self._traffic.count(*operation, sketch.count, now_s)
            baseline = self._baseline(operation, now_s)
            if baseline is not None:
                baseline.take(errors, sketch, float(second))
                fresh.add(operation)
        return fresh

    def _remember_kind(self, operation: Operation, kind: Kind) -> None:
        if self._kinds.get(operation) != kind and (watch := self._watches.get(operation)) is not None:
            watch.counted.kind = kind
        self._kinds[operation] = kind
        self._kinds.move_to_end(operation)
        if len(self._kinds) > limits.SERIES_KEYS:
            self._kinds.popitem(last=False)

    def _baseline(self, operation: Operation, now_s: float) -> Baseline | None:
        learn = self._detection.learn
        if not learn.enabled or operation in self._written:
            return None
        return self._baselines.heard(operation, now_s, lambda: Baseline(*operation, learn, self._detection.false_alarms_per_year))

    @property
    def unlearnt(self) -> int:
        """Operations that found no room and are not learnt now: all places are taken by others that are heard."""
        return self._baselines.refused

    def loss(self, operation: Operation) -> Loss | None:
        return self._losses.get(operation)

    def lost(self) -> Collection[Operation]:
        """Operations, written ones too, whose traffic stays away."""
        return self._losses

    def _follow(self, now_s: float) -> None:
        for operation in {*self._found, *self._losses} - self._written:
            watch = self._watch(operation)
            if watch is not None and watch.signal_now is None:
                watch.broke(self._with_deploy(self._signal(operation, watch.counted, now_s)), now_s)

    def _watch(self, operation: Operation) -> LearntWatch[Counted] | None:
        """None when there are WATCHES and all of them are in an episode."""
        watch = self._watches.get(operation)
        if watch is not None:
            return watch
        if len(self._watches) >= WATCHES:
            well = next((name for name, one in self._watches.items() if one.signal_now is None), None)
            if well is None:
                return None
            del self._watches[well]
        counted = Counted(self._series, self._kinds.get(operation, "server"))
        watch = self._watches[operation] = LearntWatch(counted, self._detection.again_within_s)
        return watch

    def _signal(self, operation: Operation, counted: Counted, now_s: float) -> Signal:
        finding, loss = self._found.get(operation), self._losses.get(operation)
        if finding is None:
            assert loss is not None
            return loss_signal(loss, Objective(*operation, 1e9, 1.0, BLOCK_S, MIN_REQUESTS, MIN_REQUESTS, learnt=True), counted, now_s)
        objective = finding.objective
        now = counted.measure(objective, now_s - objective.window_s, now_s)
        first_bad_s = finding.since_s
        before = counted.measure(objective, now_s - 10 * objective.window_s, first_bad_s)
        return Signal(finding.kind, objective, before, now, first_bad_s, now_s)

    def operations(self) -> Collection[Operation]:
        """Those that are or were in an episode."""
        return self._watches

    def health(self, operation: Operation, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        """`incident`: the recorded signal of its open incident. What is like that is not learnt as normal, whoever noticed it."""
        watch = self._watches.get(operation) if incident is None else self._watch(operation)
        if watch is None:
            return Health.UNKNOWN, None
        if incident is not None:
            watch.resume(incident, now_s)
        health, now = watch.look(now_s, bad=operation in self._found or operation in self._losses, incident=incident)
        baseline = self._baselines.get(operation)
        if baseline is not None:
            baseline.unwell = watch.signal_now is not None
        return health, now

    def measure(self, operation: Operation, start_s: float, end_s: float, incident: Signal | None = None) -> Measurement | None:
        """By the end of requests; None when the operation was never in an episode and has no `incident`."""
        watch = self._watches.get(operation)
        objective = watch.objective if watch is not None and watch.objective is not None else incident.objective if incident else None
        if objective is None:
            return None
        counted = watch.counted if watch is not None else Counted(self._series, self._kinds.get(operation, "server"))
        return counted.measure(objective, start_s, end_s)

    def durations(self, operation: Operation, before_s: float, first_bad_s: float, now_s: float) -> tuple[Sketch, Sketch] | None:
        """Before and since the first bad request, of all of them; None when the operation was never in an episode."""
        watch = self._watches.get(operation)
        if watch is None:
            return None
        kind = watch.counted.kind
        before = self._series.window(*operation, kind, before_s, first_bad_s)
        return before.sketch, self._series.window(*operation, kind, first_bad_s, now_s).sketch

    def open_signal(self, operation: Operation) -> Signal | None:
        """The signal of its episode, however long ago it was last seen to be bad."""
        watch = self._watches.get(operation)
        return watch.signal_now if watch is not None else None

    def signal(self, operation: Operation, now_s: float) -> Signal | None:
        """The signal of its episode; ask `health` before."""
        watch = self._watches.get(operation)
        return watch.signal(now_s) if watch is not None else None


def _forgettable(baseline: Baseline, idle_s: float) -> bool:
    return not baseline.unwell and idle_s >= (IDLE_S if baseline.ready else IDLE_YOUNG_S)


def loss_signal(loss: Loss, objective: Objective, counted: Counted, now_s: float) -> Signal:
    """Of traffic that stays away: `before` tells the usual rate, `now` what came since."""
    since_s = loss.shortfall.since_s
    hour_s = 3_600.0
    before = Measurement(since_s - hour_s, since_s, round(loss.shortfall.usual_per_s * hour_s), 0, 0, None, None)
    return Signal(SignalKind.THROUGHPUT, objective, before, counted.measure(objective, since_s, now_s), since_s, now_s)
