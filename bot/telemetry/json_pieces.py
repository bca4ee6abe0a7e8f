"""A large OTLP request in JSON as many small ones that say the same, so that nobody has to build it whole.

Decoding 400,000 objects at once holds a process for a third of a second, whatever decodes them. Here the outer levels are walked with
their content left as text (msgspec.Raw), and spans, log records and data points are put together again by the 64 KiB, each time below the
resource that they came with. Scopes are not kept apart: nobody reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.json_fields import bounded

Fields = dict[str, msgspec.Raw]

WHOLE_BYTES: Final = 256 * 1024  # a body of this size is read whole: it is a small one
PIECE_BYTES: Final = 64 * 1024  # of items put together; as many as the resource has, when that is more
LARGEST_BYTES: Final = limits.LARGEST_SPAN_BYTES  # of one item, or of one resource
STEPS_PER_TURN: Final = 1_000  # groups and scopes that are looked into between two turns: a millisecond
_OBJECT: Final = msgspec.json.Decoder(Fields)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_NULL: Final = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a signal's request names its levels. `kinds`: of metrics, the fields that hold `dataPoints`, which can be cut up further."""

    groups: str
    scopes: str
    items: str
    kinds: tuple[str, ...] = ()


class Piece(NamedTuple):
    """A small request, or nothing: then it is only a moment to let others have their turn. `too_large`: items that are left out."""

    body: bytes = b""
    too_large: int = 0


def pieces(body: bytes, layout: Layout) -> Iterator[Piece]:
    """Raises Refused when the body has too many parts, or is not JSON, or has other things where lists and objects belong."""
    bounded(body)
    if len(body) <= WHOLE_BYTES:
        yield Piece(body)
        return
    steps = 0
    groups = _list(_object(body, "body"), layout.groups)
    yield Piece()
    for group in groups:
        steps += 1
        if not steps % STEPS_PER_TURN:
            yield Piece()
        fields = _object(group, layout.groups)
        joined = _Joined(layout, bytes(fields.get("resource", _NULL)))
        for scope in _list(fields, layout.scopes):
            steps += 1
            if not steps % STEPS_PER_TURN:
                yield Piece()
            for item in _list(_object(scope, layout.scopes), layout.items):
                size_bytes = len(memoryview(item))
                if layout.kinds and size_bytes > PIECE_BYTES:
                    for part, points in _cut(_object(item, layout.items), layout):
                        yield from joined.add(part, len(part), points)
                else:
                    yield from joined.add(item, size_bytes)
        yield from joined.rest()


class _Joined:
    """Items of one resource, put together to requests."""

    def __init__(self, layout: Layout, resource: bytes) -> None:
        self._before = f'{{"{layout.groups}":[{{"resource":'.encode() + resource + f',"{layout.scopes}":[{{"{layout.items}":['.encode()
        self._fits = len(resource) <= LARGEST_BYTES
        self._most_bytes = max(PIECE_BYTES, len(resource))
        self._items: list[msgspec.Raw | bytes] = []
        self._size_bytes = 0

    def add(self, item: msgspec.Raw | bytes, size_bytes: int, counts: int = 1) -> Iterator[Piece]:
        """`counts`: as how many it counts when it is left out."""
        if size_bytes > LARGEST_BYTES or not self._fits:
            yield Piece(too_large=counts)
            return
        self._items.append(item)
        self._size_bytes += size_bytes
        if self._size_bytes >= self._most_bytes:
            yield from self.rest()

    def rest(self) -> Iterator[Piece]:
        if self._items:
            yield Piece(self._before + b",".join(map(bytes, self._items)) + b"]}]}]}")
        self._items, self._size_bytes = [], 0


def _cut(metric: Fields, layout: Layout) -> Iterator[tuple[bytes, int]]:
    """A metric as several with fewer data points each, and with how many."""
    for kind in layout.kinds:
        if bytes(sent := metric.get(kind, _NULL)) == b"null":
            continue
        data = _object(sent, kind)
        points = _list(data, "dataPoints")
        told = _told(metric, ("name", "unit"))
        about = _told(data, ("aggregationTemporality", "isMonotonic"))
        for some in _by_size(points):
            joined = b",".join(map(bytes, some))
            yield b'{%s"%s":{%s"dataPoints":[%s]}}' % (told, kind.encode(), about, joined), len(some)


def _told(fields: Fields, names: Sequence[str]) -> bytes:
    return b"".join(b'"%s":%s,' % (name.encode(), bytes(fields[name])) for name in names if name in fields)


def _by_size(points: Sequence[msgspec.Raw]) -> Iterator[list[msgspec.Raw]]:
    some: list[msgspec.Raw] = []
    size_bytes = 0
    for point in points:
        if len(memoryview(point)) > LARGEST_BYTES:
            yield [point]  # alone, so that it alone is left out
            continue
        some.append(point)
        size_bytes += len(memoryview(point))
        if size_bytes >= PIECE_BYTES:
            yield some
            some, size_bytes = [], 0
    if some or not points:
        yield some


def _object(value: bytes | msgspec.Raw, field: str) -> Fields:
    try:
        return _OBJECT.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise Refused(f"OTLP JSON, {field}: expected an object ({problem})") from problem


def _list(fields: Fields, field: str) -> list[msgspec.Raw]:
    try:
        return _LIST.decode(fields.get(field, _NULL)) or []
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise Refused(f"OTLP JSON, {field}: expected a list ({problem})") from problem
