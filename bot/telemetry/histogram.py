"""How long requests took before and now, in a few buckets that people and models can read."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, Protocol

from bot.evidence import Histogram
from bot.telemetry.windows import quantile

MAX_EDGES: Final = 10
STEPS: Final = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))  # edges a decade: the finest that gives few enough
DECADES: Final = range(-1, 8)  # of milliseconds: 0.1 ms to a day


class Durations(Protocol):
    """A distribution of durations in milliseconds: a sketch, or the exact values."""

    @property
    def count(self) -> int: ...
    def quantile(self, q: float) -> float | None: ...
    def count_above(self, value_ms: float) -> int: ...


class Exact:
    """Durations as they are."""

    def __init__(self, values_ms: Iterable[float]) -> None:
        self._ordered = sorted(values_ms)

    @property
    def count(self) -> int:
        return len(self._ordered)

    def quantile(self, q: float) -> float | None:
        return quantile(self._ordered, q)

    def count_above(self, value_ms: float) -> int:
        return len(self._ordered) - bisect_right(self._ordered, value_ms)


def histogram(number: int, before: Durations, now: Durations) -> Histogram | None:
    """Both distributions over the same edges; None when there is nothing now."""
    if not now.count:
        return None
    low = min(value for one in (before, now) if (value := one.quantile(0.01)) is not None)
    high = max(value for one in (before, now) if (value := one.quantile(1.0)) is not None)
    edges = _edges(low, high)
    return Histogram(f"h{number}", edges, _counts(before, edges), _counts(now, edges))


def _edges(low: float, high: float) -> tuple[float, ...]:
    """From the last edge at or below `low` to the first at or above `high`."""
    for steps in STEPS:
        series = [step * 10.0**decade for decade in DECADES for step in steps]
        first = max((edge for edge in series if edge <= low), default=series[0])
        last = min((edge for edge in series if edge >= high), default=series[-1])
        edges = tuple(round(edge, 1) for edge in series if first <= edge <= last)
        if len(edges) <= MAX_EDGES:
            break
    return edges[:MAX_EDGES]


def _counts(durations: Durations, edges: tuple[float, ...]) -> tuple[int, ...]:
    above = [durations.count, *(durations.count_above(edge) for edge in edges), 0]
    return tuple(more - fewer for more, fewer in itertools.pairwise(above))
