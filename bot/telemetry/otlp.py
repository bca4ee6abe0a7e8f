"""OTLP/HTTP traces to `Span`s: inflate with a limit, decode protobuf or JSON, drop single spans that cannot be used and say why."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import (
    COMMIT,
    EXCEPTION_KEYS,
    RESOURCE_KEYS,
    SPAN_KEYS,
    TOO_MANY,
    Attributes,
    RawSpan,
    Scalar,
    build_span,
    refusal,
    text,
)
from bot.telemetry.extra import extra_of
from bot.telemetry.otlp_json import read_json
from bot.telemetry.span import Span

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # recognises both headers
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


def _collect(groups: Iterable[tuple[Attributes, Iterator[RawSpan]]], now_s: float) -> DecodedTraces:
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
            elif (reason := refusal(raw, service, now_s)) is not None:
                dropped[reason] += 1
            else:
                spans.append(build_span(raw, service, commit))
    return DecodedTraces(tuple(spans), tuple(sorted(dropped.items(), key=lambda item: (-item[1], item[0]))))


def read_protobuf(body: bytes) -> Iterator[tuple[Attributes, Iterator[RawSpan]]]:
    """(attributes of the resource, its spans). Raises Refused when the body is something else."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as problem:
        raise Refused("the body is not an OTLP ExportTraceServiceRequest in protobuf: it is truncated or something else") from problem
    for resource_spans in request.resource_spans:
        yield attributes_of(resource_spans.resource.attributes, RESOURCE_KEYS), _spans(resource_spans)


def _spans(resource_spans: ResourceSpans) -> Iterator[RawSpan]:
    resource = list(scalars(resource_spans.resource.attributes))
    for scope_spans in resource_spans.scope_spans:
        for span in scope_spans.spans:
            yield raw_span(span, resource)


def raw_span(span: OtlpSpan, resource: Sequence[tuple[str, Scalar]]) -> RawSpan:
    """`resource`: the attributes of its resource, as `scalars` gives them."""
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
