"""OTLP's JSON mapping as typed structures: only the fields that somebody reads; everything else is skipped while decoding.

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

    @property
    def text(self) -> str:
        """The value as text; empty for lists, maps and bytes."""
        if self.string_value is not None:
            return self.string_value
        for scalar in (self.int_value, self.double_value, self.bool_value):
            if scalar is not None:
                return str(scalar)
        return ""


class KeyValue(msgspec.Struct):
    key: str
    value: AnyValue | None = None

    @property
    def text(self) -> str:
        """The value as text; empty for lists, maps and bytes."""
        return "" if self.value is None else self.value.text


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
    message: str = ""


class Event(msgspec.Struct):
    name: str = ""
    attributes: list[KeyValue] = []


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
    events: list[Event] = []


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


class LogBody(AnyValue, rename="camel"):
    """Structured bodies stay as the JSON that they are."""

    kvlist_value: msgspec.Raw = msgspec.Raw()
    array_value: msgspec.Raw = msgspec.Raw()

    @property
    def text(self) -> str:
        """The body as text; empty for bytes."""
        structured = bytes(self.kvlist_value) or bytes(self.array_value)
        return structured.decode("utf-8", "replace") if structured else AnyValue.text.__get__(self)


class LogRecord(msgspec.Struct, rename="camel"):
    time_unix_nano: Nanoseconds = 0
    observed_time_unix_nano: Nanoseconds = 0
    severity_number: int | str = 0
    body: LogBody | None = None
    attributes: list[KeyValue] = []
    trace_id: str = ""
    span_id: str = ""


class ScopeLogs(msgspec.Struct, rename="camel"):
    log_records: list[LogRecord] = []


class ResourceLogs(msgspec.Struct, rename="camel"):
    resource: Resource | None = None
    scope_logs: list[ScopeLogs] = []


class Request(msgspec.Struct, rename="camel"):
    """Any of the three export requests. Logs stay raw for those who do not read them."""

    resource_metrics: list[ResourceMetrics] | None = None
    resource_spans: list[ResourceSpans] | None = None
    resource_logs: msgspec.Raw = msgspec.Raw()  # empty when there are none

    @property
    def empty(self) -> bool:
        """Whether it is none of the three."""
        return self.resource_metrics is None and self.resource_spans is None and not bytes(self.resource_logs)


decode_request = msgspec.json.Decoder(Request, strict=False).decode
decode_logs = msgspec.json.Decoder(list[ResourceLogs] | None, strict=False).decode
