"""From a decoded OTLP request to what detection is fed, oldest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from bot.detection.observation import BareSpan, Call, Instrument, Observation, Point, SeriesId
from bot.recorded.histograms import Histograms, failed
from bot.recorded.messages import (
    Gauge,
    Histogram,
    KeyValue,
    Metric,
    NumberPoint,
    Request,
    Resource,
    ResourceMetrics,
    Span,
    Sum,
    SummaryPoint,
)

NS_PER_S = 1e9
UNKNOWN_SERVICE = "unknown_service"  # what the specification names a resource without service.name
SERVICE_GRAPH = "traces_service_graph_request_total"  # of the Collector's servicegraph connector
STATISTIC_KEYS = ("statistic", "stat", "quantile", "percentile", "aggregation")
FAILED = ("share", "failed")  # tells the share of failures from the durations of the same metric
SERVING = (2, "SPAN_KIND_SERVER", 5, "SPAN_KIND_CONSUMER")
ERROR = (2, "STATUS_CODE_ERROR")
CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


class Reader:
    """Reads requests in the order in which they come: cumulative histograms need their last point."""

    def __init__(self) -> None:
        self.histograms = Histograms()

    def observations(self, request: Request) -> list[tuple[float, Observation]]:
        """(when it was known, what was seen), by time. Values that are no finite numbers are left out."""
        found = [*self._points(request.resource_metrics or ()), *_spans(request)]
        found.sort(key=lambda seen: seen[0])
        return found

    def _points(self, resources: Iterable[ResourceMetrics]) -> Iterator[tuple[float, Observation]]:
        for resource in resources:
            service = service_name(resource.resource)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == SERVICE_GRAPH:
                        yield from _calls(metric)
                    elif metric.histogram is not None:
                        yield from self._histogram(service, metric, metric.histogram)
                    else:
                        yield from _metric_points(service, metric)

    def _histogram(self, service: str, metric: Metric, histogram: Histogram) -> Iterator[tuple[float, Observation]]:
        cumulative = histogram.aggregation_temporality in CUMULATIVE
        for time_ns, interval in self.histograms.intervals(service, metric.name, histogram.data_points, cumulative).items():
            at_s, count = time_ns / NS_PER_S, interval.count
            for statistic, value in interval.statistics():
                yield at_s, Point(at_s, SeriesId(service, metric.name, statistic, (), metric.unit, "gauge"), value)
            yield at_s, Point(at_s, SeriesId(service, metric.name, "count", (), "", "gauge"), float(count))
            if count:
                yield at_s, Point(at_s, SeriesId(service, metric.name, "", (FAILED,), "1", "gauge"), interval.failed / count)


def _metric_points(service: str, metric: Metric) -> Iterator[tuple[float, Observation]]:
    for holder in (metric.gauge, metric.sum):
        if holder is not None:
            instrument = _instrument(holder)
            for number in holder.data_points:
                if math.isfinite(value := number.value):
                    yield _point(service, metric, instrument, number, value, _statistic(number.attributes))
    if metric.summary is not None:
        for summary in metric.summary.data_points:
            for quantile in summary.quantile_values:
                if math.isfinite(value := float(quantile.value)):
                    yield _point(service, metric, "gauge", summary, value, str(quantile.quantile))


def _instrument(holder: Gauge | Sum) -> Instrument:
    if isinstance(holder, Gauge) or not holder.is_monotonic:
        return "gauge"
    return "cumulative" if holder.aggregation_temporality in CUMULATIVE else "delta"


def _point(
    service: str, metric: Metric, instrument: Instrument, holder: NumberPoint | SummaryPoint, value: float, statistic: str
) -> tuple[float, Observation]:
    at_s = holder.time_unix_nano / NS_PER_S
    attributes = tuple(sorted((a.key, a.text) for a in holder.attributes if a.key not in STATISTIC_KEYS))
    return at_s, Point(at_s, SeriesId(service, metric.name, statistic, attributes, metric.unit, instrument), value)


def _statistic(attributes: Iterable[KeyValue]) -> str:
    return next((a.text for a in attributes if a.key in STATISTIC_KEYS), "")


def _calls(metric: Metric) -> Iterator[tuple[float, Observation]]:
    for number in metric.sum.data_points if metric.sum is not None else ():
        ends = {a.key: a.text for a in number.attributes if a.key in ("client", "server")}
        if len(ends) == 2:
            yield number.time_unix_nano / NS_PER_S, Call(ends["client"], ends["server"])


def _spans(request: Request) -> Iterator[tuple[float, Observation]]:
    for resource in request.resource_spans or ():
        service = service_name(resource.resource)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield span.end_time_unix_nano / NS_PER_S, _span(service, span)


def _span(service: str, span: Span) -> BareSpan:
    start_s, end_s = span.start_time_unix_nano / NS_PER_S, span.end_time_unix_nano / NS_PER_S
    serves = span.kind in SERVING
    broken = serves and ((span.status is not None and span.status.code in ERROR) or failed(span.attributes))
    return BareSpan(span.trace_id, span.span_id, span.parent_span_id, service, span.name, start_s, end_s, serves, broken)


def service_name(resource: Resource | None) -> str:
    for attribute in resource.attributes if resource is not None else ():
        if attribute.key == "service.name":
            return attribute.text or UNKNOWN_SERVICE
    return UNKNOWN_SERVICE
