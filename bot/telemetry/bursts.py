"""Whether a service logs errors at an unusually high rate: a test of a count against the service's own past, with a stated level.

The past gives a rate with its uncertainty (Gamma posterior after Jeffreys' prior), and the count that is expected of the next seconds
is then negative binomial (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6). A few errors of a service that was watched for
a minute prove little, the same few after twenty quiet minutes prove much: the test says so by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from bot.telemetry import limits
from bot.telemetry.second_counts import SecondCounts

WINDOWS_S: Final = (10, 60)  # the short one for storms, the long one for what trickles
# Chance of a false burst in one look, if errors came independently of each other at a constant rate. 20 services have 5 million
# separate 10-second windows a month: 0.05 false bursts a month at this level.
LEVEL: Final = 1e-8
MIN_COUNT: Final = 5
# Errors do not come independently of each other, and rates follow the traffic: the count must also be this many times the expected
# one, and more than in any past window of equal length.
RISE: Final = 3.0
MIN_PAST_S: Final = 60.0


@dataclass(frozen=True)
class Burst:
    """A service that logs unusually many errors."""

    service: str
    started_s: float  # begin of the window in which it was first seen
    at_s: float  # when it was first seen
    count: int  # error lines in the last `window_s` seconds
    window_s: int
    expected: float  # what its past lets expect in so many seconds
    log10_chance: float  # decimal logarithm of the chance of at least `count`, if nothing had changed


class BurstWatch:
    """Looks at each service's errors again and again. While a burst lasts, its own errors are not taken for the past."""

    def __init__(self) -> None:
        self._bursts: dict[str, Burst] = {}

    def look(self, service: str, errors: SecondCounts, first_s: float, now_s: float) -> Burst | None:
        """`first_s`: since when the service is known. None when its rate is as usual, or its past is too short to say."""
        earlier = self._bursts.get(service)
        found = [burst for window_s in WINDOWS_S if (burst := _look(service, errors, first_s, now_s, window_s, earlier))]
        if not found:
            self._bursts.pop(service, None)
            return None
        self._bursts[service] = loudest = min(found, key=lambda burst: burst.log10_chance)
        return loudest


def _look(service: str, errors: SecondCounts, first_s: float, now_s: float, window_s: int, earlier: Burst | None) -> Burst | None:
    end_s = math.floor(now_s) + 1.0  # the second that runs counts
    start_s = end_s - window_s
    count = errors.total(start_s, end_s)
    if count < MIN_COUNT:
        return None
    past_start_s = max(math.floor(first_s), end_s - limits.LOG_KEPT_S)
    past_end_s = min(start_s, earlier.started_s) if earlier else start_s
    past_s = past_end_s - past_start_s
    if past_s < MIN_PAST_S:
        return None
    past = errors.total(past_start_s, past_end_s)
    expected = past * window_s / past_s
    if count < RISE * expected:
        return None
    log10_chance = log10_chance_of(count, window_s, past, past_s)
    if log10_chance > math.log10(LEVEL / len(WINDOWS_S)):
        return None
    if count <= errors.worst(past_start_s, past_end_s, window_s):
        return None
    began = (earlier.started_s, earlier.at_s) if earlier else (start_s, now_s)
    return Burst(service, *began, count, window_s, expected, log10_chance)


def log10_chance_of(count: int, window_s: float, past: int, past_s: float) -> float:
    """Decimal logarithm of the chance of at least `count` in `window_s` seconds, after `past` in `past_s` seconds."""
    shape = past + 0.5
    share = window_s / (window_s + past_s)
    log_first = (
        math.lgamma(count + shape) - math.lgamma(shape) - math.lgamma(count + 1) + shape * math.log1p(-share) + count * math.log(share)
    )
    total, term, at = 1.0, 1.0, count
    while term > 1e-9 * total:
        term *= (at + shape) / (at + 1) * share
        total += term
        at += 1
    return (log_first + math.log(total)) / math.log(10)
