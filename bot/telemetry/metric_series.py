"""What each metric series said last, so that running totals become rates, and running histograms what came since.

How restarts show: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#resets-and-gaps
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from bot.telemetry import limits
from bot.telemetry.buckets import Buckets
from bot.telemetry.metric_point import Histogram, MetricPoint, PointKind
from bot.telemetry.raw_point import CUMULATIVE, DELTA, Family, RawPoint, Source

# A running total that is new to us counts from its beginning when it began so short a time before; what is older tells only where it
# stands. It covers an exporter's usual interval of 60 s with room for a late one.
YOUNG_S: Final = 120.0
QUANTILE: Final = "quantile"  # the attribute under which a summary's quantile becomes a gauge

Key = tuple[int, str, str, tuple[tuple[str, str], ...]]


class _Last:
    """The latest point of one series."""

    __slots__ = ("buckets", "count", "number", "seen_s", "service", "start_ns", "sum", "time_ns")

    def __init__(self, service: str) -> None:
        self.service = service
        self.start_ns = 0
        self.time_ns = 0
        self.seen_s = 0.0
        self.number = 0.0
        self.count = 0
        self.sum = 0.0
        self.buckets: Buckets | None = None


class MetricSeries:
    """Takes raw points that `raw_point.refusal` let pass. Bounded; a series that is quiet for long gives way. Not safe for threads."""

    def __init__(self) -> None:
        self._series: OrderedDict[Key, _Last] = OrderedDict()  # least recently heard first
        self._per_service: dict[str, int] = {}
        self.restarts = 0  # counters and histograms that began anew

    def __len__(self) -> int:
        return len(self._series)

    def take(self, source: Source, family: Family, point: RawPoint, now_s: float) -> list[MetricPoint] | str:
        """What the point adds (nothing, when a running total is heard for the first time); or why it is dropped."""
        last = self._last((source.identity, family.name, family.shape, point.attributes), source.service, now_s)
        if last is None:
            return f"more than {limits.METRIC_SERIES} metric series, or {limits.METRIC_SERIES_PER_SERVICE} of one service"
        if point.time_ns <= last.time_ns:
            return "out of order: not newer than the series' last point"
        found = self._told(family, point, last)
        last.start_ns, last.time_ns, last.seen_s = point.start_ns, point.time_ns, now_s
        return [_point(source, family, point, *told) for told in found]

    def _told(self, family: Family, point: RawPoint, last: _Last) -> list[_Told]:
        if family.shape == "histogram":
            return self._histogram(family, point, last)
        if family.shape == "summary":
            return [("gauge", value, None, (QUANTILE, f"{q:g}")) for q, value in point.quantiles]
        assert point.number is not None  # or it had been refused
        if family.shape == "gauge":
            return [("gauge", point.number, None, None)]
        if not family.monotonic:
            last.number = point.number + (last.number if family.temporality == DELTA else 0.0)
            return [("gauge", last.number, None, None)]
        return self._counter(family, point, last, point.number)

    def _counter(self, family: Family, point: RawPoint, last: _Last, number: float) -> list[_Told]:
        before, last.number = last.number, number
        since_s = self._since_s(family, point, last, restarted=number < before)
        if since_s is None:
            return []
        continues = family.temporality == CUMULATIVE and last.time_ns > 0 and not _restarted(point, last) and number >= before
        increase = number - before if continues else number
        return [("counter", increase / since_s, None, None)]

    def _histogram(self, family: Family, point: RawPoint, last: _Last) -> list[_Told]:
        assert point.buckets is not None  # or it had been refused
        before, before_count, before_sum = last.buckets, last.count, last.sum
        if family.temporality == CUMULATIVE:
            last.buckets, last.count, last.sum = point.buckets, point.count, point.sum
        fresh = point.buckets.since(before) if before is not None else None
        runs_on = fresh is not None and point.count >= before_count and not _restarted(point, last)
        if self._since_s(family, point, last, restarted=not runs_on) is None:
            return []
        if family.temporality == CUMULATIVE and fresh is not None and runs_on:
            histogram = Histogram(point.count - before_count, point.sum - before_sum, fresh.cells())
        else:
            histogram = Histogram(point.count, point.sum, point.buckets.cells())
        return [("histogram", 0.0, histogram, None)] if histogram.count else []

    def _since_s(self, family: Family, point: RawPoint, last: _Last, restarted: bool) -> float | None:
        """Over how many seconds the point's new part came; None when it has none yet. Counts restarts."""
        if family.temporality == DELTA:
            began_ns = point.start_ns if 0 < point.start_ns < point.time_ns else last.time_ns
            return (point.time_ns - began_ns) / 1e9 if began_ns else 1.0
        if not last.time_ns:
            age_s = (point.time_ns - point.start_ns) / 1e9
            return age_s if point.start_ns and 0.0 < age_s <= YOUNG_S else None
        if restarted or _restarted(point, last):
            self.restarts += 1
            return (point.time_ns - max(last.time_ns, point.start_ns if point.start_ns < point.time_ns else 0)) / 1e9
        return (point.time_ns - last.time_ns) / 1e9

    def _last(self, key: Key, service: str, now_s: float) -> _Last | None:
        """The series' state, new where there is room for it."""
        found = self._series.get(key)
        if found is None:
            self._forget(now_s)
            if len(self._series) >= limits.METRIC_SERIES or self._per_service.get(service, 0) >= limits.METRIC_SERIES_PER_SERVICE:
                return None
            found = self._series[key] = _Last(service)
            self._per_service[service] = self._per_service.get(service, 0) + 1
        self._series.move_to_end(key)
        found.seen_s = now_s
        return found

    def _forget(self, now_s: float) -> None:
        while self._series:
            key, oldest = next(iter(self._series.items()))
            if oldest.seen_s >= now_s - limits.METRIC_QUIET_S:
                return
            del self._series[key]
            self._per_service[oldest.service] -= 1
            if not self._per_service[oldest.service]:
                del self._per_service[oldest.service]


_Told = tuple[PointKind, float, Histogram | None, tuple[str, str] | None]  # kind, value, histogram, one more attribute


def _restarted(point: RawPoint, last: _Last) -> bool:
    """Whether the sender says that it counts anew since the last point."""
    return point.start_ns > last.start_ns and point.start_ns >= last.time_ns > 0


def _point(
    source: Source,
    family: Family,
    point: RawPoint,
    kind: PointKind,
    value: float,
    histogram: Histogram | None,
    more: tuple[str, str] | None,
) -> MetricPoint:
    attributes = tuple(sorted((*point.attributes, more))) if more else point.attributes
    return MetricPoint(source.service, source.instance, family.name, family.unit, kind, attributes, point.time_ns / 1e9, value, histogram)
