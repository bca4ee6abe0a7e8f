"""Sequential detection on a stream of requests that are good or bad: as early as the evidence allows, with a stated false-alarm bound.

An e-detector (Shin, Ramdas, Rinaldo: "E-detectors: a nonparametric framework for sequential change detection", 2022) of the
Shiryaev-Roberts kind over a mixture of alternatives. Its value is a sum over all moments at which the bad time may have begun, each
weighted by the likelihood ratio of what came since; here a second counts for one such moment, whatever the traffic and however it is
batched. While requests are bad at most as often as the null ratio says, the value's mean is at most the seconds that have passed, so
that the mean time to a false alarm is at least the threshold in seconds.
"""

from __future__ import annotations

import math

SECONDS_PER_YEAR = 365.25 * 86_400.0
ALTERNATIVES = 6  # bad ratios that are looked for; more of them cost time and gain little
WORST_RATIO = 0.95  # the largest of them
SMALLEST_RATIO = 1e-5  # no null ratio is taken to be smaller: a service that never failed yet may fail once
CAP = 3.0  # times the threshold: how far a value may rise, so that good requests bring it down soon
LOG_LIMIT = 500.0  # of one batch's log likelihood ratio: exp() stays finite


def alternatives(allowed: float) -> tuple[float, ...]:
    """Bad ratios beyond `allowed`, evenly spaced by their logarithm, from twice it (or half-way to one) to WORST_RATIO."""
    lowest = min(2.0 * max(allowed, SMALLEST_RATIO), (1.0 + allowed) / 2.0)
    highest = max(WORST_RATIO, (1.0 + lowest) / 2.0)
    step = math.log(highest / lowest) / (ALTERNATIVES - 1)
    return tuple(lowest * math.exp(step * i) for i in range(ALTERNATIVES))


class Sequential:
    """One stream against the ratio that is allowed. `false_alarms_per_year` bounds the mean rate while nothing is wrong."""

    def __init__(self, allowed: float, false_alarms_per_year: float) -> None:
        self.threshold_s = SECONDS_PER_YEAR / false_alarms_per_year
        self._alternatives = alternatives(allowed)
        self._values = [0.0] * ALTERNATIVES

    @property
    def value_s(self) -> float:
        return sum(self._values) / ALTERNATIVES

    @property
    def alarmed(self) -> bool:
        return self.value_s >= self.threshold_s

    def reset(self) -> None:
        self._values = [0.0] * ALTERNATIVES

    def update(self, requests: int, bad: int, elapsed_s: float, null_ratio: float, dispersion: float = 1.0) -> None:
        """Takes a batch that came within `elapsed_s`. `null_ratio`: the bad ratio that counts as nothing wrong, known before the batch.

        `dispersion` above 1 (variance of bad counts over their mean) tempers the evidence where bad requests come in clusters.
        """
        if requests <= 0:
            return  # no requests, no moment at which they could have become bad
        null = min(max(null_ratio, SMALLEST_RATIO), self._alternatives[0] * 0.999)
        good = requests - bad
        most = CAP * self.threshold_s * ALTERNATIVES
        for i, ratio in enumerate(self._alternatives):
            log_ratio = bad * math.log(ratio / null) + good * math.log((1.0 - ratio) / (1.0 - null))
            factor = math.exp(min(LOG_LIMIT, max(-LOG_LIMIT, log_ratio / dispersion)))
            self._values[i] = min(most, (self._values[i] + max(0.0, elapsed_s)) * factor)
