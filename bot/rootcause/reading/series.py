"""Metric points of decoded requests as series, and the edges of the service graph that they state."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

from bot.recorded.histograms import Histograms
from bot.recorded.messages import Gauge, Histogram, HistogramPoint, KeyValue, Metric, NumberPoint, ResourceMetrics, Sum, SummaryPoint
from bot.rootcause.model import Instrument, Series
from bot.rootcause.reading.spans import INSTANCE_KEYS, SERVICE_KEYS, first, short, texts, who

STATISTIC_KEYS = ("statistic", "stat", "quantile", "percentile", "aggregation")
CLIENT, SERVER = "client", "server"  # an edge's ends, as the Collector's servicegraph connector names them
CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
FAILED_SHARE = "failed_share"  # of a histogram's requests

Key = tuple[str, str, str, str, str, Instrument, tuple[tuple[str, str], ...], str, str]  # the fields of a Series before its points
Points = dict[int, float]  # by time
Labels = tuple[str, str, str, tuple[tuple[str, str], ...], str, str]  # service, instance, statistic, attributes, client, server


class SeriesReader:
    """Collects points by series, at most `max_series` and `max_points`; later ones are left out and counted."""

    def __init__(self, max_series: int, max_points: int) -> None:
        self.points = 0
        self.edges: set[tuple[str, str]] = set()
        self._max_series, self._max_points, self._left_out = max_series, max_points, 0
        self._series: dict[Key, Points] = {}
        self._known: dict[tuple[object, ...], Points] = {}  # by what a point says, undigested: it is looked up for each point
        self._histograms = Histograms()

    def read(self, resources: Iterable[ResourceMetrics]) -> None:
        """Values that are no finite numbers are left out."""
        for resource in resources:
            owner = who(resource.resource)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._metric(owner, metric)

    def series(self) -> tuple[Series, ...]:
        """Sorted by their keys; of two points of one moment the later one in the files counts."""
        found = []
        for key in sorted(key for key, points in self._series.items() if points):
            times = sorted(self._series[key])
            found.append(Series(*key, tuple(times), tuple(self._series[key][at] for at in times)))
        return tuple(found)

    def notes(self) -> list[str]:
        ignored = self._left_out + self._histograms.ignored_streams
        return [f"{ignored} metric points were left out: more series or points than are looked at"] if ignored else []

    def _metric(self, owner: tuple[str, str], metric: Metric) -> None:
        for holder in (metric.gauge, metric.sum):
            for number in holder.data_points if holder is not None else ():
                raw = (owner, metric.name, metric.unit, tuple([(one.key, one.text) for one in number.attributes]))
                points = self._known.get(raw)
                if points is None:
                    points = self._points(metric, _labels(owner, number.attributes), _instrument(holder))
                    if points is not None and len(self._known) < 2 * self._max_series:
                        self._known[raw] = points
                self._add(points, number.time_unix_nano, _number(number))
        for summary in metric.summary.data_points if metric.summary is not None else ():
            for statistic, value in _statistics(summary):
                points = self._points(metric, _labels(owner, summary.attributes, statistic), "gauge")
                self._add(points, summary.time_unix_nano, value)
        if metric.histogram is not None:
            self._histogram(owner, metric, metric.histogram)

    def _histogram(self, owner: tuple[str, str], metric: Metric, histogram: Histogram) -> None:
        """All streams of one owner, or of one edge, are taken together: alone, each is too rare to judge."""
        groups: dict[tuple[str, str, str, str], list[HistogramPoint]] = defaultdict(list)
        for point in histogram.data_points:
            service, instance, _, _, client, server = _labels(owner, point.attributes)
            groups[service, instance, client, server].append(point)
        for (service, instance, client, server), points in groups.items():
            whose = "\0".join((service, instance, client, server))
            cumulative = histogram.aggregation_temporality in CUMULATIVE
            for at_ns, interval in self._histograms.intervals(whose, metric.name, points, cumulative).items():
                shown = [*interval.statistics(), ("count", float(interval.count))]
                if interval.count:
                    shown.append((FAILED_SHARE, interval.failed / interval.count))
                for statistic, value in shown:
                    self._add(self._points(metric, (service, instance, statistic, (), client, server), "gauge"), at_ns, value)

    def _points(self, metric: Metric, labels: Labels, instrument: Instrument) -> Points | None:
        """The points of a series, by time; None when there are too many series."""
        service, instance, statistic, attributes, client, server = labels
        if client and server:
            self.edges.add((client, server))
        key: Key = (service, instance, short(metric.name), statistic, short(metric.unit), instrument, attributes, client, server)
        known = self._series.get(key)
        if known is None and len(self._series) < self._max_series:
            known = self._series.setdefault(key, {})
        return known

    def _add(self, points: Points | None, at_ns: int, value: float) -> None:
        if not math.isfinite(value):
            return
        if points is None or self.points >= self._max_points:
            self._left_out += 1
            return
        self.points += at_ns not in points
        points[at_ns] = value


def _labels(owner: tuple[str, str], attributes: list[KeyValue], statistic: str = "") -> Labels:
    """A point's own attributes say whose it is when the resource does not (what a scraper of many services writes)."""
    said = dict(texts(attributes))
    service = owner[0] or first(said, SERVICE_KEYS)
    instance = owner[1] or first(said, INSTANCE_KEYS)
    client, server = (said.pop(CLIENT), said.pop(SERVER)) if CLIENT in said and SERVER in said else ("", "")
    statistic = statistic or first(said, STATISTIC_KEYS)
    whose = {*STATISTIC_KEYS, *SERVICE_KEYS, *INSTANCE_KEYS}
    return service, instance, statistic, tuple(sorted(one for one in said.items() if one[0] not in whose)), client, server


def _instrument(holder: Gauge | Sum | None) -> Instrument:
    if isinstance(holder, Sum) and holder.is_monotonic:
        return "cumulative" if holder.aggregation_temporality in CUMULATIVE else "delta"
    return "gauge"


def _number(point: NumberPoint) -> float:
    try:
        return point.value
    except ValueError:
        return math.nan


def _statistics(point: SummaryPoint) -> Iterator[tuple[str, float]]:
    for quantile in point.quantile_values:
        try:
            yield str(quantile.quantile), float(quantile.value)
        except ValueError:
            continue
