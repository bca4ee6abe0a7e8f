"""The engine for spans that say what they are: each service's requests, their durations and failures, interval by interval.

What was served in STEP_S seconds becomes the same series that a service's metrics would hold, and the metric engine judges them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bot.detection.alarm import Alarm
from bot.detection.metrics import MAX_SERVICES, MetricEngine
from bot.detection.observation import BareSpan, Call, Point, SeriesId

STEP_S = 15.0
MAX_DURATIONS = 2_000  # kept of one service and interval for its quantiles; mean, count and failures are of all
QUANTILES = (0.5, 0.9, 0.99)
METRIC = "requests"
FAILED = (("share", "failed"),)


@dataclass(slots=True)
class Served:
    """One service in one interval."""

    count: int = 0
    failed: int = 0
    total_s: float = 0.0
    durations_s: list[float] = field(default_factory=list)

    def add(self, duration_s: float, failed: bool) -> None:
        self.count += 1
        self.failed += failed
        self.total_s += duration_s
        if len(self.durations_s) < MAX_DURATIONS:
            self.durations_s.append(duration_s)

    def points(self, service: str, at_s: float) -> list[Point]:
        ordered = sorted(self.durations_s)
        values = {"mean": self.total_s / self.count, "count": float(self.count)}
        values |= {f"p{share * 100:g}": ordered[math.ceil(share * len(ordered)) - 1] for share in QUANTILES}
        found = [Point(at_s, SeriesId(service, METRIC, statistic, (), "", "gauge"), value) for statistic, value in values.items()]
        found.append(Point(at_s, SeriesId(service, METRIC, "", FAILED, "1", "gauge"), self.failed / self.count))
        return found


class RequestEngine:
    """Feed with `observe_span` and `observe_call`; `tick` judges the interval that ended."""

    def __init__(self) -> None:
        self.metrics = MetricEngine()
        self.ignored_services = 0
        self._served: dict[str, Served] = {}
        self._began_s = math.inf

    @property
    def services(self) -> int:
        return self.metrics.services

    def observe_call(self, call: Call) -> None:
        self.metrics.observe_call(call)

    def observe_span(self, span: BareSpan) -> None:
        if not span.serves or span.end_s < span.start_s:
            return
        served = self._served.get(span.service)
        if served is None:
            if len(self._served) >= MAX_SERVICES:
                self.ignored_services += 1
                return
            served = self._served[span.service] = Served()
        served.add(span.end_s - span.start_s, span.failed)
        self._began_s = min(self._began_s, span.end_s)

    def due(self, now_s: float) -> bool:
        return now_s - self._began_s >= STEP_S

    def tick(self, now_s: float) -> list[Alarm]:
        """Alarms for the interval that ends now; none before it is STEP_S long."""
        if not self.due(now_s):
            return []
        for service, served in self._served.items():
            for point in served.points(service, now_s):
                self.metrics.observe_point(point)
        self._served, self._began_s = {}, math.inf
        return self.metrics.tick(now_s)
