"""Fields of OTLP's JSON mapping, typed by hand: 64-bit integers as text, enums as numbers or names, NaN as text, ids in hexadecimal.

The mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Every reader raises Refused that names the wrong field.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from bot.errors import Refused
from bot.telemetry import limits

Object = dict[str, Any]
UINT64 = 1 << 64
INT64 = 1 << 63


def read_object(body: bytes, what: str) -> Object:
    """The body as a JSON object. `what` it should be, for the message. Refused when it has too many parts to be built."""
    bounded(body)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(f"the body is not JSON ({type(problem).__name__}): send an OTLP {what}") from problem
    return as_object(data, "body")


def bounded(body: bytes) -> None:
    """Raises Refused when a JSON body has more parts than may be built of it."""
    if body.count(b"{") + body.count(b"[") > limits.JSON_PARTS or body.count(b",") > 2 * limits.JSON_PARTS:
        raise Refused("the JSON body has too many parts: send smaller batches, or protobuf")


def as_object(value: Any, field: str) -> Object:
    return value if isinstance(value, dict) else wrong(field, "an object", value)


def child(owner: Object, field: str) -> Object:
    """An object field; empty when it is missing."""
    value = owner.get(field)
    return {} if value is None else as_object(value, field)


def items(owner: Object, field: str) -> list[Any]:
    value = owner.get(field)
    if value is None:
        return []
    return value if isinstance(value, list) else wrong(field, "a list", value)


def objects(owner: Object, field: str) -> list[Object]:
    found = items(owner, field)
    for item in found:
        as_object(item, field)
    return found


def text(owner: Object, field: str) -> str:
    value = owner.get(field)
    if value is None:
        return ""
    return value if isinstance(value, str) else wrong(field, "text", value)


def uint64(owner: Object, field: str) -> int:
    number = integer(owner.get(field), field)
    return number if 0 <= number < UINT64 else wrong(field, "an unsigned 64-bit number", number)


def integer(value: Any, field: str) -> int:
    """A whole number, also as text; 0 when it is missing."""
    if value is None:
        return 0
    if isinstance(value, str) and len(value) <= len("-18446744073709551615"):
        try:
            value = int(value)
        except ValueError:
            wrong(field, "a whole number", value)
    if isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < UINT64:
        return value
    return wrong(field, "a whole number of 64 bits", value)


def real(value: Any, field: str) -> float:
    """A number; "NaN", "Infinity" and "-Infinity" as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            wrong(field, "a number of 64 bits", value)
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, str) and len(value) <= limits.NUMBER_CHARS:
        try:
            return float(value)
        except ValueError:
            pass
    return wrong(field, "a number", value)


def enum(owner: Object, field: str, prefix: str, names: tuple[str, ...]) -> int:
    value = owner.get(field)
    if isinstance(value, str) and value.removeprefix(prefix) in names:
        return names.index(value.removeprefix(prefix))
    return integer(value, field)


def flag(owner: Object, field: str) -> bool:
    value = owner.get(field)
    if value is None:
        return False
    return value if isinstance(value, bool) else wrong(field, "true or false", value)


def hex_id(owner: Object, field: str) -> bytes:
    """Raw bytes of a hexadecimal id; a malformed one becomes one byte, which nobody accepts as an id."""
    value = text(owner, field)
    try:
        return bytes.fromhex(value)
    except ValueError:
        return b"?"


def wrong(field: str, expected: str, value: object) -> NoReturn:
    raise Refused(f"OTLP JSON, {field}: expected {expected}, found {type(value).__name__}")
