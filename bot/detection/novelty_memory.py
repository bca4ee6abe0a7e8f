"""What a series looked like before: a bounded memory of vectors and the distance to the nearest of them.

The distance of a subsequence to its nearest earlier neighbour is the (left) matrix profile of Yeh et al. (2016); a point whose window
has no near neighbour is a discord (Keogh, Lin & Fu, 2005). Values are compared as they are: normalising each window (the usual matrix
profile) hides changes of level.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from itertools import repeat
from math import dist, inf

Vector = tuple[float, ...]

KEPT_VECTORS = 1_024  # 48 KiB at four coordinates; from half to four times as many the NAB score moves by one point
KEPT_AFTER_CLEARING = KEPT_VECTORS * 3 // 4  # the oldest quarter goes at once, so that clearing is rare
FIRST_LOOK = 8  # neighbours in order to either side that are looked at before the exact search


class Memory:
    """Vectors of one length, ordered by their first coordinate, which bounds the distance from below."""

    def __init__(self, dimensions: int) -> None:
        self._vector = struct.Struct(f"{dimensions}d")
        self._firsts = array("d")
        self._packed = bytearray()
        self._ages = array("Q")
        self._added = 0

    def __len__(self) -> int:
        return len(self._firsts)

    def near(self, vector: Vector) -> float:
        """An upper bound of the distance to the nearest vector, from a few neighbours in order; infinite when there is none."""
        at = bisect_left(self._firsts, vector[0])
        return self._least(vector, max(0, at - FIRST_LOOK), min(len(self._firsts), at + FIRST_LOOK))

    def nearest(self, vector: Vector, bound: float) -> float:
        """The Euclidean distance to the nearest vector, given an upper bound of it."""
        start, end = bisect_left(self._firsts, vector[0] - bound), bisect_right(self._firsts, vector[0] + bound)
        return min(bound, self._least(vector, start, end))

    def add(self, vector: Vector) -> None:
        """Keep the vector; the oldest are forgotten when there are too many."""
        at = bisect_left(self._firsts, vector[0])
        self._firsts.insert(at, vector[0])
        self._ages.insert(at, self._added)
        self._packed[at * self._vector.size : at * self._vector.size] = self._vector.pack(*vector)
        self._added += 1
        if len(self._firsts) > KEPT_VECTORS:
            self._clear()

    def _least(self, vector: Vector, start: int, end: int) -> float:
        size = self._vector.size
        with memoryview(self._packed) as packed:
            return min(map(dist, repeat(vector), self._vector.iter_unpack(packed[start * size : end * size])), default=inf)

    def _clear(self) -> None:
        oldest = self._added - KEPT_AFTER_CLEARING
        kept = [(age, self._vector.unpack_from(self._packed, at * self._vector.size)) for at, age in enumerate(self._ages) if age >= oldest]
        self._ages = array("Q", (age for age, _ in kept))
        self._firsts = array("d", (vector[0] for _, vector in kept))
        self._packed = bytearray().join(self._vector.pack(*vector) for _, vector in kept)
