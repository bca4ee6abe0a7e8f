"""Which engine judges what: services with several series by their health, a gauge that stands alone by its shape, spans by their edges and,
where they say that they serve requests, by those requests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from bot.detection.alarm import Alarm
from bot.detection.budget import EFFECTS, SURPRISES, Budget
from bot.detection.gauges import GaugeEngine, GaugeScorer
from bot.detection.metrics import MetricEngine
from bot.detection.observation import BareSpan, Call, Observation, Point
from bot.detection.requests import RequestEngine
from bot.detection.spans import SpanEngine


class Detector:
    """Feed with `observe`, ask with `tick`.

    `scorer` makes the judge of one lone gauge. `per_day`: the false alarms a day to tolerate; None: every candidate is an answer. Each
    engine is given the whole budget: a stream seldom feeds two of them, and their scores cannot be compared.
    """

    def __init__(self, scorer: Callable[[], GaugeScorer], per_day: float | None = None) -> None:
        self.metrics = MetricEngine()
        self.spans = SpanEngine()
        self.requests = RequestEngine()
        self.gauges = GaugeEngine(scorer)
        self._metric_budget = None if per_day is None else Budget(per_day, SURPRISES)
        self._request_budget = None if per_day is None else Budget(per_day, SURPRISES)
        self._span_budget = None if per_day is None else Budget(per_day, EFFECTS)
        self._gauge_budget = None if per_day is None else Budget(per_day, SURPRISES)

    def observe(self, seen: Observation) -> None:
        match seen:
            case Point():
                self.metrics.observe_point(seen)
                self.gauges.observe_point(seen)
            case BareSpan():
                crossing = self.spans.observe_span(seen)
                if crossing is not None:
                    self.requests.observe_call(Call(crossing.caller, crossing.callee))
                self.requests.observe_span(seen)
            case Call():
                self.metrics.observe_call(seen)
                self.requests.observe_call(seen)

    def tick(self, now_s: float) -> list[Alarm]:
        """What is wrong at `now_s`, from everything observed so far."""
        found: list[Alarm] = []
        if self.metrics.due():
            found += _admitted(self._metric_budget, self.metrics.tick(now_s), now_s, self.metrics.services)
        if self.spans.due(now_s):
            found += _admitted(self._span_budget, self.spans.tick(now_s), now_s, self.spans.services)
        if self.requests.due(now_s):
            found += _admitted(self._request_budget, self.requests.tick(now_s), now_s, self.requests.services)
        if self.gauges.due():
            alarms = self.gauges.tick(now_s)
            if self._gauge_budget is not None:
                rare = _admitted(self._gauge_budget, [_as_surprise(alarm) for alarm in alarms], now_s, self.gauges.services)
                alarms = [_as_novelty(alarm) for alarm in rare]
            found += alarms
        return found


def _admitted(budget: Budget | None, alarms: list[Alarm], now_s: float, services: int) -> list[Alarm]:
    return alarms if budget is None else budget.admit(alarms, now_s, services)


def _as_surprise(alarm: Alarm) -> Alarm:
    """A novelty of 0 … 1 as -ln of what is left to 1, so that its tail can be extrapolated."""
    return replace(alarm, score=-math.log(max(1.0 - alarm.score, 1e-12)))


def _as_novelty(alarm: Alarm) -> Alarm:
    return replace(alarm, score=-math.expm1(-alarm.score))
