"""How surprising a value is, judged by the tail of what the same series did before.

Extreme value theory says that what exceeds a high threshold u is close to exponential (peaks over threshold: Pickands 1975; Coles,
*An Introduction to Statistical Modeling of Extreme Values*, ch. 4). Fed with logarithms this is a power-law tail of the raw values.
A surprise is -ln P(value or more): 0 is the most ordinary, and in health it is itself exponential with mean 1, whatever the series.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import deque

WINDOW = 600  # values remembered: two days of five-minute values
TAIL_SHARE = 0.1  # the upper tenth is the tail
MIN_VALUES = 20  # below this nothing is surprising yet: two values would make the tail
PRIOR_VALUES = 20.0  # the weight, in exceedances, of the tail that the bulk of the values predicts
MIN_SCALE = 0.02  # 2 % in logarithms: a series that never moved is not surprising by the last digit of a clock


class Tail:
    """The latest values of one series, ordered. `prior_scale`: the tail's mean excess when known beforehand (1.0 for surprises)."""

    __slots__ = ("_arrived", "_ordered", "_prior_scale")

    def __init__(self, prior_scale: float | None = None) -> None:
        self._arrived: deque[float] = deque()
        self._ordered = array("d")
        self._prior_scale = prior_scale

    @property
    def count(self) -> int:
        return len(self._ordered)

    def surprise(self, value: float) -> float:
        """-ln of the share of values that are this high or higher; 0 while fewer than MIN_VALUES are known."""
        known = len(self._ordered)
        if known < MIN_VALUES:
            return 0.0
        threshold, scale = self._fit()
        if value <= threshold:
            return -math.log((known - bisect_left(self._ordered, value) + 0.5) / (known + 1.0))
        return -math.log(TAIL_SHARE) + (value - threshold) / scale

    def value_at(self, surprise: float) -> float:
        """The value whose surprise is `surprise` (above the tail's threshold); infinite while too little is known."""
        if len(self._ordered) < MIN_VALUES:
            return math.inf
        threshold, scale = self._fit()
        return threshold + (surprise + math.log(TAIL_SHARE)) * scale

    def learn(self, value: float) -> None:
        self._arrived.append(value)
        insort(self._ordered, value)
        if len(self._arrived) > WINDOW:
            self._ordered.pop(bisect_left(self._ordered, self._arrived.popleft()))

    def _fit(self) -> tuple[float, float]:
        """(threshold, mean excess over it): what exceeded it, shrunk towards the exponential through median and threshold."""
        known = len(self._ordered)
        first = int((1.0 - TAIL_SHARE) * known)
        threshold, excesses = self._ordered[first], known - first
        prior = self._prior_scale
        if prior is None:
            prior = max((threshold - self._ordered[known // 2]) / math.log(0.5 / TAIL_SHARE), MIN_SCALE)
        total = sum(self._ordered[first:]) - threshold * excesses
        return threshold, (total + PRIOR_VALUES * prior) / (excesses + PRIOR_VALUES)
