"""A metric's data point as both encodings give it, and what makes it unusable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bot.telemetry import limits
from bot.telemetry.attributes import Attributes, Scalar, clean, text
from bot.telemetry.buckets import Buckets
from bot.telemetry.decoded import hours_off
from bot.telemetry.metric_point import Pairs

DELTA, CUMULATIVE = 1, 2  # OTLP's AggregationTemporality
NO_VALUE: Final = 1  # the only flag of a data point: the series has no value any more
SERVICE: Final = ("service.name",)
# Which of a service's processes: the most exact name first (https://opentelemetry.io/docs/specs/semconv/resource/).
INSTANCE: Final = ("service.instance.id", "k8s.pod.name", "k8s.pod.uid", "container.id", "host.name", "host.id")
RESOURCE_KEYS: Final = frozenset({*SERVICE, *INSTANCE})
MORE: Final = "(more)"  # stands for attributes beyond the limits, with a number that tells them apart

Shape = Literal["gauge", "sum", "histogram", "summary"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where points come from. `identity`: the resource as it was sent, to tell apart processes that do not name themselves."""

    service: str
    instance: str
    identity: int

    @classmethod
    def of(cls, resource: Attributes, sent: bytes) -> Source:
        return cls(text(resource, SERVICE), text(resource, INSTANCE), hash(sent))


@dataclass(frozen=True, slots=True)
class Family:
    """The metric that points belong to."""

    name: str
    unit: str
    shape: Shape
    temporality: int  # 0 where it has no meaning
    monotonic: bool

    @classmethod
    def of(cls, name: str, unit: str, shape: Shape, temporality: int = 0, monotonic: bool = False) -> Family:
        return cls(clean(name, limits.METRIC_NAME_CHARS), clean(unit, limits.UNIT_CHARS), shape, temporality, monotonic)


@dataclass(frozen=True, slots=True)
class RawPoint:
    """Times in nanoseconds, 0 when not given. Of a gauge or sum the number, of a histogram its buckets, of a summary its quantiles."""

    start_ns: int
    time_ns: int
    flags: int
    attributes: Pairs
    number: float | None = None
    count: int = 0
    sum: float = 0.0
    buckets: Buckets | None = None
    too_many_buckets: bool = False
    quantiles: tuple[tuple[float, float], ...] = ()  # (0..1, value)


def refusal(source: Source, family: Family, point: RawPoint, now_s: float) -> str | None:
    """Why a point cannot be used; None when it can."""
    if not source.service:
        return "no service.name in the resource"
    if not family.name:
        return "metric without a name"
    if point.flags & NO_VALUE:
        return "flagged as no recorded value"
    if not point.time_ns:
        return "no time"
    if hours_off(point.time_ns / 1e9, now_s):
        return "time is hours off"
    if point.start_ns > point.time_ns:
        return "start after its time"
    if family.shape in ("sum", "histogram") and family.temporality not in (DELTA, CUMULATIVE):
        return "aggregation temporality missing"
    return _unusable_value(family, point)


def _unusable_value(family: Family, point: RawPoint) -> str | None:
    if family.shape == "histogram":
        if point.too_many_buckets:
            return f"histogram with more than {limits.HISTOGRAM_BUCKETS} buckets"
        if point.buckets is None or not math.isfinite(point.sum):
            return "histogram without a finite sum"
        if point.buckets.counts and point.buckets.total > point.count:
            return "more values in the buckets of a histogram than its count"
        return point.buckets.problem()
    if family.shape == "summary":
        return None if all(math.isfinite(q) and math.isfinite(value) for q, value in point.quantiles) else "not a finite number"
    if point.number is None:
        return "no value"
    if not math.isfinite(point.number):
        return "not a finite number"
    if family.shape == "sum" and family.monotonic and point.number < 0:
        return "counter below zero"
    return None


def pairs(attributes: Iterable[tuple[str, Scalar | None]]) -> Pairs:
    """Attributes as sorted bounded text. Beyond the limits their rest becomes one pair, so that different series stay different."""
    shown: list[tuple[str, str]] = []
    cut: list[tuple[str, str]] = []
    for key, value in sorted(((key, str(value)) for key, value in attributes)):
        fits = len(shown) < limits.POINT_ATTRIBUTES and len(key) <= limits.ATTRIBUTE_KEY_CHARS
        if fits and len(value) <= limits.ATTRIBUTE_VALUE_CHARS:
            shown.append((clean(key, limits.ATTRIBUTE_KEY_CHARS), clean(value, limits.ATTRIBUTE_VALUE_CHARS)))
        else:
            cut.append((key, value))
    if cut:
        shown.append((MORE, f"{hash(tuple(cut)) & 0xFFFF_FFFF:08x}"))
    return tuple(shown)


def bounded_buckets(counts: Sequence[int], bounds: Sequence[float]) -> Buckets | None:
    """Explicit buckets; None when there are too many."""
    if len(counts) > limits.HISTOGRAM_BUCKETS or len(bounds) > limits.HISTOGRAM_BUCKETS:
        return None
    return Buckets(tuple(counts), tuple(bounds))


def bounded_exponential(counts: Sequence[int], scale: int, offset: int, zero: int) -> Buckets | None:
    """Exponential buckets of positive values (durations and sizes have no others); None when there are too many."""
    if len(counts) > limits.HISTOGRAM_BUCKETS:
        return None
    return Buckets(tuple(counts), (), scale, offset, zero)
