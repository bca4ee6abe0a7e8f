"""The threshold that a budget of false alarms allows, from the scores seen so far and nothing else.

Health is most of the time, so the scores' own tail says how often a height is reached by chance: the maxima of equal stretches of time
are taken (neighbours in time and services of one storm count once), an exponential is fitted above their quantile (peaks over threshold),
and the height is chosen that it reaches so many times a day. What was raised is left out of the fit: a threshold must not climb with the
incidents it finds.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from bot.detection.alarm import Alarm

DAY_S = 86_400.0
FIT_ABOVE = 0.75  # the quantile of the stretches' maxima above which the exponential holds
MIN_STRETCHES = 40  # before that the theoretical tail alone decides
PRIOR_STRETCHES = 20.0  # weight of the theoretical tail in the fit, in exceedances
PRIOR_SCALE = 1.5  # mean excess in theory: a sum of surprises falls a little slower than e^-x
MARGIN = 0.25  # of the budget that is spent on what the fit expects: it is a fit, and a budget is a limit
MEMORY_STRETCHES = 4_096  # two weeks of five-minute stretches
MIN_STRETCH_S = 1.0


class Budget:
    """Admits alarms whose score is rarer than `per_day` in health. One for each engine: only its scores are comparable."""

    def __init__(self, per_day: float) -> None:
        self.per_day = per_day
        self._arrived: deque[float] = deque()
        self._maxima = array("d")
        self._gaps: deque[float] = deque(maxlen=101)
        self._stretch_end_s = -math.inf
        self._last_s = -math.inf
        self._maximum = 0.0
        self._raised = False

    def admit(self, alarms: Sequence[Alarm], now_s: float, services: int) -> list[Alarm]:
        """What stays of `alarms`, all candidates of one tick at `now_s`; `services`: how many are watched."""
        self._advance(now_s)
        limit = self.threshold(services)
        raised = [alarm for alarm in alarms if alarm.score >= limit]
        self._raised = self._raised or bool(raised)
        self._maximum = max(self._maximum, max((alarm.score for alarm in alarms), default=0.0))
        return raised

    def threshold(self, services: int) -> float:
        """The score that health reaches MARGIN × `per_day` times a day."""
        rate = self.per_day * MARGIN
        stretches_per_day = DAY_S / self._stretch_s()
        theory = 0.0
        for _ in range(20):  # the fixed point of services × stretches × e^-x (1 + x) = rate
            theory = math.log(max(services * stretches_per_day / rate, 1.0)) + math.log1p(theory)
        known = len(self._maxima)
        if known < MIN_STRETCHES:
            return theory
        first = int(FIT_ABOVE * known)
        above, count = self._maxima[first], known - first
        scale = (sum(self._maxima[first:]) - above * count + PRIOR_STRETCHES * PRIOR_SCALE) / (count + PRIOR_STRETCHES)
        return max(theory, above + scale * math.log(max((1.0 - FIT_ABOVE) * stretches_per_day / rate, 1.0)))

    def _stretch_s(self) -> float:
        """The usual time between ticks."""
        gaps = sorted(self._gaps)
        return max(gaps[len(gaps) // 2], MIN_STRETCH_S) if gaps else MIN_STRETCH_S

    def _advance(self, now_s: float) -> None:
        if now_s > self._last_s > -math.inf:
            self._gaps.append(now_s - self._last_s)
        self._last_s = max(self._last_s, now_s)
        if now_s < self._stretch_end_s:
            return
        if self._stretch_end_s > -math.inf and not self._raised:
            self._learn(self._maximum)
        self._stretch_end_s = now_s + self._stretch_s() / 2
        self._maximum, self._raised = 0.0, False

    def _learn(self, maximum: float) -> None:
        self._arrived.append(maximum)
        insort(self._maxima, maximum)
        if len(self._arrived) > MEMORY_STRETCHES:
            self._maxima.pop(bisect_left(self._maxima, self._arrived.popleft()))
