"""OTLP/HTTP traces to `Span`s: inflate with a limit, decode protobuf or JSON, drop single spans that cannot be used and say why."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import (
    COMMIT,
    EXCEPTION_KEYS,
    RESOURCE_KEYS,
    SPAN_KEYS,
    TOO_LARGE,
    TOO_MANY,
    Attributes,
    RawSpan,
    Scalar,
    build_span,
    refusal,
    text,
)
from bot.telemetry.extra import Extra, extra_of
from bot.telemetry.otlp_json import read_json
from bot.telemetry.span import Span
from bot.telemetry.wire import Field, Wire

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # recognises both headers
NO_REQUEST = "the body is not an OTLP ExportTraceServiceRequest in protobuf: it is truncated or something else"
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SPANS = 1, 1, 2, 2  # field numbers, opentelemetry/proto/trace/v1/trace.proto
MEMBERS = 8  # a gzip body may be a concatenation; each further member costs a copy of what is left


@dataclass(frozen=True)
class DecodedTraces:
    """The usable spans of one request, and how many were dropped for which reason (OTLP's partial success)."""

    spans: tuple[Span, ...]
    dropped: tuple[tuple[str, int], ...] = ()  # most frequent reason first

    @property
    def rejected(self) -> int:
        return sum(count for _, count in self.dropped)

    @property
    def reason(self) -> str:
        """One sentence part for people, "" when nothing was dropped."""
        return "; ".join(f"{count} × {reason}" for reason, count in self.dropped)


def inflate(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """`body` without its Content-Encoding (gzip, deflate, identity or ""). Raises Refused when it is unknown, damaged or too large."""
    match encoding.strip().lower():
        case "" | "identity":
            if len(body) > limit_bytes:
                raise Refused(f"the body has more than {limit_bytes} bytes: send smaller batches")
            return body
        case "gzip" | "deflate":
            return _decompress(body, limit_bytes)
        case _:
            raise Refused("this Content-Encoding is not supported: send gzip, deflate or identity")


def _decompress(body: bytes, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size, rest = 0, body
    for _ in range(MEMBERS):
        if not rest:
            return b"".join(parts)
        stream = zlib.decompressobj(GZIP_OR_ZLIB)
        try:
            part = stream.decompress(rest, limit_bytes - size + 1)
        except zlib.error as problem:
            raise Refused("the body is not what its Content-Encoding says: it is damaged or not compressed") from problem
        size += len(part)
        if size > limit_bytes:
            raise Refused(f"the body inflates to more than {limit_bytes} bytes: send smaller batches")
        if not stream.eof:
            raise Refused("the compressed body ends too early")
        parts.append(part)
        rest = stream.unused_data
    if rest:
        raise Refused(f"the compressed body has more than {MEMBERS} members: send it as one")
    return b"".join(parts)


def decode_traces(body: bytes, content_type: str, now_s: float) -> DecodedTraces:
    """The spans of an ExportTraceServiceRequest. `content_type` application/x-protobuf or application/json, parameters ignored.

    Raises Refused when the body as a whole cannot be read; single unusable spans are dropped and counted.
    """
    match content_type.partition(";")[0].strip().lower():
        case "application/x-protobuf":
            return _collect(read_protobuf(body), now_s)
        case "application/json":
            return _collect(read_json(body), now_s)
        case _:
            raise Refused(f"this Content-Type is not supported: send {PROTOBUF} or {JSON}")


def _collect(groups: Iterable[tuple[Attributes, Iterator[RawSpan | None]]], now_s: float) -> DecodedTraces:
    spans: list[Span] = []
    dropped: Counter[str] = Counter()
    seen = 0
    for resource, raws in groups:
        service = text(resource, ("service.name",))
        commit = text(resource, COMMIT, limits.COMMIT_CHARS)
        for raw in raws:
            seen += 1
            if seen > limits.SPANS_PER_REQUEST:
                dropped[TOO_MANY] += 1
            elif raw is None:
                dropped[TOO_LARGE] += 1
            elif (reason := refusal(raw, service, now_s)) is not None:
                dropped[reason] += 1
            else:
                spans.append(build_span(raw, service, commit))
    return DecodedTraces(tuple(spans), tuple(sorted(dropped.items(), key=lambda item: (-item[1], item[0]))))


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
