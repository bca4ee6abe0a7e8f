"""OTLP's AnyValue, from either encoding, as plain bounded Python; and how a structured log body reads as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from bot.telemetry import json_fields, limits
from bot.telemetry.attributes import Scalar

Plain = Scalar | None | list[Any] | dict[str, Any]  # None: nothing, bytes, or too deep

MESSAGE_KEYS = ("message", "msg", "log", "event", "body")  # where structured loggers put the text


def from_protobuf(value: AnyValue, depth: int = 0) -> Plain:
    """At most limits.VALUE_DEPTH deep and limits.VALUE_ITEMS wide; the rest is left out."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "bool_value":
            return value.bool_value
        case "array_value" if depth < limits.VALUE_DEPTH:
            return [from_protobuf(item, depth + 1) for item in value.array_value.values[: limits.VALUE_ITEMS]]
        case "kvlist_value" if depth < limits.VALUE_DEPTH:
            return {pair.key: from_protobuf(pair.value, depth + 1) for pair in value.kvlist_value.values[: limits.VALUE_ITEMS]}
        case _:
            return None


def from_json(value: json_fields.Object, depth: int = 0) -> Plain:
    """As `from_protobuf`. Raises Refused when a value has the wrong type."""
    if "stringValue" in value:
        return json_fields.text(value, "stringValue")
    if "intValue" in value:
        return json_fields.integer(value["intValue"], "intValue")
    if "doubleValue" in value:
        return json_fields.real(value["doubleValue"], "doubleValue")
    if "boolValue" in value:
        return json_fields.flag(value, "boolValue")
    if depth >= limits.VALUE_DEPTH:
        return None
    if "arrayValue" in value:
        found = json_fields.objects(json_fields.child(value, "arrayValue"), "values")
        return [from_json(item, depth + 1) for item in found[: limits.VALUE_ITEMS]]
    if "kvlistValue" in value:
        pairs = json_fields.objects(json_fields.child(value, "kvlistValue"), "values")
        return {
            json_fields.text(pair, "key"): from_json(json_fields.child(pair, "value"), depth + 1) for pair in pairs[: limits.VALUE_ITEMS]
        }
    return None


def protobuf_attributes(pairs: Iterable[KeyValue], keys: frozenset[str]) -> dict[str, Scalar]:
    """The scalar attributes with these keys."""
    found = {pair.key: from_protobuf(pair.value) for pair in pairs if pair.key in keys}
    return {key: value for key, value in found.items() if isinstance(value, Scalar)}


def json_attributes(owner: json_fields.Object, keys: frozenset[str]) -> dict[str, Scalar]:
    """The scalar attributes with these keys. Raises Refused when an attribute has the wrong form."""
    found = {}
    for pair in json_fields.objects(owner, "attributes"):
        if (key := json_fields.text(pair, "key")) in keys:
            found[key] = from_json(json_fields.child(pair, "value"))
    return {key: value for key, value in found.items() if isinstance(value, Scalar)}


def fields_of(body: Plain) -> Mapping[str, Plain]:
    """The fields of a structured body: a map, or text that is a JSON object; empty for any other."""
    if isinstance(body, dict):
        return body
    if isinstance(body, str) and len(body) <= limits.JSON_BODY_CHARS and body[:1] == "{" and body.rstrip()[-1:] == "}":
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}
    return {}


def body_text(body: Plain) -> str:
    """A log body as text: a structured body's message when it has one, else its fields one after the other. Not yet bounded."""
    fields = fields_of(body)
    for key in MESSAGE_KEYS:
        if isinstance(message := fields.get(key), str) and message:
            return message
    return _shown(fields or body)


def _shown(value: object, depth: int = 0) -> str:
    if isinstance(value, dict | list) and depth >= limits.VALUE_DEPTH:
        return "…"
    if isinstance(value, dict):
        return " ".join(f"{key}={_shown(inner, depth + 1)}" for key, inner in list(value.items())[: limits.VALUE_ITEMS])
    if isinstance(value, list):
        return ", ".join(_shown(inner, depth + 1) for inner in value[: limits.VALUE_ITEMS])
    return "" if value is None else str(value)
