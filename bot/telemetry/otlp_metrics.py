"""OTLP metrics in protobuf, one metric and point at a time; the table that both encodings share, and the way to `MetricPoint`s.

The fields: https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Final, TypeVar

from google.protobuf.message import Message
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bot.telemetry import limits
from bot.telemetry.any_value import from_protobuf, protobuf_attributes
from bot.telemetry.attributes import Scalar
from bot.telemetry.buckets import Buckets
from bot.telemetry.decoded import Decoded, Tally, is_json
from bot.telemetry.json_pieces import Layout, pieces
from bot.telemetry.metric_point import MetricPoint, Pairs
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_metrics_json import SHAPES as JSON_SHAPES
from bot.telemetry.otlp_metrics_json import read_json
from bot.telemetry.raw_point import RESOURCE_KEYS, Family, RawPoint, Shape, Source, bounded_buckets, bounded_exponential, pairs, refusal
from bot.telemetry.steps import ITEMS_PER_STEP, Steps, run_through
from bot.telemetry.wire import Field, Wire

MALFORMED: Final = f"data point damaged or larger than {limits.RECORD_BYTES // 1024} KiB"
M = TypeVar("M", bound=Message)
Group = tuple[Source, Family, Iterator[RawPoint | None]]

# Of a Metric message: the field of each kind of data, with the shape of its points.
SHAPES: Final[dict[int, Shape]] = {5: "gauge", 7: "sum", 9: "histogram", 10: "histogram", 11: "summary"}
EXPONENTIAL: Final = 10
JSON_LAYOUT: Final = Layout("resourceMetrics", "scopeMetrics", "metrics", kinds=tuple(JSON_SHAPES))
NOWHERE: Final = Source("", "", 0)
NAMELESS: Final = Family("", "", "gauge", 0, False)


def decode_metrics(body: bytes, content_type: str, now_s: float, series: MetricSeries) -> Decoded[MetricPoint]:
    """The new points of an ExportMetricsServiceRequest, as `series` knows what each counter and histogram said before.

    `content_type` application/x-protobuf or application/json, parameters ignored. Raises Refused when the body as a whole cannot be
    read, and then leaves `series` as it was; single unusable points are dropped and counted.
    """
    return run_through(metric_steps(body, content_type, now_s, series))


def metric_steps(body: bytes, content_type: str, now_s: float, series: MetricSeries) -> Steps[Decoded[MetricPoint]]:
    """`decode_metrics` in steps."""
    tally: Tally[MetricPoint] = Tally()
    usable: list[tuple[Source, Family, RawPoint]] = []
    seen = 0
    for group in _json_groups(body) if is_json(content_type) else read_protobuf(body):
        if group is None:
            yield
            continue
        source, family, points = group
        for point in points:
            seen += 1
            if not seen % ITEMS_PER_STEP:
                yield
            if seen > limits.POINTS_PER_REQUEST:
                tally.drop(f"more than {limits.POINTS_PER_REQUEST} data points in one request")
            elif point is None:
                tally.drop(MALFORMED)
            elif (reason := refusal(source, family, point, now_s)) is not None:
                tally.drop(reason)
            else:
                usable.append((source, family, point))
    for n, (source, family, point) in enumerate(usable, 1):
        if not n % ITEMS_PER_STEP:
            yield
        taken = series.take(source, family, point, now_s)
        if isinstance(taken, str):
            tally.drop(taken)
        else:
            tally.items.extend(taken)
    return tally.done(accepted=seen - tally.dropped.total())


def _json_groups(body: bytes) -> Iterator[Group | None]:
    """Those of a large body in pieces; None between them: others may have their turn."""
    for piece in pieces(body, JSON_LAYOUT):
        if piece.too_large:
            yield NOWHERE, NAMELESS, repeat(None, piece.too_large)
        elif piece.body:
            yield from read_json(piece.body)
        yield None


def read_protobuf(body: bytes) -> Iterator[Group]:
    """Every metric with its points; None for a point that cannot be read."""
    wire = Wire(body)
    for resource_metrics in wire.messages(1):
        parts = list(wire.fields(resource_metrics))
        source = _source(wire, parts, body)
        for scope_metrics in parts:
            if scope_metrics.number == 2 and scope_metrics.value < 0:
                for metric in wire.messages(2, scope_metrics):
                    yield from _metric(wire, metric, source)


def _source(wire: Wire, parts: list[Field], body: bytes) -> Source:
    for field in parts:
        if field.number == 1 and field.value < 0 and (resource := wire.parse(field, Resource)) is not None:
            return Source.of(protobuf_attributes(resource.attributes, RESOURCE_KEYS), body[field.begin : field.end])
    return NOWHERE


def _metric(wire: Wire, metric: Field, source: Source) -> Iterator[Group]:
    name = unit = ""
    data: list[Field] = []
    for field in wire.fields(metric):
        if field.number == 1 and field.value < 0:
            name = wire.text(field, limits.METRIC_NAME_CHARS)
        elif field.number == 3 and field.value < 0:
            unit = wire.text(field, limits.UNIT_CHARS)
        elif field.number in SHAPES and field.value < 0:
            data.append(field)
    for kind in data[-1:]:  # a oneof: the last one counts
        yield source, *_points(wire, kind, name, unit)


def _points(wire: Wire, kind: Field, name: str, unit: str) -> tuple[Family, Iterator[RawPoint | None]]:
    parts = list(wire.fields(kind))
    number = {field.number: field.value for field in parts if field.value >= 0}
    family = Family.of(name, unit, SHAPES[kind.number], number.get(2, 0), bool(number.get(3, 0)))
    points = [field for field in parts if field.number == 1 and field.value < 0]
    if family.shape == "summary":
        return family, _parsed(wire, points, SummaryDataPoint, _summary)
    if family.shape != "histogram":
        return family, _parsed(wire, points, NumberDataPoint, _number)
    if kind.number == EXPONENTIAL:
        return family, _parsed(wire, points, ExponentialHistogramDataPoint, _exponential)
    return family, _parsed(wire, points, HistogramDataPoint, _explicit)


def _parsed(wire: Wire, fields: list[Field], kind: type[M], build: Callable[[M], RawPoint]) -> Iterator[RawPoint | None]:
    for field in fields:
        message = wire.parse(field, kind)
        yield None if message is None else build(message)


def _attributes(point: NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint) -> Pairs:
    return pairs((pair.key, value if isinstance(value := from_protobuf(pair.value), Scalar) else None) for pair in point.attributes)


def _number(point: NumberDataPoint) -> RawPoint:
    number: float | None = None
    match point.WhichOneof("value"):
        case "as_double":
            number = point.as_double
        case "as_int":
            number = float(point.as_int)
    return RawPoint(point.start_time_unix_nano, point.time_unix_nano, point.flags, _attributes(point), number)


def _explicit(point: HistogramDataPoint) -> RawPoint:
    return _histogram(point, bounded_buckets(point.bucket_counts, point.explicit_bounds))


def _exponential(point: ExponentialHistogramDataPoint) -> RawPoint:
    buckets = bounded_exponential(point.positive.bucket_counts, point.scale, point.positive.offset, point.zero_count)
    return _histogram(point, buckets)


def _histogram(point: HistogramDataPoint | ExponentialHistogramDataPoint, buckets: Buckets | None) -> RawPoint:
    return RawPoint(
        start_ns=point.start_time_unix_nano,
        time_ns=point.time_unix_nano,
        flags=point.flags,
        attributes=_attributes(point),
        count=point.count,
        sum=point.sum,
        buckets=buckets,
        too_many_buckets=buckets is None,
    )


def _summary(point: SummaryDataPoint) -> RawPoint:
    quantiles = tuple((at.quantile, at.value) for at in point.quantile_values[: limits.QUANTILES])
    return RawPoint(point.start_time_unix_nano, point.time_unix_nano, point.flags, _attributes(point), quantiles=quantiles)
