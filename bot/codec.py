"""Frozen dataclasses to JSON and back, checked: what a record says is exactly what its type allows, or `Refused`."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from bot.errors import Refused

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Dataclasses become objects without their default-valued fields, tuples lists, enums their values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        out = {}
        for f in dataclasses.fields(value):
            item = getattr(value, f.name)
            if f.default is not dataclasses.MISSING and item == f.default and type(item) is type(f.default):
                continue
            if f.default_factory is not dataclasses.MISSING and item == f.default_factory():
                continue
            out[f.name] = to_json(item)
        return out
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


@cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return {f.name: (hints[f.name], f.default is missing and f.default_factory is missing) for f in dataclasses.fields(kind)}


def from_json(kind: type[T], data: Any) -> T:
    """The inverse of `to_json`. Raises Refused naming the field for unknown or missing keys and wrong types."""
    return typing.cast(T, _read(kind, data, kind.__name__))


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, data, where)
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(kind), data, where)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, where)
    if origin is typing.Literal:
        if data in typing.get_args(kind):
            return data
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if isinstance(data, str) and data in {member.value for member in kind}:
            return kind(data)
    elif kind is float:
        if isinstance(data, (int, float)) and not isinstance(data, bool) and math.isfinite(data):
            return float(data)
    elif kind in (int, str, bool) and type(data) is kind:
        return data
    raise Refused(f"{where}: expected {getattr(kind, '__name__', kind)}, got {type(data).__name__}")


def _read_dataclass(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise Refused(f"{where}: expected an object, got {type(data).__name__}")
    known = _fields(kind)
    if unknown := sorted(set(data) - set(known)):
        raise Refused(f"{where}: unknown field {unknown[0]!r}")
    if absent := sorted(name for name, (_, required) in known.items() if required and name not in data):
        raise Refused(f"{where}: missing field {absent[0]!r}")
    return kind(**{name: _read(known[name][0], item, f"{where}.{name}") for name, item in data.items()})


def _read_union(options: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in options:
        return None
    for option in options:
        if option is type(None):
            continue
        try:
            return _read(option, data, where)
        except Refused as problem:
            last = problem
    raise last


def _read_tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise Refused(f"{where}: expected a list, got {type(data).__name__}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_read(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(args) != len(data):
        raise Refused(f"{where}: expected {len(args)} items, got {len(data)}")
    return tuple(_read(arg, item, f"{where}[{i}]") for i, (arg, item) in enumerate(zip(args, data, strict=True)))
