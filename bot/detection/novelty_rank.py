"""How rare a number is among those seen before it: a rank p-value in constant memory.

Numbers of unlike series (bytes, percent, requests) become comparable by their rank in their own past, whatever their distribution:
the p-value of conformal anomaly detection (Laxhammar & Falkman, Annals of Mathematics and Artificial Intelligence 74, 2015).
"""

from __future__ import annotations

import math
from array import array

BUCKETS_PER_E = 20  # a bucket is 5 % wide: numbers this close count as equally large
BUCKETS = 1_024  # e^±25, eleven decades to either side of the first number above zero; what lies further out counts in the outermost
WARM_COUNT = 50  # of fewer numbers even the largest ever would have a p-value above 0.02, which says nothing
FULL_COUNT = 8_000  # then all counts are halved: the past fades, and no p-value below 1/8000 is claimed


class Rank:
    """The numbers (≥ 0) seen so far as counts in logarithmic buckets (8 KiB), the old ones fading."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * BUCKETS))
        self._total = 0
        self._highest = 0  # no bucket above it was ever used
        self._unit = 0.0  # the first number above zero: the middle of the buckets

    @property
    def cold(self) -> bool:
        """Too few numbers were seen for a rank to mean anything."""
        return self._total < WARM_COUNT

    def p_value(self, number: float) -> float:
        """The share of the numbers seen, this one among them, that are at least as large (0 < p ≤ 1); 1 while cold."""
        if self.cold or number <= 0.0:
            return 1.0
        return (sum(self._counts[self._bucket(number) : self._highest + 1]) + 1) / (self._total + 1)

    def add(self, number: float) -> None:
        """Remember the number."""
        if self._unit == 0.0 < number:
            self._unit = number
        bucket = self._bucket(number)
        self._highest = max(self._highest, bucket)
        self._counts[bucket] += 1
        self._total += 1
        if self._total >= FULL_COUNT:
            self._counts = array("Q", (count // 2 for count in self._counts))
            self._total = sum(self._counts)

    def _bucket(self, number: float) -> int:
        if number <= 0.0:
            return 0
        if self._unit == 0.0:  # only zeros so far: whatever is above zero is above them all
            return 1
        # Logarithms one by one, because the quotient of two finite numbers may overflow.
        steps = math.floor((math.log(number) - math.log(self._unit)) * BUCKETS_PER_E)
        return min(BUCKETS - 1, max(1, BUCKETS // 2 + steps))
