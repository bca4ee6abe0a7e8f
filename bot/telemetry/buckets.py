"""The buckets of a histogram as OTLP sends them, with given bounds or exponential ones, and what came since an earlier state of them.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bot.telemetry.metric_point import Cell

_LARGEST_EXPONENT = 1_023.0  # of two, in a 64-bit float


@dataclass(frozen=True, slots=True)
class Buckets:
    """With `scale` None: `bounds` are the upper bounds, the last count is of what is larger than all of them. Else the count at place
    i is of the values in (b^(offset+i), b^(offset+i+1)] with b = 2^(2^-scale), and `zero` of those near 0."""

    counts: tuple[int, ...]
    bounds: tuple[float, ...] = ()
    scale: int | None = None
    offset: int = 0
    zero: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts) + self.zero

    def problem(self) -> str | None:
        """Why these buckets make no sense; None when they do."""
        if self.scale is not None:
            return None if -11 <= self.scale <= 20 else "scale of a histogram out of range"
        if self.counts and len(self.counts) != len(self.bounds) + 1:
            return "bounds and buckets of a histogram do not match"
        ascending = all(one < other for one, other in zip(self.bounds, self.bounds[1:], strict=False))
        if not ascending or not all(math.isfinite(bound) for bound in self.bounds):
            return "bounds of a histogram do not ascend"
        return None

    def since(self, earlier: Buckets) -> Buckets | None:
        """What came after `earlier`, an older state of the same series; None when they cannot be compared: it has restarted."""
        if self.scale is None or earlier.scale is None:
            if self.scale is not earlier.scale or self.bounds != earlier.bounds or len(self.counts) != len(earlier.counts):
                return None
            return self._minus(earlier.counts, earlier.zero)
        if self.scale > earlier.scale:
            return None  # a running histogram only ever becomes coarser
        counts = [0] * len(self.counts)
        for index, count in earlier.at_scale(self.scale):
            place = index - self.offset
            if not 0 <= place < len(counts):
                return None
            counts[place] += count
        return self._minus(tuple(counts), earlier.zero)

    def at_scale(self, scale: int) -> Iterator[tuple[int, int]]:
        """(index, count) of the buckets that are not empty, at a coarser scale: each step halves the indices."""
        assert self.scale is not None  # of exponential buckets only
        for place, count in enumerate(self.counts):
            if count:
                yield (self.offset + place) >> (self.scale - scale), count

    def _minus(self, counts: tuple[int, ...], zero: int) -> Buckets | None:
        left = tuple(now - before for now, before in zip(self.counts, counts, strict=True))
        if self.zero < zero or any(count < 0 for count in left):
            return None
        return Buckets(left, self.bounds, self.scale, self.offset, self.zero - zero)

    def cells(self) -> tuple[Cell, ...]:
        """The buckets that are not empty, in order."""
        return tuple(self._explicit() if self.scale is None else self._exponential())

    def _explicit(self) -> Iterator[Cell]:
        for place, count in enumerate(self.counts):
            if count:
                low = self.bounds[place - 1] if place else min(0.0, self.bounds[0]) if self.bounds else 0.0
                yield Cell(low, self.bounds[place] if place < len(self.bounds) else math.inf, count)

    def _exponential(self) -> Iterator[Cell]:
        if self.zero:
            yield Cell(0.0, 0.0, self.zero)
        assert self.scale is not None  # checked by the caller
        for index, count in self.at_scale(self.scale):
            yield Cell(_power(index, self.scale), _power(index + 1, self.scale), count)


def _power(index: int, scale: int) -> float:
    """b^index, within what a float can hold."""
    exponent = math.ldexp(float(index), -scale)
    return math.exp2(max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, exponent)))
