"""OTLP's JSON mapping as typed structures: only the fields that detection reads; everything else is skipped while decoding.

64-bit integers come as text or numbers, doubles may be the texts "NaN" or "Infinity" (protobuf's JSON mapping).
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # fixed64 in the protocol; the upper half would be the year 2262 and later


class AnyValue(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | None = None
    double_value: float | None = None
    bool_value: bool | None = None


class KeyValue(msgspec.Struct):
    key: str
    value: AnyValue | None = None

    @property
    def text(self) -> str:
        """The value as text; empty for lists, maps and bytes."""
        value = self.value
        if value is None:
            return ""
        if value.string_value is not None:
            return value.string_value
        for scalar in (value.int_value, value.double_value, value.bool_value):
            if scalar is not None:
                return str(scalar)
        return ""


class NumberPoint(msgspec.Struct, rename="camel"):
    time_unix_nano: Nanoseconds
    attributes: list[KeyValue] = []
    as_double: float | str | None = None
    as_int: int | None = None

    @property
    def value(self) -> float:
        """Raises ValueError when a text is no number."""
        if self.as_double is not None:
            return float(self.as_double)
        return float("nan") if self.as_int is None else float(self.as_int)


class QuantileValue(msgspec.Struct):
    quantile: float = 0.0
    value: float | str = 0.0


class SummaryPoint(msgspec.Struct, rename="camel"):
    time_unix_nano: Nanoseconds
    attributes: list[KeyValue] = []
    count: int = 0
    sum: float | str = 0.0
    quantile_values: list[QuantileValue] = []


class HistogramPoint(msgspec.Struct, rename="camel"):
    time_unix_nano: Nanoseconds
    attributes: list[KeyValue] = []
    count: int = 0
    sum: float | str | None = None
    bucket_counts: list[int] = []
    explicit_bounds: list[float] = []


class Gauge(msgspec.Struct, rename="camel"):
    data_points: list[NumberPoint] = []


class Sum(msgspec.Struct, rename="camel"):
    data_points: list[NumberPoint] = []
    aggregation_temporality: int | str = 0
    is_monotonic: bool = False


class Summary(msgspec.Struct, rename="camel"):
    data_points: list[SummaryPoint] = []


class Histogram(msgspec.Struct, rename="camel"):
    data_points: list[HistogramPoint] = []
    aggregation_temporality: int | str = 0


class Metric(msgspec.Struct):
    name: str = ""
    unit: str = ""
    gauge: Gauge | None = None
    sum: Sum | None = None
    summary: Summary | None = None
    histogram: Histogram | None = None


class ScopeMetrics(msgspec.Struct):
    metrics: list[Metric] = []


class Status(msgspec.Struct):
    code: int | str = 0


class Span(msgspec.Struct, rename="camel"):
    trace_id: str
    span_id: str
    start_time_unix_nano: Nanoseconds
    end_time_unix_nano: Nanoseconds
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    status: Status | None = None
    attributes: list[KeyValue] = []


class ScopeSpans(msgspec.Struct):
    spans: list[Span] = []


class Resource(msgspec.Struct):
    attributes: list[KeyValue] = []


class ResourceMetrics(msgspec.Struct, rename="camel"):
    resource: Resource | None = None
    scope_metrics: list[ScopeMetrics] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] = []


class Request(msgspec.Struct, rename="camel"):
    """Any of the three export requests; logs are accepted and not read."""

    resource_metrics: list[ResourceMetrics] | None = None
    resource_spans: list[ResourceSpans] | None = None
    resource_logs: msgspec.Raw | None = None


decode_request = msgspec.json.Decoder(Request, strict=False).decode
