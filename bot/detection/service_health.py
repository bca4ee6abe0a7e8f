"""One service seen through its metrics: durations and shares of bad events, interval by interval."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from bot.detection.durations import DurationJudge
from bot.detection.observation import Point, SeriesId
from bot.detection.roles import may_be_count, may_be_share, may_be_time, statistic_of
from bot.detection.shares import Polarity, ShareJudge

MAX_SERIES = 200  # of one service; what comes later is ignored and counted
MAX_ALL_SERIES = 10_000  # of all services: what is learnt of one takes up to 10 KiB

Facet = tuple[str, tuple[tuple[str, str], ...]]  # a metric and the attributes that tell its streams apart


@dataclass(frozen=True, slots=True)
class Evidence:
    """How surprising an interval was: `latency` and `errors` as surprises (-ln p)."""

    at_s: float
    latency: float
    errors: float

    @property
    def strength(self) -> float:
        return max(self.latency, self.errors)

    @property
    def signal(self) -> str:
        return "latency" if self.latency >= self.errors else "errors"


class Fleet:
    """What all services share: where each metric's good end is, and how many series may still be learnt."""

    def __init__(self, max_series: int = MAX_ALL_SERIES) -> None:
        self.ignored_series = 0
        self._left = max_series
        self._polarity: dict[str, Polarity] = {}

    def admit_series(self, of_the_service: int) -> bool:
        """Whether a service that has so many series may have one more; counts those that may not."""
        if of_the_service >= MAX_SERIES or not self._left:
            self.ignored_series += 1
            return False
        self._left -= 1
        return True

    def polarity(self, metric: str) -> Polarity:
        return self._polarity.setdefault(metric, Polarity())


class ServiceHealth:
    """Gathers the points of one interval and judges them together."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._pending: dict[SeriesId, float] = {}
        self._cumulative: dict[SeriesId, float] = {}
        self._durations: dict[Facet, DurationJudge] = {}
        self._shares: dict[Facet, ShareJudge] = {}
        self._seen: set[SeriesId] = set()

    def observe(self, point: Point) -> None:
        series = point.series
        if series not in self._seen:
            if not self._fleet.admit_series(len(self._seen)):
                return
            self._seen.add(series)
        value = point.value
        if series.instrument == "cumulative":
            before = self._cumulative.get(series)
            self._cumulative[series] = value
            if before is None:
                return
            value = value - before if value >= before else value  # a restarted counter began at 0
        self._pending[series] = value

    def judge(self, at_s: float) -> Evidence:
        """The interval that ends at `at_s`; forgets its points."""
        pending, self._pending = self._pending, {}
        spread: dict[Facet, dict[str, float]] = defaultdict(dict)
        shares: list[tuple[Facet, float]] = []
        counts: dict[str, float] = {}
        for series, value in pending.items():
            statistic = statistic_of(series)
            facet = (series.metric, series.attributes)
            if statistic in ("mean", "quantile") and may_be_time(series):
                spread[facet][series.statistic] = value
            if may_be_share(series):
                shares.append((facet, value))
            elif may_be_count(series):
                counts[series.metric] = max(value, counts.get(series.metric, 0.0))
        latency = max((self._slow(at_s, facet, values) for facet, values in spread.items() if len(values) > 1), default=0.0)
        errors = max((self._failing(facet, value, counts) for facet, value in shares), default=0.0)
        return Evidence(at_s, latency, errors)

    def _slow(self, at_s: float, facet: Facet, values: dict[str, float]) -> float:
        judge = self._durations.get(facet)
        if judge is None:
            judge = self._durations[facet] = DurationJudge()
        return judge.judge(at_s, values)

    def _failing(self, facet: Facet, value: float, counts: dict[str, float]) -> float:
        judge = self._shares.get(facet)
        if judge is None:
            judge = self._shares[facet] = ShareJudge()
        share = judge.share(value)
        if share is None or not counts:
            return 0.0
        polarity = self._fleet.polarity(facet[0])
        polarity.observe(share)
        events = counts.get(facet[0], max(counts.values()))  # its own metric's count, or else all requests of the service
        return judge.judge(share, events, polarity.counts_good)
