"""Requests that should be there and are not: an operation that falls silent, or far below what its own past makes plausible.

A Shiryaev-Roberts sum, as in bot/detection/sequential.py, over what Poisson counts say of a loss against the lowest plausible rate;
counts that vary more than Poisson's have their evidence tempered by their dispersion. The lowest plausible rate follows from the last
hour and from the same hour of yesterday and of last week, so that a night or a weekend that comes as it came before is no loss.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from dataclasses import dataclass

from bot.detection.sequential import CAP, LOG_LIMIT, SECONDS_PER_YEAR

LEFT = (0.01, 0.1, 0.3)  # the shares of its traffic that may be left to an operation that lost it
PLAUSIBLE = 0.5  # of the lowest rate seen at such a time: less is a loss
PLAUSIBLE_UNKNOWN = 0.2  # the same as long as there is no last week to ask
BLOCK_S = 600.0
MINUTES_PER_BLOCK = 10
BLOCKS = 6  # the last hour
HOURS_PER_DAY, HOURS_PER_WEEK = 24, 168
MEMORY = 0.9  # of the dispersion, from block to block
GAPS = 3.0  # a silence is no loss before it is so many times as long as the longest one known
UNKNOWN_RATE = -1.0
SETTLED_S = 1.0  # a value below this says that nothing is missing


@dataclass(frozen=True)
class Shortfall:
    """Too few requests since `since_s`; `usual_per_s` is what the last hour had."""

    since_s: float
    usual_per_s: float
    lowest_plausible_per_s: float


class Volume:
    """The traffic of one operation. Feed it whole seconds in their order, the silent ones too (by asking), then ask."""

    def __init__(self, false_alarms_per_year: float, min_history_s: float, min_silence_s: float) -> None:
        self._threshold_s = SECONDS_PER_YEAR / false_alarms_per_year
        self._min_history_s = min_history_s
        self._min_silence_s = min_silence_s
        self._first_s: float | None = None
        self._now_s = 0.0
        self._last_request_s = 0.0
        self._longest_gap_s = 0.0
        self._block_s = 0.0
        self._minutes = [0] * MINUTES_PER_BLOCK
        self._blocks: deque[float] = deque(maxlen=BLOCKS)  # rates of the last hour's
        self._varied = self._dispersion = 1.0
        self._lowest = math.inf  # block of this hour
        self._hours = array("f", [UNKNOWN_RATE] * HOURS_PER_WEEK)  # the lowest block of each hour of the week, when it last was
        self._values = [0.0] * len(LEFT)
        self._evidence = 0.0  # of the moment at which it became positive for the last time, the loss may have begun
        self._since_s = 0.0

    @property
    def usual_per_s(self) -> float:
        return sum(self._blocks) / len(self._blocks) if self._blocks else 0.0

    def observe(self, requests: int, now_s: float) -> None:
        """`requests` that came since the last call; 0 lets the time pass."""
        if self._first_s is None:
            if not requests:
                return
            self._begin(now_s)
        elapsed_s = now_s - self._now_s
        if elapsed_s < 0:
            elapsed_s = 0.0  # late ones: they count now
        self._now_s = max(now_s, self._now_s)
        if elapsed_s or requests:
            self._weigh(requests, elapsed_s)
        if requests:
            if not self._suspicious:
                self._longest_gap_s = max(self._longest_gap_s, self._now_s - self._last_request_s)
            self._last_request_s = self._now_s
        while self._now_s >= self._block_s + BLOCK_S:
            self._close_block()
        self._minutes[min(MINUTES_PER_BLOCK - 1, int((self._now_s - self._block_s) // 60.0))] += requests

    def blind(self, now_s: float) -> None:
        """Nobody could have been heard until `now_s`: what has passed says nothing."""
        self._now_s = self._last_request_s = self._since_s = now_s
        self._values = [0.0] * len(LEFT)
        self._evidence = 0.0
        self._block_s = max(self._block_s, now_s - now_s % BLOCK_S)
        self._minutes = [0] * MINUTES_PER_BLOCK

    def shortfall(self) -> Shortfall | None:
        lowest_per_s = self._lowest_plausible_per_s()
        if sum(self._values) / len(LEFT) < self._threshold_s or lowest_per_s <= 0:
            return None
        if self._now_s - self._since_s < max(self._min_silence_s, GAPS * self._longest_gap_s):
            return None
        return Shortfall(self._since_s, self.usual_per_s, lowest_per_s)

    def _begin(self, now_s: float) -> None:
        self._first_s = self._now_s = self._last_request_s = self._since_s = now_s
        self._block_s = now_s - now_s % BLOCK_S + BLOCK_S  # the first block that is seen whole

    @property
    def _suspicious(self) -> bool:
        """Whether it looks so much like a loss that what is seen now must not be learnt."""
        return sum(self._values) / len(LEFT) > math.sqrt(self._threshold_s)

    def _weigh(self, requests: int, elapsed_s: float) -> None:
        lowest_per_s = self._lowest_plausible_per_s()
        if lowest_per_s <= 0:
            return
        most = CAP * self._threshold_s * len(LEFT)
        expected = lowest_per_s * elapsed_s
        for i, left in enumerate(LEFT):
            log_ratio = (requests * math.log(left) + (1.0 - left) * expected) / self._dispersion
            factor = math.exp(min(LOG_LIMIT, max(-LOG_LIMIT, log_ratio)))
            self._values[i] = min(most, (self._values[i] + elapsed_s) * factor)
        left = LEFT[-1]
        self._evidence = max(0.0, self._evidence + requests * math.log(left) + (1.0 - left) * expected)
        if self._evidence == 0.0:
            self._since_s = self._now_s

    def _lowest_plausible_per_s(self) -> float:
        if self._first_s is None or self._now_s - self._first_s < self._min_history_s or len(self._blocks) < BLOCKS:
            return 0.0
        hour = int(self._now_s // 3_600.0)
        ago = (HOURS_PER_WEEK, HOURS_PER_WEEK - 1, HOURS_PER_DAY, HOURS_PER_DAY - 1)
        past = [self._hours[(hour - hours) % HOURS_PER_WEEK] for hours in ago]
        plausible = PLAUSIBLE if past[0] != UNKNOWN_RATE else PLAUSIBLE_UNKNOWN
        return plausible * min([*self._blocks, *(rate for rate in past if rate != UNKNOWN_RATE)])

    def _close_block(self) -> None:
        counts, began_s = self._minutes, self._block_s
        self._block_s += BLOCK_S
        self._minutes = [0] * MINUTES_PER_BLOCK
        if self._suspicious:
            return
        mean = sum(counts) / MINUTES_PER_BLOCK
        if mean > 0:
            found = sum((count - mean) ** 2 for count in counts) / (MINUTES_PER_BLOCK - 1) / mean
            self._varied = MEMORY * self._varied + (1.0 - MEMORY) * found
            self._dispersion = max(1.0, self._varied)
        rate = sum(counts) / BLOCK_S
        self._blocks.append(rate)
        self._lowest = min(self._lowest, rate)
        if self._block_s % 3_600.0 == 0.0:
            self._hours[int(began_s // 3_600.0) % HOURS_PER_WEEK] = self._lowest
            self._lowest = math.inf
