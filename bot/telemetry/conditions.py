"""What is unwell about a service as a whole, as its gauges and its logs say it: signals beside those about requests.

A gauge is a signal when it has stayed near its limit for a while, though it was below before; a burst of error logs when it goes on.
Whether it is well again is measured from the same gauge or the same rate, as of any other signal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bot.model import Health, Measurement, Objective, Signal, SignalKind
from bot.policy.schema import Detection
from bot.telemetry.bursts import MIN_COUNT, RISE, Burst
from bot.telemetry.gauges import MIN_POINTS, GaugeKey, Gauges, Saturation
from bot.telemetry.learnt import LearntWatch, Measures
from bot.telemetry.logs import LogBook

LOGS_EVERY_S: Final = 1.0
GAUGES_EVERY_S: Final = 10.0
WATCHES: Final = 200  # conditions that are or were bad; of those that are well again the first ones go
ERROR_LOGS: Final = "error logs"  # the operation of a signal about logs
LOGS_WINDOW_S: Final = 60.0
LOGS_HEARD_S: Final = 30  # seconds of the window in which the service has to be heard before its logs say that it is well
MOST_BAD: Final = 0.5  # of a gauge's readings in a window: more above the limit, and it is not well
BEFORE_S: Final = 600.0
ANY_MS: Final = 1e9  # no request is too slow for a signal that is not about requests
CHART_POINTS: Final = 40

Condition = tuple[str, str, str]  # service, operation, aspect


@dataclass(slots=True)
class _GaugeReadings:
    gauges: Gauges

    def measure(self, objective: Objective, start_s: float, end_s: float) -> Measurement:
        assert objective.limit is not None  # of every objective about a gauge
        return self.gauges.measure(objective.service, objective.operation, objective.limit, start_s, end_s)


@dataclass(slots=True)
class _LogRate:
    logs: LogBook

    def measure(self, objective: Objective, start_s: float, end_s: float) -> Measurement:
        return self.logs.measure(objective.service, start_s, end_s)


class Conditions:
    """Call `tick` often, and before asking. Bounded by WATCHES."""

    def __init__(self, gauges: Gauges, logs: LogBook, detection: Detection, with_deploy: Callable[[Signal], Signal]) -> None:
        """`with_deploy` adds to a new signal what was deployed before it."""
        self._gauges, self._logs = gauges, logs
        self._detection = detection
        self._with_deploy = with_deploy
        self._watches: dict[Condition, LearntWatch[Measures]] = {}
        self._full: Mapping[Condition, Signal] = {}
        self._bursting: Mapping[Condition, Signal] = {}
        self._fullest: dict[Condition, GaugeKey] = {}
        self.saturated: Collection[Saturation] = ()  # as of the last look, news or not
        self.bursts: Collection[Burst] = ()
        self._gauges_s = self._logs_s = float("-inf")

    def tick(self, now_s: float) -> None:
        """Looks at logs every LOGS_EVERY_S and at gauges every GAUGES_EVERY_S."""
        if now_s - self._logs_s >= LOGS_EVERY_S:
            self._logs_s = now_s
            self.bursts = self._logs.bursts(now_s)
            self._bursting = self._found_bursts(now_s) if self._detection.logs.enabled else {}
        if now_s - self._gauges_s >= GAUGES_EVERY_S:
            self._gauges_s = now_s
            self.saturated = self._gauges.saturated(now_s)
            self._full = self._found_full(now_s) if self._detection.saturation.enabled else {}
        for condition, signal in {**self._full, **self._bursting}.items():
            watch = self._watch(condition)
            if watch is not None and watch.signal_now is None:
                watch.broke(self._with_deploy(signal), now_s)

    def _found_full(self, now_s: float) -> Mapping[Condition, Signal]:
        """One signal for each service and name of a gauge, by its fullest one."""
        found: dict[Condition, Signal] = {}
        for full in self.saturated:
            condition = (full.gauge.service, full.gauge.name, SignalKind.SATURATION.value)
            if full.news and condition not in found:
                found[condition] = self._saturation(full, now_s)
                self._fullest[condition] = full.gauge
        return found

    def _saturation(self, full: Saturation, now_s: float) -> Signal:
        window_s = max(self._detection.saturation.hold_s, (MIN_POINTS + 0.5) * full.interval_s)
        service, name = full.gauge.service, full.gauge.name
        objective = Objective(
            service, name, p99_ms=ANY_MS, error_ratio=MOST_BAD, window_s=round(window_s, 1), min_requests=MIN_POINTS, min_bad=MIN_POINTS,
            learnt=True, limit=full.limit,
        )  # fmt: skip
        before = self._gauges.measure(service, name, full.limit, full.since_s - BEFORE_S, full.since_s)
        now = self._gauges.measure(service, name, full.limit, now_s - objective.window_s, now_s)
        return Signal(SignalKind.SATURATION, objective, before, now, full.since_s, now_s)

    def _found_bursts(self, now_s: float) -> Mapping[Condition, Signal]:
        lasting = [burst for burst in self.bursts if self._logs.goes_on(burst, self._detection.logs.hold_s, now_s)]
        return {(burst.service, ERROR_LOGS, SignalKind.LOG_ERRORS.value): self._burst(burst, now_s) for burst in lasting}

    def _burst(self, burst: Burst, now_s: float) -> Signal:
        allowed = max(float(MIN_COUNT), RISE * burst.expected * LOGS_WINDOW_S / burst.window_s) / LOGS_WINDOW_S
        objective = Objective(
            burst.service, ERROR_LOGS, p99_ms=ANY_MS, error_ratio=round(allowed, 4), window_s=LOGS_WINDOW_S, min_requests=LOGS_HEARD_S,
            min_bad=MIN_COUNT, learnt=True,
        )  # fmt: skip
        began_s = self._logs.began_s(burst)
        before = self._logs.measure(burst.service, began_s - BEFORE_S, began_s)
        now = self._logs.measure(burst.service, now_s - LOGS_WINDOW_S, now_s)
        return Signal(SignalKind.LOG_ERRORS, objective, before, now, began_s, now_s)

    def _watch(self, condition: Condition) -> LearntWatch[Measures] | None:
        """None when there are WATCHES and all of them are bad."""
        watch = self._watches.get(condition)
        if watch is not None:
            return watch
        if len(self._watches) >= WATCHES:
            well = next((key for key, one in self._watches.items() if one.signal_now is None), None)
            if well is None:
                return None
            del self._watches[well]
            self._fullest.pop(well, None)
        watch = self._watches[condition] = LearntWatch(self._measures(condition[2]), self._detection.again_within_s)
        return watch

    def conditions(self) -> Collection[Condition]:
        """Those that are or were bad."""
        return tuple(self._watches)

    def health(self, condition: Condition, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        """As `Unwritten.health`: `incident` is the recorded signal of its open incident."""
        watch = self._watches.get(condition) if incident is None else self._watch(condition)
        if watch is None:
            return Health.UNKNOWN, None
        if incident is not None:
            watch.resume(incident, now_s)
        return watch.look(now_s, bad=condition in self._full or condition in self._bursting, incident=incident)

    def measure(self, incident: Signal, start_s: float, end_s: float) -> Measurement:
        """Of what the incident is about, as far back as it is kept."""
        return self._measures(incident.aspect).measure(incident.objective, start_s, end_s)

    def _measures(self, aspect: str) -> Measures:
        return _GaugeReadings(self._gauges) if aspect == SignalKind.SATURATION else _LogRate(self._logs)

    def open_signal(self, condition: Condition) -> Signal | None:
        watch = self._watches.get(condition)
        return watch.signal_now if watch is not None else None

    def signal(self, condition: Condition, now_s: float) -> Signal | None:
        """The signal of its episode, when it was seen to be bad within its last window; ask `health` before."""
        watch = self._watches.get(condition)
        return watch.signal(now_s) if watch is not None else None

    def series(self, signal: Signal, since_s: float, now_s: float) -> tuple[tuple[float, float, float], ...]:
        """(second, 0, figure) for the chart: the share in use, or error lines a second, from `since_s` on."""
        condition = condition_of(signal)
        if signal.kind is SignalKind.SATURATION:
            gauge = self._fullest.get(condition)
            return tuple((round(at_s, 3), 0.0, round(share, 4)) for at_s, share in self._gauges.shares(gauge, since_s)) if gauge else ()
        step_s = max(1.0, (now_s - since_s) // CHART_POINTS)
        points = []
        for i in range(int((now_s - since_s) / step_s)):
            start_s = since_s + i * step_s
            points.append((round(start_s, 3), 0.0, round(self._logs.errors(signal.service, start_s, start_s + step_s) / step_s, 4)))
        return tuple(points)


def condition_of(signal: Signal) -> Condition:
    return signal.service, signal.operation, signal.aspect
