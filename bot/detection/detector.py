"""Which engine judges what: services with several series by their health, a gauge that stands alone by its shape, bare spans by edges."""

from __future__ import annotations

from bot.detection.alarm import Alarm
from bot.detection.budget import Budget
from bot.detection.metrics import MetricEngine
from bot.detection.observation import Call, Observation, Point


class Detector:
    """Feed with `observe`, ask with `tick`. `per_day`: the false alarms a day to tolerate; None: every candidate is an answer."""

    def __init__(self, per_day: float | None = None) -> None:
        self._metrics = MetricEngine()
        self._metric_budget = Budget(per_day) if per_day is not None else None

    def observe(self, seen: Observation) -> None:
        if isinstance(seen, Point):
            self._metrics.observe_point(seen)
        elif isinstance(seen, Call):
            self._metrics.observe_call(seen)

    def tick(self, now_s: float) -> list[Alarm]:
        """What is wrong at `now_s`, from everything observed so far."""
        alarms = self._metrics.tick(now_s)
        if self._metric_budget is not None:
            alarms = self._metric_budget.admit(alarms, now_s, self._metrics.services)
        return alarms
