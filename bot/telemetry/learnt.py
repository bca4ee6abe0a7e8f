"""An operation without a written objective in an episode: the same questions answered as of a watched one, from its counted seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.detection.flapping import Flapping
from bot.model import Health, Measurement, Objective, Signal, SignalKind
from bot.telemetry.series import SeriesTable
from bot.telemetry.span import Kind

FORGOTTEN_S = 600.0  # an episode that nobody could measure for this long is over, without being healed


@dataclass(slots=True)
class Counted:
    """Measurements of one operation out of the table of series, by the end of requests, as far back as the table reaches."""

    series: SeriesTable
    kind: Kind

    def measure(self, objective: Objective, start_s: float, end_s: float) -> Measurement:
        window = self.series.window(objective.service, objective.operation, self.kind, start_s, end_s)
        sketch = window.sketch
        slow = sketch.count_above(objective.p99_ms)
        return Measurement(start_s, end_s, window.requests, window.errors, slow, sketch.quantile(0.5), sketch.quantile(0.99))


class LearntWatch:
    """Whether it is still bad is said by the detector that found it (`bad`); that it is well again, by its requests."""

    def __init__(self, counted: Counted, flapping_s: float) -> None:
        self.counted = counted
        self.signal_now: Signal | None = None
        self.objective: Objective | None = None
        self._flapping = Flapping(flapping_s)
        self._last_bad_s = 0.0

    def broke(self, signal: Signal, now_s: float) -> Signal:
        """A new episode; what is known goes on when there is one already."""
        if self.signal_now is None:
            self.objective = signal.objective
            self.signal_now = replace(signal, flaps=self._flapping.broke(now_s))
        self._last_bad_s = now_s
        return self.signal_now

    def look(self, now_s: float, *, bad: bool) -> tuple[Health, Measurement | None]:
        if self.objective is None:
            return Health.UNKNOWN, None
        now = self.counted.measure(self.objective, now_s - self.objective.window_s, now_s)
        if bad and self.signal_now is not None:
            self._last_bad_s = now_s
            self.signal_now = replace(self.signal_now, now=self._shown(self.signal_now, now, now_s))
            return Health.UNHEALTHY, now
        if self.objective.too_slow(now) or self.objective.too_many_errors(now):
            return Health.UNHEALTHY if self.signal_now is not None else Health.UNKNOWN, now
        quiet_s = now_s - self._last_bad_s
        if now.requests >= self.objective.min_requests and quiet_s >= self._flapping.patience_s(self.objective.window_s):
            self._end(now_s)
            return Health.HEALTHY, now
        if quiet_s > FORGOTTEN_S:
            self._end(now_s)
        return Health.UNKNOWN, now

    def _shown(self, signal: Signal, now: Measurement, now_s: float) -> Measurement:
        if signal.kind is SignalKind.THROUGHPUT and self.objective is not None:
            return self.counted.measure(self.objective, signal.first_bad_s, now_s)
        return now

    def _end(self, now_s: float) -> None:
        if self.signal_now is not None:
            self.signal_now = None
            self._flapping.recovered(now_s)

    def signal(self, now_s: float) -> Signal | None:
        """The signal of an episode that was seen to be bad within the last window."""
        if self.signal_now is None or now_s - self._last_bad_s >= self.signal_now.objective.window_s:
            return None
        return self.signal_now
