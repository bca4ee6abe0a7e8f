"""Which metrics are shares of requests (availability, error ratio), as their values show: share × requests is a whole number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bot.rootcause.metrics.keys import Key, Values
from bot.rootcause.metrics.quantities import MEANS

WHOLE_WITHIN = 0.02  # of a whole number: shares are written with few digits
MIN_FIT = 0.9  # of the values come out whole
MIN_PARTIAL = 3  # values strictly inside the range: a constant 1 fits anything


def shares_of_requests(points: Mapping[Key, Mapping[str, Values]]) -> frozenset[str]:
    """Metrics called a share, and those that only come as means (so that they look like times) but count requests by their values."""
    statistics: defaultdict[str, set[str]] = defaultdict(set)
    for key in points:
        statistics[key.label.metric].add(key.label.statistic.strip().lower())
    found = {key.label.metric for key in points if key.quantity == "share"}
    unclear = {key.label.metric for key in points if key.quantity == "time" and not key.caller} - found
    return frozenset(found | {metric for metric in unclear if statistics[metric] <= MEANS and _counts_requests(metric, points)})


def _counts_requests(metric: str, points: Mapping[Key, Mapping[str, Values]]) -> bool:
    requests = {(key.service, who): values for key, by in points.items() if key.quantity == "requests" for who, values in by.items()}
    shares = {(key.service, who): values for key, by in points.items() if key.label.metric == metric for who, values in by.items()}
    highest = max((value for values in shares.values() for value in values.values()), default=0.0)
    whole = 100.0 if highest > 1.0 else 1.0
    fits = partial = 0
    for whose, values in shares.items():
        known = requests.get(whose, {})
        for at, value in values.items():
            if at in known and 0.0 < value < whole:
                counted = value / whole * known[at]
                partial += 1
                fits += abs(counted - round(counted)) <= WHOLE_WITHIN
    return partial >= MIN_PARTIAL and highest <= whole and fits >= MIN_FIT * partial
