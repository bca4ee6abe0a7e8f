"""The gauges of the last minutes, bounded, and which of them show something that is nearly used up.

What is a share or a limit follows from structure, by the naming rules of OpenTelemetry's semantic conventions
(https://opentelemetry.io/docs/specs/semconv/general/naming/): `*.utilization` is a share of 1; `*.usage`, `*.used` and `*.count` are
measured against the `*.limit` or `*.max` of the same thing.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from bot.model import Measurement
from bot.policy.schema import Saturation as Saturated
from bot.telemetry import limits
from bot.telemetry.metric_point import MetricPoint, Pairs

UTILIZATION: Final = "utilization"
USED: Final = ("usage", "used", "count")
LIMIT: Final = ("limit", "max")
# A share or usage may be split by a state. What is not idle of a processor is used; cached, free and the like say nothing alone.
STATES: Final = ("state", "mode")
MIN_POINTS: Final = 3  # a single high reading is no state
REQUESTED: Final = "request"  # a share of what was asked for, as orchestrators report it, is no share of what there is
TIMES_LONGEST: Final = 3.0  # what has been above its limit for so many times longer than ever before is news

DEFAULT: Final = Saturated()
Key = tuple[str, str, str, Pairs]  # service, instance, name, attributes


@dataclass(frozen=True)
class GaugeKey:
    service: str
    instance: str
    name: str
    attributes: Pairs


@dataclass(frozen=True)
class Saturation:
    """Something that has been nearly used up for a while."""

    gauge: GaugeKey
    since_s: float  # the first reading of the unbroken row above the limit that is kept
    at_s: float  # the latest reading
    share: float  # the latest, 0..1 and beyond
    limit: float
    news: bool = True  # it has been below before, and was never above for a third as long without coming down by itself
    interval_s: float = 0.0  # between readings


@dataclass(slots=True)
class _Spell:
    """Of one gauge: whether it was seen below its limit, since when it is above, and the longest time that it was above before."""

    below: bool = False
    since_s: float | None = None
    longest_s: float = 0.0

    def look(self, at_s: float, above_since_s: float | None, *, whole: bool) -> None:
        """`above_since_s`: the first reading of the present row above the limit. `whole`: that row is all that is kept, so that it may
        have begun earlier."""
        self.below = self.below or not whole
        if self.since_s is not None and (above_since_s is None or not whole):
            ended_s = at_s if above_since_s is None else above_since_s
            if above_since_s != self.since_s:
                self.longest_s = max(self.longest_s, ended_s - self.since_s)
        if self.since_s is None or above_since_s is None or not whole:
            self.since_s = above_since_s


class _Gauge:
    """Readings of one series in order of time."""

    __slots__ = ("times", "unit", "values")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.times = array("d")
        self.values = array("d")

    def add(self, at_s: float, value: float) -> bool:
        """Whether the reading is newer than the last one."""
        if self.times and at_s <= self.times[-1]:
            return False
        self.times.append(at_s)
        self.values.append(value)
        if len(self.times) > limits.GAUGE_POINTS:
            del self.times[0], self.values[0]
        return True

    def readings(self) -> Iterator[tuple[float, float]]:
        """(time, value), newest first."""
        return zip(reversed(self.times), reversed(self.values), strict=True)


class Gauges:
    """Keeps the last limits.GAUGE_POINTS readings of each series, and forgets series that end. Not safe for threads.

    `policy.limit_of(service)`: the share from which on something is nearly used up. `policy.hold_s`: how long it must have been so.
    """

    def __init__(self, policy: Saturated = DEFAULT) -> None:
        self._policy = policy
        self._hold_s = policy.hold_s
        self._spells: dict[Key, _Spell] = {}
        self._gauges: OrderedDict[Key, _Gauge] = OrderedDict()  # the longest silent first
        self.overflow = 0  # readings that found no room

    def __len__(self) -> int:
        return len(self._gauges)

    def observe(self, points: Iterable[MetricPoint], now_s: float) -> None:
        """Takes the gauges among the points, in any order of series."""
        self._forget(now_s)
        for point in points:
            if point.kind != "gauge":
                continue
            key = (point.service, point.instance, point.name, point.attributes)
            gauge = self._gauges.get(key)
            if gauge is None:
                if len(self._gauges) >= limits.METRIC_SERIES:
                    self.overflow += 1
                    continue
                gauge = self._gauges[key] = _Gauge(point.unit)
            if gauge.add(point.at_s, point.value):
                self._gauges.move_to_end(key)

    def readings(self, service: str) -> Mapping[GaugeKey, Sequence[tuple[float, float]]]:
        """The (time, value) of each gauge of a service, oldest first."""
        return {GaugeKey(*key): tuple(gauge.readings())[::-1] for key, gauge in self._gauges.items() if key[0] == service}

    def saturated(self, now_s: float) -> Sequence[Saturation]:
        """What has been above the limit for `hold_s` without a break and is still reported; the fullest first."""
        found = []
        for key, gauge in self._gauges.items():
            share_of = self._share_of(key)
            if share_of is not None and (saturation := self._held(key, gauge, share_of, now_s)) is not None:
                found.append(saturation)
        return sorted(found, key=lambda one: (-one.share, one.gauge.service, one.gauge.instance, one.gauge.name, one.gauge.attributes))

    def measure(self, service: str, name: str, limit: float, start_s: float, end_s: float) -> Measurement:
        """Readings in [start_s, end_s) of the fullest gauge of that name: how many, and how many of them at or above `limit`."""
        fullest = Measurement(start_s, end_s, 0, 0, 0, None, None)
        for key, gauge in self._gauges.items():
            if key[0] != service or key[2] != name or (share_of := self._share_of(key)) is None:
                continue
            shares = [share_of(value) for at_s, value in gauge.readings() if start_s <= at_s < end_s]
            if not shares:
                continue
            found = Measurement(
                start_s, end_s, len(shares), sum(share >= limit for share in shares), 0, None, None, share=round(shares[0], 4)
            )
            fullest = max(fullest, found, key=lambda m: (m.error_ratio, m.share or 0.0, m.requests))
        return fullest

    def shares(self, gauge: GaugeKey, since_s: float) -> Sequence[tuple[float, float]]:
        """(time, share in use) of one gauge from `since_s` on, oldest first."""
        key = (gauge.service, gauge.instance, gauge.name, gauge.attributes)
        kept, share_of = self._gauges.get(key), self._share_of(key)
        if kept is None or share_of is None:
            return ()
        return [(at_s, share_of(value)) for at_s, value in kept.readings() if at_s >= since_s][::-1]

    def _share_of(self, key: Key) -> Callable[[float], float] | None:
        """How a reading of this series becomes a share in use; None when it says nothing of that."""
        state = _state(key[3])
        if state not in ("", "used", "idle"):
            return None
        name, _, last = key[2].rpartition(".")
        words = last.split("_")
        if words[-1] == UTILIZATION:
            return None if REQUESTED in words else (lambda value: 1.0 - value) if state == "idle" else float
        if last in USED and state != "idle" and (most := self._most(key, name)) is not None:
            return lambda value: value / most
        return None

    def _most(self, key: Key, name: str) -> float | None:
        """The latest reading of the limit that belongs to a usage; None when there is none above 0."""
        service, instance, _, attributes = key
        for last in LIMIT:
            for pairs in (attributes, tuple(pair for pair in attributes if not _is_state(pair[0]))):
                limit = self._gauges.get((service, instance, f"{name}.{last}", pairs))
                if limit is not None and limit.values[-1] > 0:
                    return limit.values[-1]
        return None

    def _held(self, key: Key, gauge: _Gauge, share_of: Callable[[float], float], now_s: float) -> Saturation | None:
        limit = self._policy.limit_of(key[0])
        row = list(takewhile(lambda reading: share_of(reading[1]) >= limit, gauge.readings()))
        at_s = gauge.times[-1]
        spell = self._spells.setdefault(key, _Spell())
        spell.look(at_s, row[-1][0] if row else None, whole=len(row) == len(gauge.times))
        if len(gauge.times) < MIN_POINTS or spell.since_s is None:
            return None
        interval_s, held_s = _interval_s(gauge), at_s - spell.since_s
        gone = at_s < now_s - max(self._hold_s, 3.0 * interval_s)
        if gone or len(row) < MIN_POINTS or held_s < self._hold_s:
            return None
        news = spell.below and held_s >= TIMES_LONGEST * spell.longest_s
        return Saturation(GaugeKey(*key), spell.since_s, at_s, share_of(gauge.values[-1]), limit, news, interval_s)

    def _forget(self, now_s: float) -> None:
        while self._gauges:
            key, oldest = next(iter(self._gauges.items()))
            if oldest.times and oldest.times[-1] >= now_s - limits.GAUGE_KEPT_S:
                return
            del self._gauges[key]
            self._spells.pop(key, None)


def _interval_s(gauge: _Gauge) -> float:
    """How far the readings lie apart, on average."""
    return (gauge.times[-1] - gauge.times[0]) / (len(gauge.times) - 1)


def _is_state(key: str) -> bool:
    return key.rpartition(".")[2] in STATES


def _state(attributes: Pairs) -> str:
    """The state that a series is split by; "" when it is not."""
    return next((value for key, value in attributes if _is_state(key)), "")
