"""What a series does in health: its usual value, and how far its worst stretch of equal length goes from it.

Dividing by the worst healthy stretch instead of a standard deviation keeps spiky series (a p99) from crying wolf.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from statistics import median

MIN_POINTS = 8  # of a baseline series: fewer have no worst stretch worth the name
WORST = 0.97  # "worst" leaves out the worst 3 % of stretches: the baseline itself contains incidents


def best_half(values: Sequence[float], length: int) -> float:
    """The highest mean of `length` neighbouring values: incidents begin and end somewhere inside their window."""
    length = min(length, len(values))
    total = highest = sum(values[:length])
    for gone, come in zip(values, values[length:], strict=False):
        total += come - gone
        highest = max(highest, total)
    return highest / length


def peak_at(values: Sequence[float], length: int) -> int:
    """Where the best half begins."""
    length = min(length, len(values))
    return max(range(len(values) - length + 1), key=lambda start: sum(values[start : start + length]))


class Health:
    """One baseline series: `values` by the position of their interval in the baseline, ascending; at least MIN_POINTS of them."""

    def __init__(self, values: Sequence[tuple[int, float]], window: int, worst: float = WORST) -> None:
        self.usual = median(value for _, value in values)
        self._window, self._share = window, worst
        numbers = [value for _, value in values]
        half, last = min(half_of(window), len(numbers)), max(1, len(numbers) - window + 1)
        sums = [0.0, *accumulate(numbers)]
        halves = [(high - low) / half - self.usual for low, high in zip(sums, sums[half:], strict=False)]
        inside = max(1, window - half + 1)  # halves of one stretch
        self._places = [values[i][0] for i in range(last)]
        self._up = [(self._places[i], max(halves[i : i + inside])) for i in range(last)]
        self._down = [(self._places[i], -min(halves[i : i + inside])) for i in range(last)]
        self._up.sort(key=lambda found: found[1])
        self._down.sort(key=lambda found: found[1])

    def rise(self, values: Sequence[float], floor: float, without: int | None = None) -> float:
        """How far the best half of `values` lies above the usual, in worst healthy rises; 0 when it does not.

        `floor` is the smallest rise that counts as one, `without` the place of a baseline stretch that is left out (it is being judged).
        """
        return max(0.0, best_half(values, half_of(self._window)) - self.usual) / max(self._worst(self._up, without), floor)

    def fall(self, values: Sequence[float], floor: float, without: int | None = None) -> float:
        """The same downwards."""
        lowest = best_half([-value for value in values], half_of(self._window))
        return max(0.0, lowest + self.usual) / max(self._worst(self._down, without), floor)

    def _worst(self, found: Sequence[tuple[int, float]], without: int | None) -> float:
        """The quantile that counts as worst, walking down from the top past the stretches that overlap the one that is left out."""
        hidden = 0
        if without is not None:
            hidden = bisect_left(self._places, without + self._window) - bisect_right(self._places, without - self._window)
        above = len(found) - hidden - int(self._share * (len(found) - hidden))  # how many are the worst ones, that one included
        for at, size in reversed(found):
            if without is None or abs(at - without) >= self._window:
                above -= 1
                if above <= 0:
                    return size
        return 0.0


def half_of(window: int) -> int:
    return (window + 1) // 2


def quantile(values: Iterable[float], share: float) -> float:
    """With linear interpolation; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)
