"""The threshold that a budget of false alarms allows, from the scores seen so far and nothing else.

Health is most of the time, so the scores themselves say how often a height is reached by chance. The maxima of equal stretches of time
are taken (services of one storm count once); the maximum of many exponential tails follows a Gumbel distribution, which is laid through
the median and the ninth decile of what was seen: quantiles, because they do not move when a tenth of the time was an incident. What was
raised is left out: a threshold must not climb with the incidents it finds. Unless it is raised all the time: then it is noise, and counts.
Source: Coles, *An Introduction to Statistical Modeling of Extreme Values*, ch. 3.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bot.detection.alarm import Alarm

DAY_S = 86_400.0
LOWER, UPPER = 0.5, 0.9  # the quantiles that the Gumbel distribution is laid through
CONFIDENCE_Z = 1.64  # a budget is a limit: on 95 of 100 days no more than it, so fewer are expected
MIN_STRETCHES = 40  # before that, and as the least at any time, what is known beforehand decides
PRIOR_STRETCHES = 40.0  # weight of the scale known beforehand
MEMORY_STRETCHES = 4_096  # two weeks of five-minute stretches
GAPS = 101  # the latest spaces between ticks, whose median is the length of a stretch
MIN_STRETCH_S = 1.0


def expected_per_day(limit_per_day: float) -> float:
    """The Poisson mean whose count stays within the limit on 95 of 100 days: mean + 1.64 √mean = limit."""
    root = (-CONFIDENCE_Z + math.sqrt(CONFIDENCE_Z**2 + 4.0 * limit_per_day)) / 2.0
    return root * root


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """What is known of an engine's scores before any was seen. `scale`: by how much a score must rise to be e times rarer.
    `least`: no threshold is lower; None: the scores are sums of surprises, so theory gives the least for the rate that is wanted.
    `incident_share`: of the stretches, at most, may be left out as raised; a system that fails more often has no health to compare with."""

    scale: float
    least: float | None
    incident_share: float


SURPRISES = ScoreScale(scale=1.5, least=None, incident_share=0.2)  # a sum of surprises falls a little slower than e^-x
EFFECTS = ScoreScale(
    scale=0.3, least=0.7, incident_share=1.0
)  # effect sizes mean something by themselves: below a lasting doubling nothing
# is worth a person's time, and above it a system may well be broken most of the time that is seen


class Maxima:
    """The latest maxima, ordered."""

    def __init__(self) -> None:
        self._arrived: deque[float] = deque()
        self._ordered = array("d")

    @property
    def count(self) -> int:
        return len(self._ordered)

    def quantile(self, share: float) -> float:
        return self._ordered[int(share * len(self._ordered))]

    def learn(self, maximum: float) -> None:
        self._arrived.append(maximum)
        insort(self._ordered, maximum)
        if len(self._arrived) > MEMORY_STRETCHES:
            self._ordered.pop(bisect_left(self._ordered, self._arrived.popleft()))


class Budget:
    """Admits alarms whose score is rarer than `per_day` in health. One for each engine: only its own scores are comparable."""

    def __init__(self, per_day: float, known: ScoreScale = SURPRISES) -> None:
        self._known = known
        self._rate = expected_per_day(per_day)
        self._calm = Maxima()
        self._all = Maxima()
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._last_s = -math.inf
        self._stretch_end_s = -math.inf
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
        """The score that health is expected to reach so often that the budget is kept."""
        per_day = DAY_S / self._stretch_s()
        least = self._known.least
        if least is None:
            least = _least_surprise(services * per_day / self._rate)
        maxima = self._calm if self._calm.count >= (1.0 - self._known.incident_share) * self._all.count else self._all
        known = maxima.count
        if known < MIN_STRETCHES:
            return least
        lower, upper = maxima.quantile(LOWER), maxima.quantile(UPPER)
        seen_scale = (upper - lower) / (_gumbel(UPPER) - _gumbel(LOWER))
        scale = (seen_scale * known + self._known.scale * PRIOR_STRETCHES) / (known + PRIOR_STRETCHES)
        wanted = 1.0 - min(self._rate / per_day, 1.0 - UPPER)
        return max(least, upper + scale * (_gumbel(wanted) - _gumbel(UPPER)))

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
        if self._stretch_end_s > -math.inf:
            self._all.learn(self._maximum)
            if not self._raised:
                self._calm.learn(self._maximum)
        self._stretch_end_s = now_s + self._stretch_s() / 2.0
        self._maximum, self._raised = 0.0, False


def _least_surprise(trials_per_event: float) -> float:
    """The x that two summed surprises reach once in so many trials: the fixed point of trials × e^-x (1 + x) = 1."""
    least = 0.0
    for _ in range(20):
        least = math.log(max(trials_per_event, 1.0)) + math.log1p(least)
    return least


def _gumbel(probability: float) -> float:
    """The standard Gumbel distribution's quantile."""
    return -math.log(-math.log(probability))
