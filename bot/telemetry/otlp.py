"""ExportTraceServiceRequests in protobuf to `RawSpan`s, one at a time and within limits.

A span is read as far as it is counted; the whole of it only when it is asked for, because most never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import COUNTED_KEYS, EXCEPTION_KEYS, RESOURCE_KEYS, SPAN_KEYS, Attributes, RawSpan, Scalar
from bot.telemetry.batch import Group, Whole
from bot.telemetry.extra import Extra, extra_of, kept, ranked
from bot.telemetry.trimmed import COUNTED_SPAN, CountedSpan
from bot.telemetry.wire import Field, Wire

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
NO_REQUEST = "the body is not an OTLP ExportTraceServiceRequest in protobuf: it is truncated or something else"
KNOWN_PAIRS = 4_096  # attributes as they are sent: spans say the same few things again and again
KNOWN_PAIR_BYTES = 80
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SPANS = 1, 1, 2, 2  # field numbers, opentelemetry/proto/trace/v1/trace.proto
_COUNTED_BYTES = frozenset(key.encode() for key in COUNTED_KEYS)
_KEY, _VALUE = 0x0A, 0x12  # tags of KeyValue's fields


def read_protobuf(body: bytes) -> Iterator[Group]:
    """The spans of each resource, None for one that is too large or whose resource is.

    Unfolds one span at a time, limits.SPAN_PARTS at most. Raises Refused when the body has more, or is something else.
    """
    wire = Wire(body, limits.SPAN_PARTS)
    try:
        for group in wire.messages(_RESOURCE_SPANS):
            raw = b"".join(body[field.begin : field.end] for field in wire.messages(_RESOURCE, group))  # one that comes twice is merged
            if len(raw) > limits.LARGEST_SPAN_BYTES:
                yield Group({}, (None for _ in _span_fields(wire, group)))
                continue
            resource = Resource.FromString(raw)
            wire.charge(limits.PARTS_OF_GROUP + len(resource.attributes))
            further = extra_of(scalars(resource.attributes), ())
            yield Group(attributes_of(resource.attributes, RESOURCE_KEYS), _spans(wire, body, group, further))
    except DecodeError as problem:
        raise Refused(NO_REQUEST) from problem


def _span_fields(wire: Wire, group: Field) -> Iterator[Field]:
    for scope in wire.messages(_SCOPE_SPANS, group):
        yield from wire.messages(_SPANS, scope)


def _spans(wire: Wire, body: bytes, group: Field, resource: Extra) -> Iterator[tuple[RawSpan, Whole] | None]:
    def whole(sent: bytes) -> RawSpan:
        try:
            parts, span = whole_span(sent, resource)
        except DecodeError as problem:
            raise Refused(NO_REQUEST) from problem
        wire.charge(parts)
        return span

    for field in _span_fields(wire, group):
        if field.end - field.begin > limits.LARGEST_SPAN_BYTES:
            yield None
            continue
        sent = body[field.begin : field.end]
        try:
            span = COUNTED_SPAN.FromString(sent)
            wire.charge(limits.PARTS_OF_SPAN + len(span.attributes))
            yield counted_span(span), partial(whole, sent)
        except DecodeError as problem:
            raise Refused(NO_REQUEST) from problem


def counted_span(span: CountedSpan) -> RawSpan:
    """The span with its COUNTED_KEYS. Raises DecodeError when one of them is damaged."""
    found: dict[str, Scalar] = {}
    for pair in span.attributes:
        if (counted := (_known if len(pair) <= KNOWN_PAIR_BYTES else _counted)(pair)) is not None:
            found[counted[0]] = counted[1]
    return RawSpan(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        found,
    )


def _key_of(pair: bytes) -> bytes | None:
    """The key of a KeyValue that is plainly sent as its key, then its value, and nothing else."""
    if len(pair) < 4 or pair[0] != _KEY or (at := pair[1] + 2) + 2 > len(pair) or pair[at] != _VALUE:
        return None
    length = pair[at + 1]
    if length < 0x80:
        whole = at + 2 + length == len(pair)
    else:
        whole = at + 3 < len(pair) and pair[at + 2] < 0x80 and at + 3 + (length & 0x7F | pair[at + 2] << 7) == len(pair)
    return pair[2:at] if whole else None


def _counted(pair: bytes) -> tuple[str, Scalar] | None:
    """A KeyValue of COUNTED_KEYS; None for another one, or when its value is no scalar."""
    if (key := _key_of(pair)) is not None and key not in _COUNTED_BYTES:
        return None
    message = KeyValue.FromString(pair)
    return next(scalars((message,)), None) if message.key in COUNTED_KEYS else None


_known = lru_cache(maxsize=KNOWN_PAIRS)(_counted)


def whole_span(sent: bytes, resource: Extra) -> tuple[int, RawSpan]:
    """(parts_of, raw_span) of a span as it is sent, without unfolding what nobody reads. Raises DecodeError."""
    span = COUNTED_SPAN.FromString(sent)
    if span.events:
        message = OtlpSpan.FromString(sent)
        return parts_of(message), raw_span(message, resource)
    attributes: dict[str, Scalar] = {}
    further = dict(resource)
    for pair in span.attributes:
        if (read := (_known_whole if len(pair) <= KNOWN_PAIR_BYTES else _read)(pair)) is not None:
            key, value, extra = read
            if key in SPAN_KEYS:
                attributes[key] = value
            if extra is not None:
                further[extra[0]] = extra[1]
    raw = RawSpan(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        attributes,
        None,
        ranked(further),
    )
    return limits.PARTS_OF_SPAN + len(span.attributes), raw


@lru_cache(maxsize=KNOWN_PAIRS)
def _unread(key: bytes) -> bool:
    """Whether nobody reads an attribute of this key, whatever its value is."""
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return False  # to be refused by who decodes it
    return name not in SPAN_KEYS and kept(name, name[:1]) is None


def _read(pair: bytes) -> tuple[str, Scalar, tuple[str, str] | None] | None:
    """A KeyValue and how it is kept among the further attributes; None when nobody reads it."""
    if (key := _key_of(pair)) is not None and len(key) <= KNOWN_PAIR_BYTES and _unread(key):
        return None
    found = next(scalars((KeyValue.FromString(pair),)), None)
    return (*found, kept(*found)) if found is not None else None


_known_whole = lru_cache(maxsize=KNOWN_PAIRS)(_read)


def parts_of(span: OtlpSpan) -> int:
    """How much work it is to read it, in attributes."""
    return limits.PARTS_OF_SPAN + len(span.attributes) + sum(1 + len(event.attributes) for event in span.events)


def raw_span(span: OtlpSpan, resource: Extra) -> RawSpan:
    """`resource`: what `extra_of` keeps of the attributes of its resource."""
    pairs = list(scalars(span.attributes))
    return RawSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        attributes={key: value for key, value in pairs if key in SPAN_KEYS},
        exception=_exception(span),
        extra=extra_of(resource, pairs),
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
