"""The sketches of many series over one stretch of time, packed side by side: what the past is kept in.

A record is one span as one number, `second << 32 | key << 16 | bucket` (key from KeyTable, bucket from sketch.py): 8 bytes that sort
in the order in which they are counted.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from bot.telemetry.columns import Column
from bot.telemetry.sketch import Sketch


def record(second: int, key: int, bucket: int) -> int:
    return second << 32 | key << 16 | bucket


@dataclass(frozen=True, slots=True)
class Slice:
    """`keys` ascending; the packed sketch of keys[i] stands in `cells` from `offsets[i]` on."""

    keys: Column  # typecode H
    offsets: Column  # typecode I
    cells: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.cells) + 6 * len(self.keys)

    def sketch(self, key: int) -> Sketch | None:
        i = bisect_left(self.keys, key)
        return Sketch.unpacked(self.cells, self.offsets[i]) if i < len(self.keys) and self.keys[i] == key else None

    def __iter__(self) -> Iterator[tuple[int, Sketch]]:
        """(key, sketch), keys ascending."""
        for key, offset in zip(self.keys, self.offsets, strict=True):
            yield key, Sketch.unpacked(self.cells, offset)


def pack(sketches: Iterable[tuple[int, Sketch]]) -> Slice:
    """The slice of (key, sketch) in ascending order of keys."""
    keys, offsets, cells = array("H"), array("I"), bytearray()
    for key, sketch in sketches:
        keys.append(key)
        offsets.append(len(cells))
        cells += sketch.packed()
    return Slice(keys, offsets, bytes(cells))


def fold(records: Column) -> list[tuple[int, Slice]]:
    """(second, its slice) of all records, ascending."""
    return [(second, pack(_sketches(group))) for second, group in groupby(sorted(records), key=lambda number: number >> 32)]


def _sketches(records: Iterable[int]) -> Iterator[tuple[int, Sketch]]:
    for key, group in groupby(records, key=lambda number: number >> 16 & 0xFFFF):
        sketch = Sketch()
        for bucket, same in groupby(number & 0xFFFF for number in group):
            sketch.add_bucket(bucket, sum(1 for _ in same))
        yield key, sketch


def merge(a: Slice, b: Slice) -> Slice:
    """All that is in either."""
    sketches = dict(iter(a))
    for key, sketch in b:
        known = sketches.get(key)
        if known is None:
            sketches[key] = sketch
        else:
            known.merge(sketch)
    return pack(sorted(sketches.items(), key=lambda item: item[0]))
