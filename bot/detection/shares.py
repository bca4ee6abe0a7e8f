"""Bad events out of all events: a gauge that is a share of a count series of the same service, judged by the binomial distribution.

That a gauge is such a share shows in its values: share × count is a whole number, time after time. Which end is the bad one is a matter of
the metric, not of one service: over all services most values lie at the good end.
"""

from __future__ import annotations

import math

from bot.detection.chance import binomial_surprise
from bot.detection.tail import Tail

WHOLE = 0.02  # how far share × count may lie from a whole number: shares are written with few digits
MIN_FIT = 0.9  # of the checks that must come out whole
PRIOR_BAD = 0.5  # Jeffreys' half event, so that a service without a failure yet is not taken for infallible
PRIOR_EVENTS = 100.0
MEMORY = 0.998  # of the error share, an interval: half is forgotten after 350 intervals
LEARN_SURPRISE = 6.0  # what is learnt of a surprise: once in 400 intervals; more belongs to an incident
LEARN_BAD = 3.0  # and of bad events in such an interval: so many times the usual share, so that a lasting change becomes the rule slowly
TAIL_SCALE = 0.7  # mean excess of the logarithm of binomial surprises where failures come independently, with room for bursts


class Polarity:
    """Whether a metric counts the good (availability) or the bad share (error ratio): where most of its values lie, over all services."""

    def __init__(self) -> None:
        self._high = 0
        self._low = 0

    def observe(self, share: float) -> None:
        if share > 0.5:
            self._high += 1
        else:
            self._low += 1

    @property
    def counts_good(self) -> bool:
        return self._high >= self._low


class ShareJudge:
    """One share of one service: learns its usual bad share and how often chance alone exceeds it."""

    def __init__(self) -> None:
        self._percent = False
        self._checks = 0
        self._whole = 0
        self._bad = 0.0
        self._events = 0.0
        self._tail = Tail(prior_scale=TAIL_SCALE)

    def share(self, value: float) -> float | None:
        """The value as a share in 0..1; None when it is none."""
        if value > 1.0:
            self._percent = True
        share = value / 100.0 if self._percent else value
        return share if 0.0 <= share <= 1.0 else None

    def judge(self, share: float, events: float, counts_good: bool) -> float:
        """Surprise at the number of bad events, learning from it; 0 when the gauge turns out to be no share of these events."""
        total = round(events)
        if total < 1:
            return 0.0
        counted = share * events
        self._checks += 1
        self._whole += abs(counted - round(counted)) <= WHOLE
        if self._whole < MIN_FIT * self._checks:
            return 0.0
        bad = float(round(events * (1.0 - share)) if counts_good else round(counted))
        usual = (self._bad + PRIOR_BAD) / (self._events + PRIOR_EVENTS)
        height = math.log1p(binomial_surprise(round(bad), total, usual))
        surprise = self._tail.surprise(height) if height > 0.0 else 0.0
        self._tail.learn(min(height, self._tail.value_at(LEARN_SURPRISE)))
        if surprise >= LEARN_SURPRISE:
            bad = min(bad, LEARN_BAD * usual * total)
        self._bad = self._bad * MEMORY + bad
        self._events = self._events * MEMORY + total
        return surprise
