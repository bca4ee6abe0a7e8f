"""Chances that the engines share, as surprises (-ln p), so that they neither underflow nor need a statistics library."""

from __future__ import annotations

import math

NEGLIGIBLE = 1e-12  # a term of a sum that changes nothing


def binomial_surprise(bad: int, total: int, bad_share: float) -> float:
    """-ln P(at least `bad` of `total` when each is bad with chance `bad_share`); 0 when `bad` is at most what is expected."""
    if bad <= 0 or bad <= total * bad_share:
        return 0.0
    share = min(max(bad_share, 1e-9), 1.0 - 1e-9)
    odds = share / (1.0 - share)
    first = math.lgamma(total + 1) - math.lgamma(bad + 1) - math.lgamma(total - bad + 1)
    first += bad * math.log(share) + (total - bad) * math.log1p(-share)
    term = series = 1.0
    for count in range(bad, total):
        term *= (total - count) / (count + 1.0) * odds
        series += term
        if term < NEGLIGIBLE * series:
            break
    return -(first + math.log(series))


def summed_surprise(total: float) -> float:
    """Fisher's method for two: -ln P(the sum of two exponential surprises is at least `total`) = total - ln(1 + total)."""
    return total - math.log1p(total)
