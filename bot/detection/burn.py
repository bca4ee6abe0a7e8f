"""Burn rates: how fast the bad requests that are allowed get used up, over pairs of a long and a short window.

Multi-window, multi-burn-rate alerting (Google, "The Site Reliability Workbook", chapter "Alerting on SLOs"): a pair speaks when both
its windows burn faster than its factor. It finds what is too slow and too small for one short window. Counts are kept by the minute
and in memory only: after a restart, the time before counts as having had the same traffic and nothing bad.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

MINUTE_S = 60.0


@dataclass(frozen=True)
class Pair:
    """Burning `factor` times as fast as is allowed, over the last `long_minutes` and still over the last `short_minutes`."""

    factor: float
    long_minutes: int
    short_minutes: int


PAIRS = (Pair(14.4, 60, 5), Pair(6.0, 360, 30), Pair(1.0, 4320, 360))
MINUTES = max(pair.long_minutes for pair in PAIRS)  # 35 KiB for one stream


class Burn:
    """Minutes of one stream against `allowed`, the ratio of bad requests that may be. `min_bad` guards times of low traffic."""

    def __init__(self, allowed: float, min_bad: int) -> None:
        self._allowed = allowed
        self._min_bad = min_bad
        self.reset()

    def reset(self) -> None:
        """Counting begins anew: what was burnt before has been dealt with."""
        self._requests = array("I", bytes(4 * MINUTES))
        self._bad = array("I", bytes(4 * MINUTES))
        self._minute: int | None = None  # the newest
        self._first_minute = 0
        self._windows = {size: _Sums() for pair in PAIRS for size in (pair.long_minutes, pair.short_minutes)}

    def observe(self, requests: int, bad: int, now_s: float) -> None:
        self._move(int(now_s // MINUTE_S))
        at = (self._minute or 0) % MINUTES
        self._requests[at] += requests
        self._bad[at] += bad
        for sums in self._windows.values():
            sums.requests += requests
            sums.bad += bad

    def _move(self, minute: int) -> None:
        """Lets the minutes pass up to `minute`; what leaves a window is taken from its sums."""
        if self._minute is None or minute - self._minute > MINUTES:
            self.reset()
            self._minute = self._first_minute = minute
            return
        while self._minute < minute:
            self._minute += 1
            for size, sums in self._windows.items():
                at = (self._minute - size) % MINUTES
                sums.requests -= self._requests[at]
                sums.bad -= self._bad[at]
            self._requests[self._minute % MINUTES] = self._bad[self._minute % MINUTES] = 0

    def burning(self, now_s: float) -> Pair | None:
        """The fastest pair that burns; None when none does."""
        if self._minute is None or self._allowed <= 0:
            return None
        self._move(int(now_s // MINUTE_S))
        seen = self._minute - self._first_minute + 1
        for pair in PAIRS:
            long, short = self._windows[pair.long_minutes], self._windows[pair.short_minutes]
            if long.bad >= self._min_bad and all(
                self._rate(sums, minutes, seen) > pair.factor for sums, minutes in ((long, pair.long_minutes), (short, pair.short_minutes))
            ):
                return pair
        return None

    def _rate(self, sums: _Sums, minutes: int, seen: int) -> float:
        requests = sums.requests * max(1.0, minutes / seen)
        return sums.bad / requests / self._allowed if requests else 0.0


@dataclass(slots=True)
class _Sums:
    requests: int = 0
    bad: int = 0
