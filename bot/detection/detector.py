"""Which engine judges what: services with several series by their health, a gauge that stands alone by its shape, bare spans by edges."""

from __future__ import annotations

from bot.detection.alarm import Alarm
from bot.detection.budget import EFFECTS, SURPRISES, Budget
from bot.detection.metrics import MetricEngine
from bot.detection.observation import BareSpan, Call, Observation, Point
from bot.detection.spans import SpanEngine


class Detector:
    """Feed with `observe`, ask with `tick`. `per_day`: the false alarms a day to tolerate; None: every candidate is an answer.

    The budget is given to each engine in full: a stream seldom feeds two of them, and their scores cannot be compared.
    """

    def __init__(self, per_day: float | None = None) -> None:
        self.metrics = MetricEngine()
        self.spans = SpanEngine()
        self._metric_budget = None if per_day is None else Budget(per_day, SURPRISES)
        self._span_budget = None if per_day is None else Budget(per_day, EFFECTS)

    def observe(self, seen: Observation) -> None:
        match seen:
            case Point():
                self.metrics.observe_point(seen)
            case BareSpan():
                self.spans.observe_span(seen)
            case Call():
                self.metrics.observe_call(seen)

    def tick(self, now_s: float) -> list[Alarm]:
        """What is wrong at `now_s`, from everything observed so far."""
        found: list[Alarm] = []
        if self.metrics.due():
            alarms = self.metrics.tick(now_s)
            found += alarms if self._metric_budget is None else self._metric_budget.admit(alarms, now_s, self.metrics.services)
        if self.spans.due(now_s):
            alarms = self.spans.tick(now_s)
            found += alarms if self._span_budget is None else self._span_budget.admit(alarms, now_s, self.spans.services)
        return found
