"""OTLP metrics in JSON: the same groups of raw points as from protobuf."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

from bot.telemetry import json_fields, limits
from bot.telemetry.any_value import from_json, json_attributes
from bot.telemetry.attributes import Scalar
from bot.telemetry.buckets import Buckets
from bot.telemetry.json_fields import Object
from bot.telemetry.metric_point import Pairs
from bot.telemetry.raw_point import RESOURCE_KEYS, Family, RawPoint, Shape, Source, bounded_buckets, bounded_exponential, pairs

TEMPORALITIES: Final = ("UNSPECIFIED", "DELTA", "CUMULATIVE")


def read_json(body: bytes) -> Iterator[tuple[Source, Family, Iterator[RawPoint]]]:
    """Every metric with its points. Raises Refused naming the field that is wrong."""
    for resource_metrics in json_fields.objects(json_fields.read_object(body, "ExportMetricsServiceRequest"), "resourceMetrics"):
        resource = json_fields.child(resource_metrics, "resource")
        source = Source.of(json_attributes(resource, RESOURCE_KEYS), json.dumps(resource, sort_keys=True).encode())
        for scope_metrics in json_fields.objects(resource_metrics, "scopeMetrics"):
            for metric in json_fields.objects(scope_metrics, "metrics"):
                for field, (shape, build) in SHAPES.items():
                    if metric.get(field) is not None:
                        data = json_fields.child(metric, field)
                        yield source, _family(metric, data, shape), map(build, json_fields.objects(data, "dataPoints"))


def _family(metric: Object, data: Object, shape: Shape) -> Family:
    temporality = json_fields.enum(data, "aggregationTemporality", "AGGREGATION_TEMPORALITY_", TEMPORALITIES)
    monotonic = json_fields.flag(data, "isMonotonic")
    return Family.of(json_fields.text(metric, "name"), json_fields.text(metric, "unit"), shape, temporality, monotonic)


def _point(point: Object) -> tuple[int, int, int, Pairs]:
    """What all kinds of points have: start, time, flags, attributes."""
    return (
        json_fields.uint64(point, "startTimeUnixNano"),
        json_fields.uint64(point, "timeUnixNano"),
        json_fields.uint64(point, "flags"),
        pairs(_attributes(point)),
    )


def _attributes(point: Object) -> Iterator[tuple[str, Scalar | None]]:
    for pair in json_fields.objects(point, "attributes"):
        value = from_json(json_fields.child(pair, "value"))
        yield json_fields.text(pair, "key"), value if isinstance(value, Scalar) else None


def _number(point: Object) -> RawPoint:
    number: float | None = None
    if point.get("asDouble") is not None:
        number = json_fields.real(point["asDouble"], "asDouble")
    elif point.get("asInt") is not None:
        number = float(json_fields.integer(point["asInt"], "asInt"))
    return RawPoint(*_point(point), number)


def _counts(owner: Object, field: str) -> list[int] | None:
    """None when there are too many."""
    found = json_fields.items(owner, field)
    if len(found) > limits.HISTOGRAM_BUCKETS:
        return None
    counts = [json_fields.integer(count, field) for count in found]
    return counts if all(count >= 0 for count in counts) else json_fields.wrong(field, "counts", found)


def _explicit(point: Object) -> RawPoint:
    counts, bounds = _counts(point, "bucketCounts"), json_fields.items(point, "explicitBounds")
    buckets = None
    if counts is not None and len(bounds) <= limits.HISTOGRAM_BUCKETS:
        buckets = bounded_buckets(counts, [json_fields.real(bound, "explicitBounds") for bound in bounds])
    return _histogram(point, buckets)


def _exponential(point: Object) -> RawPoint:
    positive = json_fields.child(point, "positive")
    counts = _counts(positive, "bucketCounts")
    scale, offset = json_fields.integer(point.get("scale"), "scale"), json_fields.integer(positive.get("offset"), "offset")
    zero = json_fields.uint64(point, "zeroCount")
    return _histogram(point, None if counts is None else bounded_exponential(counts, scale, offset, zero))


def _histogram(point: Object, buckets: Buckets | None) -> RawPoint:
    count = json_fields.uint64(point, "count")
    total = 0.0 if point.get("sum") is None else json_fields.real(point["sum"], "sum")
    return RawPoint(*_point(point), count=count, sum=total, buckets=buckets, too_many_buckets=buckets is None)


def _summary(point: Object) -> RawPoint:
    quantiles = tuple(
        (json_fields.real(at.get("quantile", 0), "quantile"), json_fields.real(at.get("value", 0), "value"))
        for at in json_fields.objects(point, "quantileValues")[: limits.QUANTILES]
    )
    return RawPoint(*_point(point), quantiles=quantiles)


SHAPES: Final[dict[str, tuple[Shape, Callable[[Object], RawPoint]]]] = {
    "gauge": ("gauge", _number),
    "sum": ("sum", _number),
    "histogram": ("histogram", _explicit),
    "exponentialHistogram": ("histogram", _exponential),
    "summary": ("summary", _summary),
}
