"""OTLP's JSON mapping, typed by hand: hex ids, 64-bit integers as text, enums as numbers, unknown fields ignored."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

from bot.errors import Refused
from bot.telemetry.attributes import EXCEPTION_KEYS, RESOURCE_KEYS, SPAN_KEYS, Attributes, RawSpan, Scalar
from bot.telemetry.batch import Group, Whole
from bot.telemetry.extra import extra_of
from bot.telemetry.json_fields import read_object

UINT64 = 1 << 64
KIND_NAMES = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUS_NAMES = ("UNSET", "OK", "ERROR")


def read_json(body: bytes) -> Iterator[Group]:
    """The spans of each resource of an ExportTraceServiceRequest in JSON. Raises Refused naming the field that is wrong."""
    for resource_spans in _objects(read_object(body, "ExportTraceServiceRequest"), "resourceSpans"):
        resource = _object(resource_spans.get("resource") or {}, "resource")
        yield Group(_attributes(resource, RESOURCE_KEYS), _spans(resource_spans, list(_further(resource))))


def _spans(resource_spans: dict[str, Any], resource: list[tuple[str, Scalar]]) -> Iterator[tuple[RawSpan, Whole]]:
    for scope_spans in _objects(resource_spans, "scopeSpans"):
        for span in _objects(scope_spans, "spans"):
            raw = _span(span, resource)
            yield raw, partial(_itself, raw)


def _itself(raw: RawSpan) -> RawSpan:
    return raw


def _span(span: dict[str, Any], resource: list[tuple[str, Scalar]]) -> RawSpan:
    exception: Attributes | None = None
    for event in _objects(span, "events"):
        if event.get("name") == "exception":
            exception = _attributes(event, EXCEPTION_KEYS)
    status = _object(span.get("status") or {}, "status")
    return RawSpan(
        trace_id=as_id(_text(span, "traceId")),
        span_id=as_id(_text(span, "spanId")),
        parent_id=as_id(_text(span, "parentSpanId")),
        name=_text(span, "name"),
        kind=as_enum(span.get("kind", 0), "kind", "SPAN_KIND_", KIND_NAMES),
        start_ns=as_uint64(span.get("startTimeUnixNano", 0), "startTimeUnixNano"),
        end_ns=as_uint64(span.get("endTimeUnixNano", 0), "endTimeUnixNano"),
        status=as_enum(status.get("code", 0), "code", "STATUS_CODE_", STATUS_NAMES),
        attributes=_attributes(span, SPAN_KEYS),
        exception=exception,
        extra=extra_of(resource, _further(span)),
    )


def _attributes(owner: dict[str, Any], keys: frozenset[str]) -> Attributes:
    found: dict[str, Scalar] = {}
    for item in _objects(owner, "attributes"):
        key = item.get("key")
        if isinstance(key, str) and key in keys:
            value = _scalar(_object(item.get("value") or {}, key), key)
            if value is not None:
                found[key] = value
    return found


def _further(owner: dict[str, Any]) -> Iterator[tuple[str, Scalar]]:
    """Attributes of any key; what is malformed is left out: nothing depends on it."""
    for item in _objects(owner, "attributes"):
        key, value = item.get("key"), item.get("value")
        if isinstance(key, str) and isinstance(value, dict):
            given = next((value[name] for name in ("stringValue", "intValue", "boolValue") if name in value), None)
            if isinstance(given, (str, int)):
                yield key, given


def _scalar(value: dict[str, Any], key: str) -> Scalar | None:
    """An AnyValue that is a scalar; None for lists, maps and bytes, which no key of ours holds."""
    if "stringValue" in value:
        return _text(value, "stringValue")
    if "intValue" in value:
        return as_int(value["intValue"], key)
    for name, kinds in (("boolValue", (bool,)), ("doubleValue", (int, float))):
        if isinstance(value.get(name), kinds):
            return value[name]  # type: ignore[no-any-return]
    return None


def as_int(value: Any, field: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return _wrong(field, "a whole number", value)
    return _wrong(field, "a whole number", value)


def as_uint64(value: Any, field: str) -> int:
    number = as_int(value, field)
    return number if 0 <= number < UINT64 else _wrong(field, "an unsigned 64-bit number", number)


def as_enum(value: Any, field: str, prefix: str, names: tuple[str, ...]) -> int:
    if isinstance(value, str) and value.removeprefix(prefix) in names:
        return names.index(value.removeprefix(prefix))
    return as_int(value, field)


def as_id(value: str) -> bytes:
    """Raw bytes of a hex id; a malformed one becomes one byte, which nobody accepts as an id."""
    try:
        return bytes.fromhex(value)
    except ValueError:
        return b"?"


def _text(owner: dict[str, Any], field: str) -> str:
    value = owner.get(field, "")
    return value if isinstance(value, str) else _wrong(field, "text", value)


def _object(value: Any, field: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _wrong(field, "an object", value)


def _objects(owner: dict[str, Any], field: str) -> list[dict[str, Any]]:
    value = owner.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        _wrong(field, "a list", value)
    return [_object(item, field) for item in value]


def _wrong(field: str, expected: str, value: object) -> NoReturn:
    raise Refused(f"OTLP JSON, {field}: expected {expected}, found {type(value).__name__}")
