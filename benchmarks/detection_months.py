"""`false_signals_month`: how often a healthy month becomes a signal. Nothing is wrong in these worlds, though much is uneven.

Twenty services on a simulated clock for thirty days: a daily and a weekly rhythm with nights of a twentieth of the traffic, deploys with
cold starts, one customer all of whose requests are slow, durations with a heavy tail, failures that cluster. Half of the
services have a written objective, the others are learnt. Traffic comes in aggregated steps, not as spans: written objectives see each
window's counts through the `Stream` that a Watch has, under its rule for a breach (without its hysteresis); learnt ones through their
`Baseline`; the traffic of the former through `Traffic`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.detection.stream import Stream
from bot.detection.traffic import Traffic
from bot.model import Measurement, Objective
from bot.policy.schema import Detection
from bot.telemetry.baseline import Baseline
from bot.telemetry.sketch import Sketch

SERVICES = 20
DAYS = 30
DAY_S = 86_400
WINDOW_S = 10  # of a written objective
MINUTE_S = 60  # learnt services are told by the minute
QUIET_S = 600.0  # signals of one service within so long are one
MOST_UNEVEN = 3.0  # times the usual: a world that is well keeps what is promised in each quarter of an hour
SLOW_MS = 1_500.0  # of a request that is slow; usual ones take 100
CLICK_S = 15  # between two requests of one customer
POOL = 300  # different minutes of durations for each service
START_S = 1_700_000_000 - 1_700_000_000 % DAY_S


@dataclass
class Service:
    """One service's healthy behaviour. `rate_per_s` at its busiest hour."""

    name: str
    rng: random.Random
    rate_per_s: float
    slow_ratio: float
    error_ratio: float
    visits_a_day: float  # of the slow customer, three to eight requests each
    uneven: float = 1.0  # how slow this quarter of an hour is, by chance
    deploy_until_s: int = 0
    visit: int = 0  # requests that the slow customer still has to make

    def rate(self, at_s: int) -> float:
        hour, weekday = at_s % DAY_S / 3600.0, at_s // DAY_S % 7
        day = 0.05 + 0.95 * max(0.0, math.sin(math.pi * (hour - 6.0) / 16.0)) if 6.0 <= hour <= 22.0 else 0.05
        return self.rate_per_s * day * (0.5 if weekday >= 5 else 1.0)

    def pass_time(self, at_s: int, step_s: int) -> None:
        if at_s % 900 < step_s:
            self.uneven = min(MOST_UNEVEN, self.rng.lognormvariate(0.0, 0.4))
        if self.rng.random() < step_s / (2.5 * DAY_S):
            self.deploy_until_s = at_s + 30

    def counts(self, at_s: int, step_s: int) -> tuple[int, int, int]:
        """(requests, slow ones, failed ones) of a step."""
        requests = poisson(self.rng, self.rate(at_s) * step_s)
        cold = 3.0 if at_s < self.deploy_until_s else 1.0
        slow = poisson(self.rng, requests * self.slow_ratio * self.uneven * cold)
        failed = poisson(self.rng, requests * self.error_ratio * self.uneven)
        if self.rng.random() < self.visits_a_day * step_s / DAY_S:
            self.visit = self.rng.randint(3, 8)
        here = min(self.visit, max(1, step_s // CLICK_S)) if self.visit and self.rng.random() < min(1.0, step_s / CLICK_S) else 0
        self.visit -= here
        requests, slow = requests + here, slow + here
        return requests, min(slow, requests), min(failed, requests)


def poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method for small means, the normal approximation for large ones."""
    if mean > 30.0:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, n = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n


@dataclass
class Told:
    """Signals, those of one service shortly after each other counted once."""

    signals: list[tuple[int, str, str]] = field(default_factory=list)
    _last_s: dict[str, float] = field(default_factory=dict)

    def tell(self, at_s: int, service: str, what: str) -> None:
        if at_s - self._last_s.get(service, -math.inf) > QUIET_S:
            self.signals.append((at_s, service, what))
        self._last_s[service] = at_s


class Written:
    """A service with an objective, as bot/telemetry/watch.py judges it."""

    def __init__(self, service: Service, detection: Detection) -> None:
        self.service = service
        self.objective = Objective(service.name, "op", 1000.0, 0.02, float(WINDOW_S), 15, 5)
        self.streams = [
            Stream(allowed, allowed, float(WINDOW_S), 5, detection.false_alarms_per_year) for allowed in (self.objective.slow_ratio, 0.02)
        ]

    def step(self, at_s: int, told: Told) -> int:
        requests, slow, failed = self.service.counts(at_s, WINDOW_S)
        window = Measurement(at_s, at_s + WINDOW_S, requests, failed, slow, None, None)
        broken = (self.objective.too_slow(window), self.objective.too_many_errors(window))
        for stream, bad, breach, what in zip(self.streams, (slow, failed), broken, ("latency", "errors"), strict=True):
            stream.add_many(requests, bad)
            stream.look(float(at_s), learning=not any(broken))
            if (breach and stream.unusual) or stream.over or stream.burning(float(at_s)):
                told.tell(at_s, self.service.name, what)
                stream.recovered()
        return requests


class Learnt:
    """A service without one."""

    def __init__(self, service: Service, detection: Detection) -> None:
        self.service = service
        self.baseline = Baseline(service.name, "op", detection.learn, detection.false_alarms_per_year)
        self._pool = [self._durations(20) for _ in range(POOL)]

    def _durations(self, requests: int) -> Sketch:
        sketch, rng = Sketch(), self.service.rng
        for _ in range(requests):
            sketch.add(100.0 * (rng.paretovariate(1.8) if rng.random() < 0.02 else rng.lognormvariate(0.0, 0.5)))
        return sketch

    def step(self, at_s: int, told: Told) -> int:
        requests, slow, failed = self.service.counts(at_s, MINUTE_S)
        sketch = Sketch()
        sketch.add(SLOW_MS, slow)
        for _ in range((requests - slow) // 20):
            sketch.merge(self.service.rng.choice(self._pool))
        for _ in range((requests - slow) % 20):
            sketch.add(100.0 * self.service.rng.lognormvariate(0.0, 0.5))
        self.baseline.take(failed, sketch, float(at_s))
        found = self.baseline.look(float(at_s))
        if found is not None:
            told.tell(at_s, self.service.name, f"learnt {found.kind}")
        return requests


def healthy_month(seed: int, detection: Detection, days: int = DAYS) -> Told:
    """What is said in one healthy month."""
    rng = random.Random(seed)
    services = [
        Service(f"s{i}", random.Random(rng.random()), rng.uniform(1.0, 15.0), 0.003, 0.002, 10.0 if i in (0, SERVICES // 2) else 0.0)
        for i in range(SERVICES)
    ]
    written = [Written(one, detection) for one in services[: SERVICES // 2]]
    learnt = [Learnt(one, detection) for one in services[SERVICES // 2 :]]
    traffic = Traffic(detection.traffic, detection.false_alarms_per_year, SERVICES)
    told = Told()
    for at_s in _steps(days):
        minute = at_s % MINUTE_S == 0
        for one in written:
            one.service.pass_time(at_s, WINDOW_S)
            traffic.count(one.service.name, "op", one.step(at_s, told), at_s)
        for other in learnt if minute else ():
            other.service.pass_time(at_s, MINUTE_S)
            other.step(at_s, told)  # its traffic is not watched: told by the minute, it would look like silence in between
        traffic.tick(float(at_s + WINDOW_S))
        for loss in traffic.losses():
            told.tell(at_s, loss.service, "throughput")
    return told


def _steps(days: int) -> Iterator[int]:
    yield from range(START_S, START_S + days * DAY_S, WINDOW_S)
