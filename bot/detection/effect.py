"""How much longer than usual something took, as an effect size against what was learnt so far.

An effect of 1 is e times as long. Below SOFT_FLOOR_S nobody notices: 3 ms that become 9 ms weigh little, 3 ms that become 2 s weigh all.
A young series borrows the usual time from the fleet of its kind.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import deque

SOFT_FLOOR_S = 0.01
WINDOW = 400  # values remembered
MATURE = 20  # values from which on a series stands on its own
FLEET_WEIGHT = 4  # values that the fleet's median counts for in a young series
NOISY_SHARE = 0.9  # the quantile whose distance from the median is a series' own noise
STRANGE = 1.0  # an effect above this is not learnt …
ADOPT_S = 3_600.0  # … unless nothing else was seen for an hour: then it is how things are now


def height(duration_s: float) -> float:
    return math.log(max(duration_s, 0.0) + SOFT_FLOOR_S)


class Usual:
    """The latest heights of one series, ordered."""

    __slots__ = ("_arrived", "_ordered", "_strange", "_strange_since_s")

    def __init__(self) -> None:
        self._arrived: deque[float] = deque()
        self._ordered = array("d")
        self._strange: deque[float] = deque(maxlen=MATURE)
        self._strange_since_s = math.inf

    @property
    def count(self) -> int:
        return len(self._ordered)

    @property
    def median(self) -> float:
        return self._ordered[len(self._ordered) // 2]

    def effect(self, value: float, fleet: Usual | None) -> float:
        """Effect size of a height; 0 while neither the series nor the fleet is known. `fleet` None: a young series is never surprising."""
        known = len(self._ordered)
        if known >= MATURE:
            noise = self._ordered[int(NOISY_SHARE * known)] - self.median
            return (value - self.median) / max(1.0, noise)
        if fleet is None or fleet.count < MATURE:
            return 0.0
        borrowed = (known * self.median + FLEET_WEIGHT * fleet.median) / (known + FLEET_WEIGHT) if known else fleet.median
        return value - (max(borrowed, self.median) if known else borrowed)

    def learn(self, at_s: float, value: float, effect: float) -> None:
        if effect < STRANGE:
            self._strange_since_s = math.inf
            self._strange.clear()
            self._push(value)
            return
        self._strange_since_s = min(self._strange_since_s, at_s)
        self._strange.append(value)
        if at_s - self._strange_since_s >= ADOPT_S and len(self._strange) == MATURE:
            self._arrived.clear()
            self._ordered = array("d")
            for strange in self._strange:
                self._push(strange)
            self._strange.clear()
            self._strange_since_s = math.inf

    def _push(self, value: float) -> None:
        self._arrived.append(value)
        insort(self._ordered, value)
        if len(self._arrived) > WINDOW:
            self._ordered.pop(bisect_left(self._ordered, self._arrived.popleft()))
