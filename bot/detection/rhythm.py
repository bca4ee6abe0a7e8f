"""What hour of the day does to a series, once enough days have been seen to tell."""

from __future__ import annotations

from collections import deque
from statistics import median

HOUR_S = 3_600.0
HOURS = 24
DAYS_KEPT = 7
DAYS_NEEDED = 3  # of an hour, before it may differ from the rest of the day


class Rhythm:
    """Per hour of the (UTC) day, the mean of each of its latest days. The median over days is not moved by one bad day."""

    __slots__ = ("_count", "_days", "_known", "_open_hour", "_sum")

    def __init__(self) -> None:
        self._days: tuple[deque[float], ...] = tuple(deque(maxlen=DAYS_KEPT) for _ in range(HOURS))
        self._open_hour = -1
        self._sum = 0.0
        self._count = 0
        self._known = (-1, 0.0)  # the hour asked last, and the answer: it stays the same until the next hour

    def offset(self, at_s: float) -> float:
        """How much higher the series usually is at this hour than over the whole day; 0 until each hour was seen on DAYS_NEEDED days."""
        if self._known[0] != _hour(at_s):
            self._known = _hour(at_s), self._difference(self._days[_hour(at_s) % HOURS])
        return self._known[1]

    def _difference(self, days: deque[float]) -> float:
        if len(days) < DAYS_NEEDED or any(len(other) < DAYS_NEEDED for other in self._days):
            return 0.0
        return median(days) - median(median(other) for other in self._days)

    def learn(self, at_s: float, value: float) -> None:
        hour = _hour(at_s)
        if hour != self._open_hour:
            if self._count:
                self._days[self._open_hour % HOURS].append(self._sum / self._count)
            self._open_hour, self._sum, self._count = hour, 0.0, 0
        self._sum += value
        self._count += 1


def _hour(at_s: float) -> int:
    return int(at_s // HOUR_S)
