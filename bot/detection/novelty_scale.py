"""How unlike everything before are the last few points, at one length of looking back?"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from bot.detection.novelty_memory import Memory, Vector
from bot.detection.novelty_rank import Rank

SEGMENTS = (
    4  # a window is remembered as so many means (piecewise aggregate approximation, Keogh et al. 2001): 2 lose detail, 8 gain nothing
)
NEAR_ENOUGH = 0.5  # nearer than half of all distances so far: nothing new, so neither searched to the end nor remembered again
ROUNDING = 1e-9  # a distance below this part of the values themselves is what summing floats leaves behind


class Scale:
    """Judges the window of the last `points` points by its distance to the nearest earlier window that does not overlap it."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._segment_points = max(1, points // SEGMENTS)
        self._memory = Memory(points // self._segment_points)
        self._distances = Rank()
        self._young: deque[tuple[int, Vector]] = deque()  # still overlap the window: kept back until they do not
        self._windows = 0

    def decades(self, recent: Sequence[float]) -> float:
        """How rare the newest window is, as -log10 of its p-value among all before it; it is remembered. `recent`: newest last.

        0 while there are too few points to say.
        """
        if len(recent) < self._points:
            return 0.0
        window = self._means(recent)
        self._windows += 1
        while self._young and self._young[0][0] <= self._windows - self._points:
            self._memory.add(self._young.popleft()[1])
        p_value = self._judge(window)
        # Windows one segment apart show all shapes there are; those in between would only crowd the memory.
        if (p_value < NEAR_ENOUGH or self._distances.cold) and self._windows % self._segment_points == 0:
            self._young.append((self._windows, window))
        return -math.log10(p_value)

    def _judge(self, window: Vector) -> float:
        if not self._memory:
            return 1.0
        distance = self._memory.near(window)
        if self._distances.cold or self._distances.p_value(distance) < NEAR_ENOUGH:
            distance = self._memory.nearest(window, distance)
        if distance <= ROUNDING * max(map(abs, window)):
            distance = 0.0
        p_value = self._distances.p_value(distance)
        self._distances.add(distance)
        return p_value

    def _means(self, recent: Sequence[float]) -> Vector:
        """The means of the segments, newest first: the newest bounds the search best."""
        step, end = self._segment_points, len(recent)
        return tuple(sum(recent[stop - step : stop]) / step for stop in range(end, end - self._points, -step))
