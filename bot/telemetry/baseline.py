"""What is normal for an operation that nobody wrote an objective for, learnt from its own past, and when several detectors agree it is not.

Durations and errors come in blocks of at least BLOCK_S seconds and BLOCK_REQUESTS requests. A block is compared with the worst block of
the past (of equal length, of this time of day as far as that is known): quantiles of heavy-tailed durations vary more than any formula
for their error allows. Beside that, each request counts in a sequential detector against a limit that was learnt.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from bot.detection.onset import Onset
from bot.detection.stream import Stream
from bot.model import Objective, SignalKind
from bot.policy.schema import Learn
from bot.telemetry.sketch import Sketch

BLOCK_S = 60.0
BLOCK_REQUESTS = 100
SHIFT = 1.5  # times the worst block of the past: a quantile beyond that has shifted
LIMIT_TIMES = 1.5  # the learnt limit is so many times the usual p99 …
LIMIT_QUANTILE = 0.95  # … and so large a share has to stay below it
LEAST_ERROR_RATIO = 0.02  # nobody is woken for fewer errors without having asked for it
ERROR_TIMES = 3.0
MIN_BAD = 10
VISIT_BAD = 3.0  # less cautious than for a written objective: here a second detector has to agree, and bad requests are rare in health
DAYS = 7  # a worst block is remembered so long
HOURS = 24
SHRINK_BLOCKS = 60.0  # an hour of the day with so many blocks counts as much as all hours together
DELAY_BLOCKS = 2  # a block is learnt so much later, so that a bad time can be noticed first
FORGOTTEN_S = 86_400.0  # what has been different for a day is the new normal
REMEMBERED_REQUESTS = 2_000_000


@dataclass(slots=True)
class Block:
    start_s: float
    sketch: Sketch = field(default_factory=Sketch)
    errors: int = 0

    @property
    def error_ratio(self) -> float:
        return self.errors / self.sketch.count if self.sketch.count else 0.0


@dataclass(slots=True)
class Worst:
    """The largest value of each of the last days."""

    days: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=DAYS))

    def learn(self, value: float, at_s: float) -> None:
        day = int(at_s // 86_400.0)
        if self.days and self.days[-1][0] == day:
            value = max(value, self.days.pop()[1])
        self.days.append((day, value))

    @property
    def value(self) -> float:
        return max((value for _, value in self.days), default=0.0)


class TimeOfDay:
    """The worst block's value at this time of day, drawn towards the worst of all hours as long as the hour is little known."""

    def __init__(self) -> None:
        self._overall = Worst()
        self._hours = [Worst() for _ in range(HOURS)]
        self._blocks = [0.0] * HOURS

    def learn(self, value: float, at_s: float) -> None:
        hour = int(at_s // 3_600.0) % HOURS
        self._overall.learn(value, at_s)
        self._hours[hour].learn(value, at_s)
        self._blocks[hour] += 1.0

    def worst(self, at_s: float) -> float:
        """Of this hour of the day and its neighbours."""
        hour = int(at_s // 3_600.0) % HOURS
        near = [(hour + step) % HOURS for step in (-1, 0, 1)]
        own = max(self._hours[at].value for at in near)
        known = min(self._blocks[at] for at in near)
        weight = known / (known + SHRINK_BLOCKS)
        return weight * own + (1.0 - weight) * self._overall.value


@dataclass(frozen=True)
class Finding:
    """Enough detectors agree. `objective` states in the learnt limits what normal is."""

    kind: SignalKind
    objective: Objective
    detectors: tuple[str, ...]
    since_s: float  # when the bad time began
    before_requests: int
    before_errors: int
    before_p50_ms: float | None
    before_p99_ms: float | None


class Baseline:
    """One operation. `take` what ended in a second, then `look`. Says nothing before it has `policy.min_history_s` and `.min_requests`."""

    def __init__(self, service: str, operation: str, policy: Learn, false_alarms_per_year: float) -> None:
        self._name = (service, operation)
        self._policy = policy
        self._false_alarms = false_alarms_per_year
        self._first_s: float | None = None
        self._normal = Sketch()
        self._normal_errors = 0
        self._tail, self._edge, self._middle, self._failing = (TimeOfDay() for _ in range(4))
        self._block: Block | None = None
        self._waiting: deque[Block] = deque()
        self._slow: Stream | None = None
        self._errors: Stream | None = None
        self._onsets: dict[SignalKind, Onset] = {}
        self._limit_ms = math.inf
        self._limits_s = -math.inf  # when the limits were learnt
        self._alarmed_s: float | None = None
        self._unwell_s: float | None = None
        self.unwell = False  # an incident is open about it, whoever noticed: what comes now is not normal

    def take(self, errors: int, sketch: Sketch, second_s: float) -> None:
        if self._first_s is None:
            self._first_s = second_s
        if self._block is None:
            self._block = Block(second_s)
        self._block.sketch.merge(sketch)
        self._block.errors += errors
        if self._slow is not None and self._errors is not None:
            slow = sketch.count_above(self._limit_ms)
            for kind, stream, bad in ((SignalKind.LATENCY, self._slow, slow), (SignalKind.ERRORS, self._errors, errors)):
                stream.add_many(sketch.count, bad)
                self._onsets[kind].take(second_s, sketch.count, bad)

    def look(self, now_s: float) -> Finding | None:
        """Closes a block that is long enough, and judges."""
        for stream in (self._slow, self._errors):
            if stream is not None:
                stream.look(now_s, learning=self._alarmed_s is None and not self.unwell)
        closing = self._block is not None and self._long_enough(self._block, now_s)
        finding = self._judge(now_s) if closing or self._stirred else None
        if finding is not None and self._alarmed_s is None:
            self._alarmed_s = now_s
        elif closing and finding is None and self._alarmed_s is not None:
            self._alarmed_s = None
            self._block = None  # what it was like until now is not normal
            self._waiting.clear()
        if closing:
            self._close(now_s)
        return finding

    @property
    def _stirred(self) -> bool:
        return any(stream is not None and stream.over for stream in (self._slow, self._errors))

    @property
    def ready(self) -> bool:
        return self._slow is not None

    def _long_enough(self, block: Block, now_s: float) -> bool:
        return now_s - block.start_s >= BLOCK_S and block.sketch.count >= BLOCK_REQUESTS

    def _close(self, now_s: float) -> None:
        if self._block is not None:
            self._waiting.append(self._block)
            self._block = None
        if self._unlearning(now_s):
            while len(self._waiting) > 1:
                self._waiting.popleft()
            return
        while len(self._waiting) > DELAY_BLOCKS:
            self._learn(self._waiting.popleft())
        self._set_limits(now_s)

    def _unlearning(self, now_s: float) -> bool:
        """Whether it is bad, and not yet for so long that this is the new normal."""
        self._unwell_s = (self._unwell_s or now_s) if self.unwell else None
        begun = [at_s for at_s in (self._alarmed_s, self._unwell_s) if at_s is not None]
        return bool(begun) and now_s - min(begun) < FORGOTTEN_S

    def _learn(self, block: Block) -> None:
        for shape, value in (
            (self._tail, block.sketch.quantile(0.99)),
            (self._edge, block.sketch.quantile(0.95)),
            (self._middle, block.sketch.quantile(0.5)),
            (self._failing, block.error_ratio),
        ):
            shape.learn(value or 0.0, block.start_s)
        if self._normal.count > REMEMBERED_REQUESTS:
            self._normal, self._normal_errors = Sketch(), 0
        self._normal.merge(block.sketch)
        self._normal_errors += block.errors

    def _set_limits(self, now_s: float) -> None:
        """Once there is enough history, and then once a day: the slow change of a service is normal too."""
        known = self._normal.count >= self._policy.min_requests and self._first_s is not None
        if not known or now_s - (self._first_s or 0.0) < self._policy.min_history_s or now_s - self._limits_s < 86_400.0:
            return
        p99_ms = self._normal.quantile(0.99) or 0.0
        self._limit_ms = LIMIT_TIMES * p99_ms
        self._limits_s = now_s
        allowed = max(LEAST_ERROR_RATIO, ERROR_TIMES * (self._normal_errors + 3) / self._normal.count)
        self._slow = Stream(1.0 - LIMIT_QUANTILE, None, BLOCK_S, MIN_BAD, self._false_alarms, visit_bad=VISIT_BAD)
        self._errors = Stream(min(allowed, 0.5), None, BLOCK_S, MIN_BAD, self._false_alarms, visit_bad=VISIT_BAD)
        self._onsets = {SignalKind.LATENCY: Onset(self._slow.allowed), SignalKind.ERRORS: Onset(self._errors.allowed)}

    def _judge(self, now_s: float) -> Finding | None:
        if self._block is None or self._slow is None or self._errors is None:
            return None
        recent = Sketch()
        errors = self._block.errors
        recent.merge(self._block.sketch)
        if self._waiting:
            recent.merge(self._waiting[-1].sketch)
            errors += self._waiting[-1].errors
        if recent.count < BLOCK_REQUESTS:
            return None
        failing = self._failing_detectors(errors, recent.count, now_s)
        if len(failing) >= self._policy.agree and errors >= max(MIN_BAD, self._errors.allowed * recent.count):
            return self._finding(SignalKind.ERRORS, failing, now_s)
        slow = self._slow_detectors(recent, now_s)
        if len(slow) >= self._policy.agree and recent.count_above(self._limit_ms) >= max(MIN_BAD, self._slow.allowed * recent.count):
            return self._finding(SignalKind.LATENCY, slow, now_s)
        return None

    def _slow_detectors(self, recent: Sketch, now_s: float) -> tuple[str, ...]:
        p50, p95, p99 = (recent.quantile(q) or 0.0 for q in (0.5, 0.95, 0.99))
        votes = {
            "tail": p95 > SHIFT * self._edge.worst(now_s) and p99 > SHIFT * self._tail.worst(now_s),
            "middle": p50 > SHIFT * self._middle.worst(now_s),
            "sequential": self._slow is not None and self._slow.over,
        }
        return tuple(name for name, vote in votes.items() if vote)

    def _failing_detectors(self, errors: int, requests: int, now_s: float) -> tuple[str, ...]:
        usual = (self._normal_errors + 3) / max(1, self._normal.count)
        level = self._false_alarms / (365.25 * 86_400.0 / BLOCK_S)
        votes = {
            "binomial": tail_probability(errors, requests, min(0.5, usual)) < level,
            "worst": errors / requests > SHIFT * max(self._failing.worst(now_s), usual),
            "sequential": self._errors is not None and self._errors.over,
        }
        return tuple(name for name, vote in votes.items() if vote)

    def _finding(self, kind: SignalKind, detectors: tuple[str, ...], now_s: float) -> Finding:
        assert self._errors is not None
        service, operation = self._name
        objective = Objective(
            service,
            operation,
            p99_ms=round(self._limit_ms, 1),
            error_ratio=round(self._errors.allowed, 4),
            window_s=BLOCK_S,
            min_requests=2 * MIN_BAD,
            min_bad=MIN_BAD,
            quantile=LIMIT_QUANTILE,
            learnt=True,
        )
        normal = self._normal
        since_s = self._onsets[kind].since_s(now_s - BLOCK_S)
        return Finding(kind, objective, detectors, since_s, normal.count, self._normal_errors, normal.quantile(0.5), normal.quantile(0.99))


def tail_probability(hits: int, count: int, ratio: float) -> float:
    """At most how likely it is that `hits` or more of `count` are bad at this ratio (Chernoff); 1 when they are no more than usual."""
    found = hits / count if count else 0.0
    if found <= ratio:
        return 1.0
    if found >= 1.0:
        return ratio**count
    divergence = found * math.log(found / ratio) + (1.0 - found) * math.log((1.0 - found) / (1.0 - ratio))
    return math.exp(-count * divergence)
