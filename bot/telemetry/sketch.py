"""A mergeable picture of many durations: counts in buckets whose width grows with the value, so that quantiles have one relative error.

DDSketch: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees",
PVLDB 12(12), 2019. Bucket i holds values in (SMALLEST_MS·γ^(i-1), SMALLEST_MS·γ^i] with γ = (1+ε)/(1-ε); the range is fixed, and so
is the number of buckets.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from bisect import bisect_left
from operator import add
from typing import Final

RELATIVE_ERROR: Final = 0.01
GAMMA: Final = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
SMALLEST_MS: Final = 0.001  # what is shorter counts as this
LARGEST_MS: Final = 26 * 3_600_000.0  # longer than any span that is accepted (limits.CLOCK_BEHIND_S + CLOCK_AHEAD_S)
BUCKETS: Final = math.ceil(math.log(LARGEST_MS / SMALLEST_MS) / math.log(GAMMA)) + 1
BOUNDS_MS: Final = array("d", (SMALLEST_MS * GAMMA**i for i in range(BUCKETS)))  # upper bound of each bucket
HEADER: Final = struct.Struct("<HHB")  # first bucket, number of buckets, bytes of each count
_WIDTHS: Final = ((1, "B", 0xFF), (2, "H", 0xFFFF), (4, "I", 0xFFFFFFFF))
_TYPECODES: Final = {width: code for width, code, _ in _WIDTHS}


def bucket_of(value_ms: float) -> int:
    """The bucket of a value; 0 also for what is smaller than SMALLEST_MS, the last one also for what is larger than LARGEST_MS."""
    return min(bisect_left(BOUNDS_MS, value_ms), BUCKETS - 1)


def value_of(bucket: int) -> float:
    """The value in milliseconds that stands for a bucket: at most RELATIVE_ERROR away from everything in it."""
    return BOUNDS_MS[bucket] * 2.0 / (GAMMA + 1.0)


class Sketch:
    """Durations in milliseconds. Grows with the range of its values, not with their number; at most BUCKETS counts."""

    __slots__ = ("_counts", "_low", "count")

    def __init__(self) -> None:
        self._low = 0  # bucket of the first count
        self._counts = array("Q")
        self.count = 0

    def add(self, value_ms: float, count: int = 1) -> None:
        self.add_bucket(bucket_of(value_ms), count)

    def add_bucket(self, bucket: int, count: int = 1) -> None:
        """As `add`, for a value whose bucket is known already."""
        self._cover(bucket, bucket + 1)
        self._counts[bucket - self._low] += count
        self.count += count

    def merge(self, other: Sketch) -> None:
        """Takes in all values of `other`: the same as if each had been added here."""
        if not other._counts:
            return
        self._cover(other._low, other._low + len(other._counts))
        begin = other._low - self._low
        end = begin + len(other._counts)
        self._counts[begin:end] = array("Q", map(add, self._counts[begin:end], other._counts))
        self.count += other.count

    def _cover(self, low: int, high: int) -> None:
        """Makes room for the buckets [low, high)."""
        counts = self._counts
        if not counts:
            self._low = low
        if low < self._low:
            self._counts = counts = array("Q", bytes(8 * (self._low - low))) + counts
            self._low = low
        missing = high - self._low - len(counts)
        if missing > 0:
            counts.frombytes(bytes(8 * missing))

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0..1, nearest rank) in milliseconds, at most RELATIVE_ERROR off; None when nothing was added."""
        if not self.count:
            return None
        rank, seen = max(1, math.ceil(q * self.count)), 0
        for bucket, count in enumerate(self._counts, self._low):
            seen += count
            if seen >= rank:
                return value_of(bucket)
        return value_of(self._low + len(self._counts) - 1)  # q above 1

    def count_above(self, value_ms: float) -> int:
        """How many values are larger; those in the bucket of `value_ms` itself (within 2 × RELATIVE_ERROR of it) are not counted."""
        return sum(self._counts[max(0, bucket_of(value_ms) + 1 - self._low) :])

    def buckets(self) -> list[tuple[int, int]]:
        """(bucket, count) of the buckets that hold something, ascending."""
        return [(bucket, count) for bucket, count in enumerate(self._counts, self._low) if count]

    def packed(self) -> bytes:
        """As few bytes as hold it: HEADER, then the counts, little-endian. Counts beyond 32 bits are cut to the largest."""
        largest = max(self._counts, default=0)
        width, code, top = next((entry for entry in _WIDTHS if largest <= entry[2]), _WIDTHS[-1])
        counts = array(code, self._counts if largest <= top else [min(count, top) for count in self._counts])
        return HEADER.pack(self._low, len(counts), width) + _little_endian(counts).tobytes()

    @classmethod
    def unpacked(cls, data: bytes, at: int = 0) -> Sketch:
        """What `packed` wrote at `data[at:]`; bytes behind it are not looked at."""
        low, size, width = HEADER.unpack_from(data, at)
        counts = array(_TYPECODES[width])
        counts.frombytes(data[at + HEADER.size : at + HEADER.size + size * width])
        sketch = cls()
        sketch._low, sketch._counts = low, array("Q", _little_endian(counts))
        sketch.count = sum(counts)
        return sketch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.buckets() == other.buckets()

    __hash__ = None  # type: ignore[assignment] # it changes

    def __repr__(self) -> str:
        return f"Sketch(count={self.count}, p50_ms={self.quantile(0.5)}, p99_ms={self.quantile(0.99)})"


def _little_endian(counts: array[int]) -> array[int]:
    if sys.byteorder != "little":
        counts = counts[:]
        counts.byteswap()
    return counts
