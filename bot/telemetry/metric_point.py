"""A metric's data point as Scout sees it: a gauge's value, a counter's rate, or the new values of a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bot.telemetry.sketch import Sketch

PointKind = Literal["gauge", "counter", "histogram"]
Pairs = tuple[tuple[str, str], ...]

# To milliseconds, by UCUM unit (https://ucum.org); the words are what older instrumentation sends.
MILLISECONDS: Final = {
    "s": 1_000.0,
    "ms": 1.0,
    "us": 1e-3,
    "ns": 1e-6,
    "min": 60_000.0,
    "h": 3_600_000.0,
    "seconds": 1_000.0,
    "milliseconds": 1.0,
}
SPREAD: Final = 8  # a bucket's values are taken as spread evenly over it, at so many places at most


@dataclass(frozen=True, slots=True)
class Cell:
    """So many values of a histogram in (low, high]; high is inf for the last bucket."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """The values that came since the series' previous point."""

    count: int
    sum: float
    cells: tuple[Cell, ...]  # in order, none empty


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One point of one series. `value`: a gauge's value as it is, a counter's increase per second; 0 for a histogram."""

    service: str
    instance: str  # which of the service's processes, "" when the resource does not say
    name: str
    unit: str
    kind: PointKind
    attributes: Pairs  # sorted by key, bounded
    at_s: float
    value: float = 0.0
    histogram: Histogram | None = None

    def sketch(self) -> Sketch | None:
        """A histogram of durations as a sketch in milliseconds; None for everything else, and for a histogram sent without buckets."""
        factor = MILLISECONDS.get(self.unit)
        if self.histogram is None or not self.histogram.cells or factor is None:
            return None
        return sketch_of(self.histogram.cells, factor)


def sketch_of(cells: Sequence[Cell], factor: float) -> Sketch:
    """`factor` turns the cells' unit into milliseconds. No value leaves its bucket, so counts above a bucket's bound stay exact."""
    sketch = Sketch()
    for cell in cells:
        if cell.high == float("inf"):
            sketch.add(max(cell.low, 0.0) * factor, cell.count)
            continue
        places = min(SPREAD, cell.count)
        each, rest = divmod(cell.count, places)
        for place in range(places):
            value = cell.low + (cell.high - cell.low) * (place + 0.5) / places
            sketch.add(max(value, 0.0) * factor, each + (place < rest))
    return sketch
