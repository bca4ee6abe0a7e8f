"""Frozen dataclasses to JSON and back, checked: what a record says is exactly what its type allows, or `Refused`."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
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


def from_json(kind: type[T], data: Any) -> T:
    """The inverse of `to_json`. Raises Refused naming the field for unknown or missing keys and wrong types."""
    try:
        return typing.cast(T, _reader(typing.cast(Any, kind))(data))
    except _Mismatch as problem:
        raise Refused(f"{kind.__name__}{problem.path}: {problem}") from problem


class _Mismatch(Exception):
    """The data is not what the type allows; `path` grows outwards while the exception climbs."""

    path = ""

    def inside(self, step: str) -> _Mismatch:
        self.path = step + self.path
        return self


_Read = Callable[[Any], Any]


@cache
def _reader(kind: Any) -> _Read:
    """What reads one type. Made once for each: records are read again at every look, and asking `typing` costs more than reading."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is typing.Literal:
        return _word_reader(kind, {argument: argument for argument in arguments})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _word_reader(kind, {member.value: member for member in kind})
    return _number if kind is float else _plain_reader(kind)


def _unexpected(kind: Any, data: Any) -> _Mismatch:
    return _Mismatch(f"expected {getattr(kind, '__name__', kind)}, got {type(data).__name__}")


def _word_reader(kind: Any, words: dict[Any, Any]) -> _Read:
    def read(data: Any) -> Any:
        if isinstance(data, str) and data in words:
            return words[data]
        raise _unexpected(kind, data)

    return read


def _number(data: Any) -> float:
    if isinstance(data, (int, float)) and not isinstance(data, bool) and math.isfinite(data):
        return float(data)
    raise _unexpected(float, data)


def _plain_reader(kind: Any) -> _Read:
    def read(data: Any) -> Any:
        if kind in (int, str, bool) and type(data) is kind:
            return data
        raise _unexpected(kind, data)

    return read


def _dataclass_reader(kind: type) -> _Read:
    missing, fields = dataclasses.MISSING, dataclasses.fields(kind)
    readers: dict[str, _Read] = {}
    required = sorted(f.name for f in fields if f.default is missing and f.default_factory is missing)

    def read(data: Any) -> Any:
        if not readers:  # at the first use: a type may contain itself
            hints = typing.get_type_hints(kind)
            readers.update({f.name: _reader(hints[f.name]) for f in fields})
        if not isinstance(data, dict):
            raise _Mismatch(f"expected an object, got {type(data).__name__}")
        if unknown := sorted(set(data) - set(readers)):
            raise _Mismatch(f"unknown field {unknown[0]!r}")
        if absent := [name for name in required if name not in data]:
            raise _Mismatch(f"missing field {absent[0]!r}")
        values = {}
        for name, item in data.items():
            try:
                values[name] = readers[name](item)
            except _Mismatch as problem:
                raise problem.inside(f".{name}") from None
        return kind(**values)

    return read


def _union_reader(options: tuple[Any, ...]) -> _Read:
    optional = type(None) in options
    readers = [_reader(option) for option in options if option is not type(None)]

    def read(data: Any) -> Any:
        if data is None and optional:
            return None
        for reader in readers[:-1]:
            try:
                return reader(data)
            except _Mismatch:
                continue
        return readers[-1](data)

    return read


def _tuple_reader(arguments: tuple[Any, ...]) -> _Read:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        each = _reader(arguments[0])
        return lambda data: tuple(_items(data, [each] * len(data) if isinstance(data, list) else []))
    readers = [_reader(argument) for argument in arguments]

    def read(data: Any) -> Any:
        if isinstance(data, list) and len(data) != len(readers):
            raise _Mismatch(f"expected {len(readers)} items, got {len(data)}")
        return tuple(_items(data, readers))

    return read


def _items(data: Any, readers: list[_Read]) -> list[Any]:
    if not isinstance(data, list):
        raise _Mismatch(f"expected a list, got {type(data).__name__}")
    found = []
    for index, (reader, item) in enumerate(zip(readers, data, strict=True)):
        try:
            found.append(reader(item))
        except _Mismatch as problem:
            raise problem.inside(f"[{index}]") from None
    return found
