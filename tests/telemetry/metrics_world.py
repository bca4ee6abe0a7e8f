"""OTLP metrics as a process sends them, in protobuf or JSON, at times that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bot.telemetry.decoded import Decoded
from bot.telemetry.metric_point import MetricPoint
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_metrics import decode_metrics

T = 1_700_000_000.0
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def ns(at_s: float) -> int:
    return round((T + at_s) * 1e9)


def pairs(**attributes: str) -> list[KeyValue]:
    return [KeyValue(key=key.replace("_", "."), value=AnyValue(string_value=value)) for key, value in attributes.items()]


def number(
    at_s: float, value: float, start_s: float | None = None, flags: int = 0, attributes: Mapping[str, str] | None = None
) -> NumberDataPoint:
    return NumberDataPoint(
        start_time_unix_nano=0 if start_s is None else ns(start_s),
        time_unix_nano=ns(at_s),
        as_double=value,
        flags=flags,
        attributes=pairs(**(attributes or {})),
    )


def gauge(name: str, *points: NumberDataPoint, unit: str = "1") -> Metric:
    return Metric(name=name, unit=unit, gauge=Gauge(data_points=points))


def counter(name: str, *points: NumberDataPoint, temporality: int = CUMULATIVE, monotonic: bool = True) -> Metric:
    data = Sum(data_points=points, aggregation_temporality=AggregationTemporality.Name(temporality), is_monotonic=monotonic)  # type: ignore[arg-type]
    return Metric(name=name, unit="{request}", sum=data)


def durations(at_s: float, counts: Sequence[int], bounds: Sequence[float], start_s: float = 0.0, **more: Any) -> HistogramDataPoint:
    return HistogramDataPoint(
        start_time_unix_nano=ns(start_s),
        time_unix_nano=ns(at_s),
        count=more.get("count", sum(counts)),
        sum=more.get("sum", 0.0),
        bucket_counts=counts,
        explicit_bounds=bounds,
    )


def exponential(
    at_s: float, counts: Sequence[int], scale: int, offset: int, zero: int = 0, start_s: float = 0.0
) -> ExponentialHistogramDataPoint:
    buckets = ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=counts)
    return ExponentialHistogramDataPoint(
        start_time_unix_nano=ns(start_s),
        time_unix_nano=ns(at_s),
        count=sum(counts) + zero,
        sum=1.0,
        scale=scale,
        zero_count=zero,
        positive=buckets,
    )


def histogram(
    name: str, *points: HistogramDataPoint | ExponentialHistogramDataPoint, unit: str = "s", temporality: int = CUMULATIVE
) -> Metric:
    if isinstance(points[0], HistogramDataPoint):
        return Metric(name=name, unit=unit, histogram=Histogram(data_points=points, aggregation_temporality=temporality))  # type: ignore[arg-type]
    exponential_data = ExponentialHistogram(data_points=points, aggregation_temporality=temporality)  # type: ignore[arg-type]
    return Metric(name=name, unit=unit, exponential_histogram=exponential_data)


def summary(name: str, at_s: float, **quantiles: float) -> Metric:
    values = [SummaryDataPoint.ValueAtQuantile(quantile=float(q[1:]) / 100, value=value) for q, value in quantiles.items()]
    return Metric(name=name, unit="ms", summary=Summary(data_points=[SummaryDataPoint(time_unix_nano=ns(at_s), quantile_values=values)]))


def export(*metrics: Metric, service: str = "quotes", **resource: str) -> ExportMetricsServiceRequest:
    attributes = pairs(service_name=service, **resource) if service else pairs(**resource)
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(resource=Resource(attributes=attributes), scope_metrics=[ScopeMetrics(metrics=metrics)])]
    )


class Receiver:
    """Takes exports one after the other, alternately in both encodings when told so."""

    def __init__(self, content_type: str = PROTOBUF) -> None:
        self.series = MetricSeries()
        self.content_type = content_type

    def take(self, request: ExportMetricsServiceRequest, at_s: float) -> Decoded[MetricPoint]:
        body = request.SerializeToString() if self.content_type == PROTOBUF else MessageToJson(request).encode()
        return decode_metrics(body, self.content_type, T + at_s, self.series)

    def points(self, *metrics: Metric, at_s: float = 0.0) -> list[MetricPoint]:
        decoded = self.take(export(*metrics), at_s)
        assert decoded.dropped == ()
        return list(decoded.items)
