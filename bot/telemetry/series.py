"""Every span counted: requests, errors and durations of each (service, operation, kind, status) and second, however many spans come.

The last seconds are kept one by one, what is older in coarser slices, and after ten minutes it is gone (limits.SERIES_LEVELS_S).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bot.telemetry import limits, slices
from bot.telemetry.columns import Column
from bot.telemetry.counters import Counters
from bot.telemetry.keys import STATUSES, KeyTable, SeriesKey
from bot.telemetry.sketch import Sketch, bucket_of
from bot.telemetry.slices import Slice
from bot.telemetry.span import Kind

__all__ = ["SeriesKey", "SeriesTable", "Window"]


class Fold(Protocol):
    """bot/telemetry/slices.py's `fold`."""

    def __call__(self, records: Column, /) -> list[tuple[int, Slice]]: ...


class Merge(Protocol):
    """bot/telemetry/slices.py's `merge`."""

    def __call__(self, a: Slice, b: Slice, /) -> Slice: ...


@dataclass(frozen=True, slots=True)
class Window:
    """One operation in one stretch of time, all statuses together; refused ones are requests and no errors."""

    requests: int = 0
    errors: int = 0
    sketch: Sketch = field(default_factory=Sketch)


class SeriesTable:
    """Takes spans in any order; not safe for threads. Seconds are Unix seconds in which spans ended.

    `fold` and `merge` are those of bot/telemetry/slices.py, or others with the same results. Spans under a stand-in key (see KeyTable)
    are counted as `spans_overflowed`.
    """

    def __init__(
        self, keys: KeyTable | None = None, counters: Counters | None = None, *, fold: Fold = slices.fold, merge: Merge = slices.merge
    ) -> None:
        self.key_table = keys or KeyTable()
        self._counters = counters or Counters()
        self._fold, self._merge = fold, merge
        self._log = array("Q")
        self._fresh: dict[int, Slice] = {}  # not handed out yet, by second
        self._past: tuple[dict[int, Slice], ...] = tuple({} for _ in limits.SERIES_LEVELS_S)  # by level and start
        self._now_s = 0

    def add(self, key: SeriesKey, end_s: float, duration_ms: float) -> None:
        """Counts one span; `extend` is the way for many."""
        number = slices.record(int(end_s), self.key_table.index(key), bucket_of(duration_ms))
        self.extend(number.to_bytes(8, sys.byteorder), end_s)

    def extend(self, records: bytes | memoryview, now_s: float) -> None:
        """Counts spans given as records (bot/telemetry/slices.py), 64-bit numbers in this machine's order."""
        self._now_s = max(self._now_s, int(now_s))
        self._log.frombytes(records)
        if len(self._log) >= limits.SERIES_LOG:
            self._sort_in()

    def keys(self) -> tuple[SeriesKey, ...]:
        """All that were ever seen, in order of first appearance; among them the stand-ins for those that found no room."""
        return self.key_table.all()

    def closed(self, until_s: float) -> Iterator[tuple[int, SeriesKey, int, Sketch]]:
        """(second, key, errors, durations) of what came since the last call and ended in a whole second before `until_s`, by second.

        Each span is handed out once. Of a second that was handed out already, what came late is handed out, and that only. Seconds
        nobody asks for within limits.SERIES_FRESH_S are not handed out.
        """
        self._sort_in()
        ready = sorted(second for second in self._fresh if second + 1 <= until_s)
        taken = [(second, self._fresh.pop(second)) for second in ready]
        for second, found in taken:
            self._keep(second, found)
        self._age()
        for second, found in taken:
            for index, sketch in found:
                key = self.key_table[index]
                yield second, key, sketch.count if key.status == "error" else 0, sketch

    def window(self, service: str, operation: str, kind: Kind, start_s: float, end_s: float) -> Window:
        """What ended in [start_s, end_s), as exactly as it is still known: a slice counts whole when it begins in there."""
        self._sort_in()
        counts = dict.fromkeys(STATUSES, 0)
        total = Sketch()
        for status in STATUSES:
            index = self.key_table.known(SeriesKey(service, operation, kind, status))
            if index is None:
                continue
            for level in (self._fresh, *self._past):
                for start, found in level.items():
                    if start_s <= start < end_s and (sketch := found.sketch(index)) is not None:
                        counts[status] += sketch.count
                        total.merge(sketch)
        return Window(total.count, counts["error"], total)

    @property
    def size_bytes(self) -> int:
        """What the past takes."""
        return sum(found.size_bytes for level in self._past for found in level.values())

    def _sort_in(self) -> None:
        """From the log into the seconds. What claims to come from the future is counted now: else it would be kept until then."""
        if not self._log:
            return
        for second, found in self._fold(self._log):
            if second > self._now_s + limits.SERIES_FRESH_S:
                second = self._now_s
                self._counters.add("seconds", "from the future")
            elif second < self._now_s - limits.SERIES_FRESH_S:
                self._counters.add("seconds", "late")
            known = self._fresh.get(second)
            self._fresh[second] = found if known is None else self._merge(known, found)
            self._report_overflow(found)
        del self._log[:]
        for second in sorted(second for second in self._fresh if second < self._now_s - limits.SERIES_FRESH_S):
            self._keep(second, self._fresh.pop(second))
        self._age()

    def _report_overflow(self, found: Slice) -> None:
        for index in self.key_table.overflow:
            sketch = found.sketch(index)
            if sketch is not None:
                self._counters.add("spans_overflowed", self.key_table[index].service, sketch.count)

    def _keep(self, start: int, found: Slice) -> None:
        """Puts a slice into the finest level that still holds its time; what is too old for all of them is let go."""
        for level, (length_s, keep_s) in zip(self._past, limits.SERIES_LEVELS_S, strict=True):
            begin = start - start % length_s
            if begin >= self._now_s - keep_s:
                known = level.get(begin)
                level[begin] = found if known is None else self._merge(known, found)
                return

    def _age(self) -> None:
        for level, (_, keep_s) in zip(self._past, limits.SERIES_LEVELS_S, strict=True):
            for start in [start for start in level if start < self._now_s - keep_s]:
                self._keep(start, level.pop(start))
        size = self.size_bytes
        for level in reversed(self._past):
            for start in sorted(level):
                if size <= limits.SERIES_BYTES:
                    return
                size -= level.pop(start).size_bytes
