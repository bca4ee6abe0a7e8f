"""`false_signals_month`: how often a healthy month becomes a signal. Nothing is wrong in these worlds, though much is uneven.

Twenty services on a simulated clock for thirty days: a daily and a weekly rhythm with nights of a twentieth of the traffic, deploys with
cold starts, one customer all of whose requests are slow, durations with a heavy tail, failures that cluster. Half of the
services have a written objective, the others are learnt. Traffic comes in aggregated steps, not as spans, to the classes that judge it
live: a `Watch` for each written objective, with its hysteresis, over a log of whole steps; `Unwritten` for the traffic of all services
and for the baselines of those that are learnt, over a table of whole steps.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.model import Objective, SignalKind
from bot.policy.schema import Detection
from bot.telemetry.keys import SeriesKey
from bot.telemetry.series import SeriesTable, Window
from bot.telemetry.sketch import Sketch
from bot.telemetry.span import Kind
from bot.telemetry.unwritten import Unwritten
from bot.telemetry.watch import Watch
from bot.telemetry.windows import Request, RequestLog

SERVICES = 20
DAYS = 30
DAY_S = 86_400
WINDOW_S = 10  # of a written objective
LEARNT_S = WINDOW_S  # of a step of learnt services
LOGGED_STEPS = 2 * 7 * 6  # two entries for each of the longest windows that a Watch looks back (SLOW_WINDOWS), and one more
KEPT_STEPS = 2_000
USUAL_MS = 100.0
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


class StepLog(RequestLog):
    """The requests of whole steps: all of a kind took equally long. As many seconds as the slowest look of a Watch asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: deque[tuple[float, list[Request]]] = deque(maxlen=LOGGED_STEPS)

    def step(self, end_s: float, good: int, slow: int, failed: int) -> None:
        kinds = ((good, USUAL_MS, False), (slow, SLOW_MS, False), (failed, USUAL_MS, True))
        self._steps.append((end_s, [r for n, took_ms, error in kinds for r in [Request(end_s - took_ms / 1e3, end_s, error)] * n]))

    def ended(self, start_s: float, end_s: float) -> list[Request]:
        found: list[Request] = []
        for at_s, requests in reversed(self._steps):
            if at_s <= start_s:
                break
            if at_s <= end_s:
                found[:0] = requests
        return found


class Written:
    """A service with an objective, judged by its `Watch`."""

    def __init__(self, service: Service, detection: Detection) -> None:
        self.service = service
        objective = Objective(service.name, "op", 1000.0, 0.02, float(WINDOW_S), 15, 5)
        self.watch = Watch(objective, detection.false_alarms_per_year, detection.again_within_s)
        self.log = StepLog()
        self.watch.log = self.log

    def step(self, at_s: int, told: Told) -> int:
        requests, slow, failed = self.service.counts(at_s, WINDOW_S)
        now_s = float(at_s + WINDOW_S)
        self.log.step(now_s, requests - slow, slow, 0)
        self.log.step(now_s, 0, 0, failed)
        for kind, bad in ((SignalKind.LATENCY, slow), (SignalKind.ERRORS, failed)):
            self.watch.streams[kind].add_many(requests, bad)
        self.watch.look(now_s, (), lambda _: math.inf)
        if self.watch.episode is not None:
            told.tell(at_s, self.service.name, self.watch.episode.signal.kind.value)
        return requests


class StepTable(SeriesTable):
    """What `Unwritten` asks of a table of series, of whole steps."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh_steps: list[tuple[int, SeriesKey, int, Sketch]] = []
        self._kept: deque[tuple[int, SeriesKey, int, Sketch]] = deque(maxlen=KEPT_STEPS)

    def step(self, at_s: int, service: str, errors: int, sketch: Sketch) -> None:
        self._fresh_steps.append((at_s, SeriesKey(service, "op", "server", "ok"), errors, sketch))

    def closed(self, until_s: float) -> Iterator[tuple[int, SeriesKey, int, Sketch]]:
        fresh, self._fresh_steps = self._fresh_steps, []
        self._kept.extend(fresh)
        return iter(fresh)

    def window(self, service: str, operation: str, kind: Kind, start_s: float, end_s: float) -> Window:
        errors, total = 0, Sketch()
        for at_s, key, failed, sketch in self._kept:
            if key.service == service and start_s <= at_s < end_s:
                errors += failed
                total.merge(sketch)
        return Window(total.count, errors, total)


class Learnt:
    """A service without one: makes its requests' durations."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._pool = [self._durations(20) for _ in range(POOL)]

    def _durations(self, requests: int) -> Sketch:
        sketch, rng = Sketch(), self.service.rng
        for _ in range(requests):
            sketch.add(100.0 * (rng.paretovariate(1.8) if rng.random() < 0.02 else rng.lognormvariate(0.0, 0.5)))
        return sketch

    def step(self, at_s: int, table: StepTable) -> None:
        requests, slow, failed = self.service.counts(at_s, LEARNT_S)
        if not requests:
            return
        sketch = Sketch()
        sketch.add(SLOW_MS, slow)
        for _ in range((requests - slow) // 20):
            sketch.merge(self.service.rng.choice(self._pool))
        for _ in range((requests - slow) % 20):
            sketch.add(100.0 * self.service.rng.lognormvariate(0.0, 0.5))
        table.step(at_s, self.service.name, failed, sketch)


def healthy_month(seed: int, detection: Detection, days: int = DAYS) -> Told:
    """What is said in one healthy month."""
    rng = random.Random(seed)
    services = [
        Service(f"s{i}", random.Random(rng.random()), rng.uniform(1.0, 15.0), 0.003, 0.002, 10.0 if i in (0, SERVICES // 2) else 0.0)
        for i in range(SERVICES)
    ]
    written = [Written(one, detection) for one in services[: SERVICES // 2]]
    learnt = [Learnt(one) for one in services[SERVICES // 2 :]]
    table, told = StepTable(), Told()
    names = {(one.service.name, "op") for one in written}
    unwritten = Unwritten(detection, names, table, lambda key, sketch, second: None, lambda signal: signal)
    for at_s in _steps(days):
        for one in written:
            one.service.pass_time(at_s, WINDOW_S)
            requests, sketch = one.step(at_s, told), Sketch()
            sketch.add(USUAL_MS, requests)
            table.step(at_s, one.service.name, 0, sketch)
        for other in learnt if at_s % LEARNT_S == 0 else ():
            other.service.pass_time(at_s, LEARNT_S)
            other.step(at_s, table)
        _judge(unwritten, at_s, told)
    return told


def _judge(unwritten: Unwritten, at_s: int, told: Told) -> None:
    now_s = float(at_s + WINDOW_S)
    unwritten.tick(now_s)
    for operation in unwritten.operations():
        unwritten.health(operation, now_s)
        signal = unwritten.open_signal(operation)
        if signal is not None:
            told.tell(at_s, signal.service, f"learnt {signal.kind}")
    for service, _ in unwritten.lost():
        told.tell(at_s, service, "throughput")


def _steps(days: int) -> Iterator[int]:
    yield from range(START_S, START_S + days * DAY_S, WINDOW_S)
