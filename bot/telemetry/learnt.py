"""An operation without a written objective in an episode: the same questions answered as of a watched one, from its counted seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from bot.detection.flapping import Flapping
from bot.detection.volume import PLAUSIBLE
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


def rate_is_back(signal: Signal, now: Measurement) -> bool:
    """Whether as many requests come as are plausible after the rate from before; of a signal that is not about traffic always."""
    before = signal.before
    if signal.kind is not SignalKind.THROUGHPUT or before.end_s <= before.start_s or now.end_s <= now.start_s:
        return True
    return now.requests / (now.end_s - now.start_s) >= PLAUSIBLE * before.requests / (before.end_s - before.start_s)


class Measures(Protocol):
    """Where the measurements of an objective come from."""

    def measure(self, objective: Objective, start_s: float, end_s: float) -> Measurement: ...


M = TypeVar("M", bound=Measures)


class LearntWatch(Generic[M]):
    """Whether it is still bad is said by the detector that found it (`bad`), or by the limits in its signal; that it is well again, by its
    requests."""

    def __init__(self, counted: M, flapping_s: float) -> None:
        self.counted = counted
        self.signal_now: Signal | None = None
        self.objective: Objective | None = None
        self._flapping = Flapping(flapping_s)
        self._last_bad_s = 0.0
        self._seen_bad = False  # by this process

    def broke(self, signal: Signal, now_s: float) -> Signal:
        """A new episode; what is known goes on when there is one already."""
        if self.signal_now is None:
            self.objective = signal.objective
            self.signal_now = replace(signal, flaps=self._flapping.broke(now_s))
        self._last_bad_s, self._seen_bad = now_s, True
        return self.signal_now

    def resume(self, incident: Signal, now_s: float) -> None:
        """An incident is open of which nothing is known here: it was opened before a restart.

        It counts as bad until now, so that it has to be good for as long as it always has to before it is called well.
        """
        if self.objective is None:
            self.objective, self.signal_now = incident.objective, incident
            self._last_bad_s, self._seen_bad = now_s, False

    def look(self, now_s: float, *, bad: bool, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        """`incident`: of the open incident about it, when there is one."""
        if self.objective is None:
            return Health.UNKNOWN, None
        now = self.counted.measure(self.objective, now_s - self.objective.window_s, now_s)
        if bad and self.signal_now is not None:
            self._last_bad_s, self._seen_bad = now_s, True
            self.signal_now = replace(self.signal_now, now=self._shown(self.signal_now, now, now_s))
            return Health.UNHEALTHY, now
        if self.objective.too_slow(now) or self.objective.too_many_errors(now):
            if self.signal_now is not None:
                self._last_bad_s, self._seen_bad = now_s, True
            return Health.UNHEALTHY if self.signal_now is not None or incident is not None else Health.UNKNOWN, now
        quiet_s = now_s - self._last_bad_s
        judged = self.signal_now or incident
        back = judged is None or rate_is_back(judged, now)
        if back and now.requests >= self.objective.min_requests and quiet_s >= self._flapping.patience_s(self.objective.window_s):
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
            self.signal_now, self._seen_bad = None, False
            self._flapping.recovered(now_s)

    def signal(self, now_s: float) -> Signal | None:
        """The signal of an episode that was seen to be bad within the last window."""
        if self.signal_now is None or not self._seen_bad or now_s - self._last_bad_s >= self.signal_now.objective.window_s:
            return None
        return self.signal_now
