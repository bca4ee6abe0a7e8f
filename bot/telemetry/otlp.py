"""ExportTraceServiceRequests in protobuf to `RawSpan`s, one at a time and within limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import (
    EXCEPTION_KEYS,
    RESOURCE_KEYS,
    SPAN_KEYS,
    Attributes,
    RawSpan,
    Scalar,
)
from bot.telemetry.extra import Extra, extra_of
from bot.telemetry.wire import Field, Wire

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
NO_REQUEST = "the body is not an OTLP ExportTraceServiceRequest in protobuf: it is truncated or something else"
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SPANS = 1, 1, 2, 2  # field numbers, opentelemetry/proto/trace/v1/trace.proto


def read_protobuf(body: bytes) -> Iterator[tuple[Attributes, Iterator[RawSpan | None]]]:
    """(attributes of the resource, its spans), None for a span that is too large or whose resource is.

    Unfolds one span at a time, limits.SPAN_PARTS at most. Raises Refused when the body has more, or is something else.
    """
    wire = Wire(body, limits.SPAN_PARTS)
    try:
        for group in wire.messages(_RESOURCE_SPANS):
            raw = b"".join(body[field.begin : field.end] for field in wire.messages(_RESOURCE, group))  # one that comes twice is merged
            if len(raw) > limits.LARGEST_SPAN_BYTES:
                yield {}, (None for _ in _span_fields(wire, group))
                continue
            resource = Resource.FromString(raw)
            wire.charge(limits.PARTS_OF_GROUP + len(resource.attributes))
            further = extra_of(scalars(resource.attributes), ())
            yield attributes_of(resource.attributes, RESOURCE_KEYS), _spans(wire, body, group, further)
    except DecodeError as problem:
        raise Refused(NO_REQUEST) from problem


def _span_fields(wire: Wire, group: Field) -> Iterator[Field]:
    for scope in wire.messages(_SCOPE_SPANS, group):
        yield from wire.messages(_SPANS, scope)


def _spans(wire: Wire, body: bytes, group: Field, resource: Extra) -> Iterator[RawSpan | None]:
    for field in _span_fields(wire, group):
        if field.end - field.begin > limits.LARGEST_SPAN_BYTES:
            yield None
            continue
        try:
            span = OtlpSpan.FromString(body[field.begin : field.end])
        except DecodeError as problem:
            raise Refused(NO_REQUEST) from problem
        wire.charge(parts_of(span))
        yield raw_span(span, resource)


def parts_of(span: OtlpSpan) -> int:
    """How much work it is to read it, in attributes."""
    return limits.PARTS_OF_SPAN + len(span.attributes) + sum(1 + len(event.attributes) for event in span.events)


def raw_span(span: OtlpSpan, resource: Extra) -> RawSpan:
    """`resource`: what `extra_of` keeps of the attributes of its resource."""
    return RawSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        attributes=attributes_of(span.attributes, SPAN_KEYS),
        exception=_exception(span),
        extra=extra_of(resource, scalars(span.attributes)),
    )


def _exception(span: OtlpSpan) -> Attributes | None:
    found = None
    for event in span.events:
        if event.name == "exception":
            found = attributes_of(event.attributes, EXCEPTION_KEYS)
    return found


def attributes_of(pairs: Iterable[KeyValue], keys: frozenset[str]) -> Attributes:
    return dict(scalars(pair for pair in pairs if pair.key in keys))


def scalars(pairs: Iterable[KeyValue]) -> Iterator[tuple[str, Scalar]]:
    for pair in pairs:
        value = pair.value
        match value.WhichOneof("value"):
            case "string_value":
                yield pair.key, value.string_value
            case "int_value":
                yield pair.key, value.int_value
            case "bool_value":
                yield pair.key, value.bool_value
            case "double_value":
                yield pair.key, value.double_value
            case _:
                pass  # lists, maps and bytes: no key of ours holds them
