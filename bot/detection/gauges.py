"""The engine for gauges that stand alone: the only series of their service, without statistics, requests or a graph to compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bot.detection.alarm import Alarm
from bot.detection.observation import Point, SeriesId
from bot.detection.roles import statistic_of

MAX_GAUGES = 200  # each remembers shapes: about a quarter of a MiB
MAX_SHARED = 10_000  # services known to have more than one series; beyond, new services are left alone
SIGNAL = "unusual"


class GaugeScorer(Protocol):
    """The novelty of each next value of one gauge, 0 … 1; what lasts is told once."""

    def add(self, at_s: float, value: float) -> float: ...


class GaugeEngine:
    """Feed with `observe_point`; `tick` judges what came since. A second series of a service ends its gauge's standing alone."""

    def __init__(self, scorer: Callable[[], GaugeScorer]) -> None:
        self.ignored_gauges = 0
        self._make = scorer
        self._gauges: dict[str, tuple[SeriesId, GaugeScorer]] = {}
        self._shared: set[str] = set()
        self._pending: list[Point] = []

    @property
    def services(self) -> int:
        return len(self._gauges)

    def observe_point(self, point: Point) -> None:
        service = point.series.service
        if service in self._shared:
            return
        known = self._gauges.get(service)
        if (known is not None and known[0] != point.series) or not _may_stand_alone(point.series):
            self._gauges.pop(service, None)
            self._pending = [other for other in self._pending if other.series.service != service]
            if len(self._shared) < MAX_SHARED:
                self._shared.add(service)
            return
        if known is None:
            if len(self._gauges) >= MAX_GAUGES:
                self.ignored_gauges += 1
                return
            self._gauges[service] = (point.series, self._make())
        self._pending.append(point)

    def due(self) -> bool:
        return bool(self._pending)

    def tick(self, now_s: float) -> list[Alarm]:
        """One alarm for each value that is news, at the value's own time."""
        pending, self._pending = self._pending, []
        scored = [(point, self._gauges[point.series.service][1].add(point.at_s, point.value)) for point in pending]
        return [Alarm(point.at_s, point.series.service, SIGNAL, score) for point, score in scored if score > 0.0]


def _may_stand_alone(series: SeriesId) -> bool:
    return series.instrument == "gauge" and statistic_of(series) == "none"
