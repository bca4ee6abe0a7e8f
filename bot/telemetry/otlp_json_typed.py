"""OTLP's JSON decoded straight into typed structures (msgspec): several times as fast as into dicts, for what exporters send.

Whatever does not fit exactly (another type, a number that is too large, null) is left to bot/telemetry/otlp_json.py, which says what is
wrong; so both give the same answers. Text in fields that nobody reads is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec

from bot.telemetry.attributes import EXCEPTION_KEYS, RESOURCE_KEYS, SPAN_KEYS, Attributes, RawSpan, Scalar
from bot.telemetry.batch import Group, Whole
from bot.telemetry.extra import extra_of
from bot.telemetry.otlp_json import KIND_NAMES, STATUS_NAMES, as_enum, as_id, as_int, as_uint64

Struct = msgspec.Struct
Unset = msgspec.UnsetType
UNSET: Final = msgspec.UNSET
Number = int | str


class Value(Struct, frozen=True, gc=False):
    stringValue: str | Unset = UNSET  # the wire's names
    intValue: Number | Unset = UNSET
    boolValue: Any = None
    doubleValue: Any = None


class Attribute(Struct, frozen=True):
    key: str = ""
    value: Value | None = None


class Event(Struct, frozen=True):
    name: Any = None
    attributes: list[Attribute] | None = None


class Status(Struct, frozen=True, gc=False):
    code: Number = 0


class TypedSpan(Struct, frozen=True):
    traceId: str = ""
    spanId: str = ""
    parentSpanId: str = ""
    name: str = ""
    kind: Number = 0
    startTimeUnixNano: Number = 0
    endTimeUnixNano: Number = 0
    attributes: list[Attribute] | None = None
    events: list[Event] | None = None
    status: Status | None = None


class ScopeSpans(Struct, frozen=True):
    spans: list[TypedSpan] | None = None


class Resource(Struct, frozen=True):
    attributes: list[Attribute] | None = None


class ResourceSpans(Struct, frozen=True):
    resource: Resource | None = None
    scopeSpans: list[ScopeSpans] | None = None


class Request(Struct, frozen=True):
    resourceSpans: list[ResourceSpans] | None = None


_DECODER: Final = msgspec.json.Decoder(Request)


def read_typed(body: bytes) -> Iterator[Group] | None:
    """The spans of each resource, as otlp_json.read_json gives them; None when it has to. The groups may raise Refused."""
    try:
        request = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return _groups(request)


def _groups(request: Request) -> Iterator[Group]:
    for resource_spans in request.resourceSpans or ():
        sent = (resource_spans.resource and resource_spans.resource.attributes) or []
        yield Group(_attributes(sent, RESOURCE_KEYS), _spans(resource_spans, list(_further(sent))))


def _spans(resource_spans: ResourceSpans, resource: list[tuple[str, Scalar]]) -> Iterator[tuple[RawSpan, Whole]]:
    for scope_spans in resource_spans.scopeSpans or ():
        for span in scope_spans.spans or ():
            raw = _span(span)
            yield raw, partial(_whole, raw, span, resource)


def _span(span: TypedSpan) -> RawSpan:
    """All but `extra`."""
    exception: Attributes | None = None
    for event in span.events or ():
        if event.name == "exception":
            exception = _attributes(event.attributes or (), EXCEPTION_KEYS)
    return RawSpan(
        as_id(span.traceId),
        as_id(span.spanId),
        as_id(span.parentSpanId),
        span.name,
        as_enum(span.kind, "kind", "SPAN_KIND_", KIND_NAMES),
        as_uint64(span.startTimeUnixNano, "startTimeUnixNano"),
        as_uint64(span.endTimeUnixNano, "endTimeUnixNano"),
        as_enum(span.status.code, "code", "STATUS_CODE_", STATUS_NAMES) if span.status is not None else 0,
        _attributes(span.attributes or (), SPAN_KEYS),
        exception,
    )


def _whole(raw: RawSpan, span: TypedSpan, resource: list[tuple[str, Scalar]]) -> RawSpan:
    return raw._replace(extra=extra_of(resource, _further(span.attributes or ())))


def _attributes(sent: list[Attribute] | tuple[()], keys: frozenset[str]) -> Attributes:
    found: dict[str, Scalar] = {}
    for attribute in sent:
        if attribute.key in keys and (value := attribute.value) is not None:
            if (text := value.stringValue) is not UNSET:
                found[attribute.key] = text
            elif (number := value.intValue) is not UNSET:
                found[attribute.key] = as_int(number, attribute.key)
            elif isinstance(value.boolValue, bool):
                found[attribute.key] = value.boolValue
            elif isinstance(value.doubleValue, (int, float)):
                found[attribute.key] = value.doubleValue
    return found


def _further(sent: list[Attribute] | tuple[()]) -> Iterator[tuple[str, Scalar]]:
    for attribute in sent:
        if (value := attribute.value) is not None:
            given: Any = value.stringValue
            if given is UNSET:
                given = value.boolValue if value.intValue is UNSET else value.intValue
            if isinstance(given, (str, int)):
                yield attribute.key, given
