"""What the engines are fed: one value of one series, one edge of the call graph, one span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Instrument = Literal["gauge", "delta", "cumulative"]


@dataclass(frozen=True, slots=True)
class SeriesId:
    """One series of one service. `statistic` says which statistic of a distribution a value is ("p99", "Average", "0.5"); empty: none."""

    service: str
    metric: str
    statistic: str
    attributes: tuple[tuple[str, str], ...]
    unit: str
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series at `at_s` (seconds since the epoch)."""

    at_s: float
    series: SeriesId
    value: float


@dataclass(frozen=True, slots=True)
class Call:
    """An edge of the service graph: `client` calls `server`."""

    client: str
    server: str


@dataclass(frozen=True, slots=True)
class BareSpan:
    """A span: names and times; `serves` and `failed` where the sender says so (kind server or consumer; status error or a 5xx)."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start_s: float
    end_s: float
    serves: bool = False
    failed: bool = False


Observation = Point | Call | BareSpan
