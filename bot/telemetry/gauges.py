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

from bot.telemetry import limits
from bot.telemetry.metric_point import MetricPoint, Pairs

UTILIZATION: Final = "utilization"
USED: Final = ("usage", "used", "count")
LIMIT: Final = ("limit", "max")
# A share or usage may be split by a state. What is not idle of a processor is used; cached, free and the like say nothing alone.
STATES: Final = ("state", "mode")
MIN_POINTS: Final = 3  # a single high reading is no state

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

    `limit`: the share above which something is nearly used up. `hold_s`: how long it must have been so.
    """

    def __init__(self, limit: float = 0.9, hold_s: float = 60.0) -> None:
        self._limit = limit
        self._hold_s = hold_s
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
        found = [saturation for key, gauge in self._gauges.items() if (saturation := self._saturation(key, gauge, now_s))]
        return sorted(found, key=lambda one: (-one.share, one.gauge.service, one.gauge.instance, one.gauge.name, one.gauge.attributes))

    def _saturation(self, key: Key, gauge: _Gauge, now_s: float) -> Saturation | None:
        state = _state(key[3])
        if len(gauge.times) < MIN_POINTS or state not in ("", "used", "idle"):
            return None
        name, _, last = key[2].rpartition(".")
        if last.rpartition("_")[2] == UTILIZATION:
            return self._held(key, gauge, (lambda value: 1.0 - value) if state == "idle" else float, now_s)
        if last in USED and state != "idle" and (most := self._most(key, name)) is not None:
            return self._held(key, gauge, lambda value: value / most, now_s)
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
        row = list(takewhile(lambda reading: share_of(reading[1]) >= self._limit, gauge.readings()))
        at_s = gauge.times[-1]
        gone = at_s < now_s - max(self._hold_s, 3.0 * _interval_s(gauge))
        if gone or len(row) < MIN_POINTS or at_s - row[-1][0] < self._hold_s:
            return None
        return Saturation(GaugeKey(*key), row[-1][0], at_s, share_of(gauge.values[-1]), self._limit)

    def _forget(self, now_s: float) -> None:
        while self._gauges:
            key, oldest = next(iter(self._gauges.items()))
            if oldest.times and oldest.times[-1] >= now_s - limits.GAUGE_KEPT_S:
                return
            del self._gauges[key]


def _interval_s(gauge: _Gauge) -> float:
    """How far the readings lie apart, on average."""
    return (gauge.times[-1] - gauge.times[0]) / (len(gauge.times) - 1)


def _is_state(key: str) -> bool:
    return key.rpartition(".")[2] in STATES


def _state(attributes: Pairs) -> str:
    """The state that a series is split by; "" when it is not."""
    return next((value for key, value in attributes if _is_state(key)), "")
