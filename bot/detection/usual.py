"""What is usual for one stream of requests: how often they are bad, and how much the bad ones cluster, while nothing is wrong."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

KNOWN_REQUESTS = 500  # before so many, nothing is known
REMEMBERED_REQUESTS = 500_000  # then all sums are halved
CLUSTERED = 1.5  # a smaller dispersion is chance
MIN_BAD = 20  # fewer bad ones say nothing of their dispersion


@dataclass(slots=True)
class Period:
    start_s: float
    requests: int = 0
    bad: int = 0


class Usual:
    """Sums over periods of `period_s`. A period is learnt `delay_periods` later, so that a bad time can be noticed before it is learnt."""

    def __init__(self, period_s: float, delay_periods: int = 3) -> None:
        self._period_s = period_s
        self._delay = delay_periods
        self._pending: deque[Period] = deque()
        self._requests = self._bad = self._squares = self._periods = 0.0

    @property
    def known(self) -> bool:
        return self._requests >= KNOWN_REQUESTS

    @property
    def requests(self) -> int:
        return int(self._requests)

    def ratio(self, at_most: float) -> float:
        """An upper bound of the usual bad ratio: the mean plus two deviations, with three more bad ones (the rule of three)."""
        if not self.known:
            return at_most
        return min(at_most, (self._bad + 2.0 * math.sqrt(self._bad) + 3.0) / self._requests)

    @property
    def dispersion(self) -> float:
        """Variance over mean of the bad ones of a period: 1 when they come independently, about k when they come k at a time."""
        return self.dispersion_or(1.0)

    def dispersion_or(self, unknown: float) -> float:
        """The same; `unknown` before enough bad ones have been seen."""
        if self._bad < MIN_BAD or not self._periods:
            return unknown
        mean = self._bad / self._periods
        found = (self._squares / self._periods - mean * mean) / mean
        return found if found > CLUSTERED else 1.0

    def observe(self, requests: int, bad: int, now_s: float) -> None:
        start_s = now_s - now_s % self._period_s
        if not self._pending or self._pending[-1].start_s < start_s:
            self._pending.append(Period(start_s))
        self._pending[-1].requests += requests
        self._pending[-1].bad += bad
        while len(self._pending) > self._delay:
            self._learn(self._pending.popleft())

    def forget_pending(self) -> None:
        """Something is wrong: what came of late is not usual."""
        self._pending.clear()

    def _learn(self, period: Period) -> None:
        self._requests += period.requests
        self._bad += period.bad
        self._squares += period.bad**2
        self._periods += 1
        if self._requests > REMEMBERED_REQUESTS:
            self._requests, self._bad, self._squares, self._periods = (
                x / 2.0 for x in (self._requests, self._bad, self._squares, self._periods)
            )
