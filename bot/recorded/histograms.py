"""Histograms as the statistics that detection judges: mean and quantiles of the interval, its count, and the share that failed.

All streams of one metric of one service (routes, methods, status codes) are taken together: alone, each is too rare to judge. Failures are
what semantic conventions say: an `error.type` attribute or a 5xx status code (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.recorded.messages import HistogramPoint, KeyValue

MAX_STREAMS = 20_000  # cumulative streams remembered; beyond, new ones are left out and counted
QUANTILES = (0.5, 0.9, 0.99)
STATUS_KEYS = frozenset({"http.response.status_code", "http.status_code"})

StreamKey = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Interval:
    """One metric of one service in one interval, over all its streams."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0
    failed: int = 0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def statistics(self) -> Iterator[tuple[str, float]]:
        """(statistic, value) of what an interval with requests holds."""
        count = self.count
        if count:
            yield "mean", self.total / count
            for share in QUANTILES:
                yield f"p{share * 100:g}", self._quantile(share * count)

    def _quantile(self, rank: float) -> float:
        """By straight lines within buckets; the open last bucket is its lower bound."""
        below = 0
        for number, count in enumerate(self.counts):
            if count and below + count >= rank:
                low = self.bounds[number - 1] if number else 0.0
                high = self.bounds[number] if number < len(self.bounds) else low
                return low + (high - low) * (rank - below) / count
            below += count
        return self.bounds[-1]


class Histograms:
    """Turns cumulative streams into intervals (a restarted one began at nothing) and adds streams up."""

    def __init__(self) -> None:
        self.ignored_streams = 0
        self._last: dict[StreamKey, tuple[list[int], float]] = {}

    def intervals(self, service: str, metric: str, points: Sequence[HistogramPoint], cumulative: bool) -> dict[int, Interval]:
        """By time (ns). Streams whose buckets differ from the first one's are left out."""
        found: dict[int, Interval] = {}
        for point in points:
            total = float(point.sum) if point.sum is not None else math.nan
            if len(point.bucket_counts) != len(point.explicit_bounds) + 1 or not math.isfinite(total) or not point.explicit_bounds:
                continue
            change = (
                self._change((service, metric, _attributes(point)), point.bucket_counts, total)
                if cumulative
                else (point.bucket_counts, total)
            )
            if change is None:
                continue
            bounds = tuple(point.explicit_bounds)
            interval = found.setdefault(point.time_unix_nano, Interval(bounds, [0] * len(point.bucket_counts)))
            if interval.bounds == bounds:
                interval.counts = [known + count for known, count in zip(interval.counts, change[0], strict=True)]
                interval.total += change[1]
                interval.failed += sum(change[0]) if failed(point.attributes) else 0
        return found

    def _change(self, stream: StreamKey, counts: list[int], total: float) -> tuple[list[int], float] | None:
        """What came since the stream's last point; None for its first."""
        before = self._last.get(stream)
        if before is None and len(self._last) >= MAX_STREAMS:
            self.ignored_streams += 1
            return None
        self._last[stream] = (counts, total)
        if before is None:
            return None
        if len(before[0]) != len(counts) or sum(counts) < sum(before[0]):
            return counts, total
        return [max(count - known, 0) for count, known in zip(counts, before[0], strict=True)], total - before[1]


def _attributes(point: HistogramPoint) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((attribute.key, attribute.text) for attribute in point.attributes))


def failed(attributes: Sequence[KeyValue]) -> bool:
    return any(a.key == "error.type" or (a.key in STATUS_KEYS and len(a.text) == 3 and a.text.startswith("5")) for a in attributes)
