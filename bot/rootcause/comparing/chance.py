"""How unlikely a difference between two samples is by chance, and how large it is. Evidence is −log10 of a one-sided p-value."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

MOST_EVIDENCE = 300.0  # below this p-value floats end
SHIFT_AT = (0.5, 0.6, 0.7, 0.8)  # quantiles: an incident often begins inside its window, so the upper half tells; the far tail is noise


def more_often(usual: int, of_usual: int, now: int, of_now: int) -> float:
    """Evidence that `now` of `of_now` is a larger share than `usual` of `of_usual` (Fisher's exact test, one-sided)."""
    hits, total = usual + now, of_usual + of_now
    most = min(hits, of_now)
    if now == 0 or now > most:
        return 0.0
    whole = _log_choose(total, of_now)
    logs = [
        _log_choose(hits, k) + _log_choose(total - hits, of_now - k) - whole for k in range(now, most + 1) if of_now - k <= total - hits
    ]
    top = max(logs)
    log_p = top + math.log(sum(math.exp(one - top) for one in logs))
    return min(max(-log_p / math.log(10), 0.0), MOST_EVIDENCE)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def larger(usual: Sequence[float], now: Sequence[float]) -> tuple[float, float]:
    """The chance that a value of now is larger than one of usual (0.5: no difference), and the evidence for more than 0.5.

    Mann and Whitney (1947), normal approximation without correction for ties. Both samples must be sorted and not empty.
    """
    n, m = len(usual), len(now)
    wins = sum((bisect_left(usual, value) + bisect_right(usual, value)) / 2 for value in now)
    z = (wins - n * m / 2 - 0.5) / math.sqrt(n * m * (n + m + 1) / 12)
    return wins / (n * m), min(-math.log10(max(math.erfc(z / math.sqrt(2)) / 2, 10**-MOST_EVIDENCE)), MOST_EVIDENCE)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of a sorted, not empty sample, by linear interpolation."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def shift(usual: Sequence[float], now: Sequence[float]) -> float:
    """By how much the upper half of `now` lies above that of `usual`, in their unit. Both sorted and not empty."""
    return sum(quantile(now, share) - quantile(usual, share) for share in SHIFT_AT) / len(SHIFT_AT)
