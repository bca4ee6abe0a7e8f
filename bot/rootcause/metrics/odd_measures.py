"""How odd each measure of a stretch is, in worst healthy stretches, and the amounts (waiting, failures) that can be handed down."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bot.rootcause.metrics.healthy import MIN_POINTS, WORST, Health, best_half, half_of, peak_at
from bot.rootcause.metrics.keys import Key, Values
from bot.rootcause.metrics.measures import Measures

NOISE = 0.05  # of what services usually show: far below it, ratios are noise
MIN_RISE = 0.2  # 22 %, in logarithms: less is no fault, however steady the series was
MIN_RISE_OF_WORK = 0.5  # 65 % more than it and a usual service together
MIN_FAILURES = 0.5  # one more failed request in two intervals is the least that counts
TINY = 1e-9  # where nothing is known of the noise: logarithms need more than 0
WORST_FAILURES = 0.9  # failures come in bursts: one outage of the baseline touches more than 3 % of its stretches
DEVIATIONS = 3.0  # of a Poisson count: a change of traffic below that is chance
WORKING = ("cpu", "work")
IDLE = 1.0  # the same of processor time and other work: what an idle service does is a matter of chance, ten times nothing is nothing


@dataclass(frozen=True, slots=True)
class Odd:
    """One measure that moved: `rise` and `fall` in worst healthy stretches (one of them is 0)."""

    key: Key
    rise: float
    fall: float
    now: float
    usual: float
    peak: int  # the interval in which the worst half begins

    @property
    def either(self) -> float:
        return max(self.rise, self.fall)


class Baseline:
    """Health of all measures, for stretches of `window` intervals."""

    def __init__(self, measures: Measures, window: int) -> None:
        self.measures = measures
        self.window = max(1, min(window, len(measures.intervals) // 4))
        self._noise = _noise(measures.values)
        known = self.derived(measures)
        self._noise = _noise(known)
        place = {interval: at for at, interval in enumerate(measures.intervals)}
        self._health: dict[Key, Health] = {}
        for key, values in known.items():
            points = [(place[at], self.scaled(key, value)) for at, value in sorted(values.items()) if at in place]
            if len(points) >= MIN_POINTS:
                self._health[key] = Health(points, self.window, WORST_FAILURES if key.quantity == "failures" else WORST)

    def __len__(self) -> int:
        return len(self._health)

    def health(self, key: Key) -> Health | None:
        """An instance that the baseline does not know is compared with its service."""
        return self._health.get(key) or self._health.get(key._replace(instance=""))

    def knows(self, key: Key) -> bool:
        return self.health(key) is not None

    def derived(self, measures: Measures) -> dict[Key, Values]:
        """The measures, the gap between a caller's and a callee's time on an edge, and work for each request."""
        found: dict[Key, Values] = {}
        for key, values in measures.values.items():
            if key.quantity in ("share", "source"):
                continue
            found[key] = values
            requests = measures.values.get(Key("requests", key.service))
            if key.quantity in WORKING and not key.caller and requests is not None:
                least = self._noise["requests", ""]
                found[key._replace(quantity=key.quantity + " a request")] = {
                    at: value / (requests[at] + least) for at, value in values.items() if at in requests
                }
        for key in [key for key in measures.values if key.quantity == "source" and not key.instance]:
            served = measures.values.get(key._replace(quantity="time"))
            if served is not None:
                waited, noise = measures.values[key], self._noise["time", ""]
                both = waited.keys() & served.keys()
                found[key._replace(quantity="gap")] = {at: (max(waited[at], 0.0) + noise) / (max(served[at], 0.0) + noise) for at in both}
        return found

    def scaled(self, key: Key, value: float) -> float:
        """Logarithms, so that a change is a factor; failures are counts."""
        if key.quantity == "failures":
            return value
        if key.quantity == "gap":
            return math.log(value)
        return math.log(max(value, 0.0) + self._noise_of(key))

    def unscaled(self, key: Key, value: float) -> float:
        if key.quantity == "failures":
            return value
        return math.exp(value) if key.quantity == "gap" else max(0.0, math.exp(value) - self._noise_of(key))

    def odd(self, key: Key, values: Sequence[tuple[int, float]], without: int | None) -> Odd | None:
        """How odd a measure is over intervals; None when the baseline does not know it."""
        health = self.health(key)
        if health is None or not values:
            return None
        numbers = [self.scaled(key, value) for _, value in values]
        floor = self._floor(key, health)
        rise, fall = health.rise(numbers, floor, without), health.fall(numbers, floor, without)
        rise, fall = (rise, 0.0) if rise >= fall else (0.0, fall)
        signed = numbers if rise >= fall else [-number for number in numbers]
        half = half_of(self.window)
        now = best_half(signed, half) if rise >= fall else -best_half(signed, half)
        return Odd(key, rise, fall, self.unscaled(key, now), self.unscaled(key, health.usual), values[peak_at(signed, half)][0])

    def _floor(self, key: Key, health: Health) -> float:
        if key.quantity == "failures":
            return MIN_FAILURES
        if key.quantity.startswith(WORKING):
            return MIN_RISE_OF_WORK
        if key.quantity != "requests":
            return MIN_RISE
        counted = self.unscaled(key, health.usual) * half_of(self.window)
        return max(MIN_RISE, DEVIATIONS / math.sqrt(max(counted, 1.0)))

    def _noise_of(self, key: Key) -> float:
        quantity = "time" if key.quantity == "source" else key.quantity
        return self._noise[quantity, key.label.metric]


def amounts(baseline: Baseline, values: Mapping[Key, Values], intervals: Sequence[int], quantity: str) -> dict[str, float]:
    """What each service suffers more than usual, per interval: waiting of all its requests (in the metric's unit), or failures."""
    found: dict[str, float] = {}
    for key, series in values.items():
        health = baseline.health(key) if key.quantity == quantity and not key.caller and not key.instance else None
        if health is None:
            continue
        usual = baseline.unscaled(key, health.usual)
        requests = values.get(Key("requests", key.service)) if quantity == "time" else None
        excess = [(series[at] - usual) * (1.0 if requests is None else requests.get(at, 0.0)) for at in intervals if at in series]
        amount = best_half(excess, half_of(baseline.window)) if excess else 0.0
        if amount > 0.0:
            found[key.service] = amount
    return found


def _noise(values: Mapping[Key, Values]) -> defaultdict[tuple[str, str], float]:
    """By (quantity, metric): a small share of the median over the services of their medians."""
    usual: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for key, points in values.items():
        if not key.instance and points and (middle := median(points.values())) > 0.0:
            usual[key.quantity, key.label.metric].append(middle)
    parts = {whose: IDLE if whose[0].startswith(WORKING) else NOISE for whose in usual}
    return defaultdict(lambda: TINY, {whose: parts[whose] * median(found) for whose, found in usual.items()})
