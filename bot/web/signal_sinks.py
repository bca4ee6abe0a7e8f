"""Where OTLP bodies of each signal go: decoded, counted, handed to whoever observes them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

from bot.ports import Clock
from bot.telemetry.batch import Batch
from bot.telemetry.counters import Counters
from bot.telemetry.decoded import Decoded, Item
from bot.telemetry.log_line import LogLine
from bot.telemetry.metric_point import MetricPoint
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_logs import log_steps
from bot.telemetry.otlp_metrics import metric_steps
from bot.telemetry.reader import TraceReader
from bot.telemetry.steps import ITEMS_PER_STEP, Steps, in_turns, run_through
from bot.web.parts import Taken

# What is read between two turns of the event loop when it comes alone: some thousand of the smallest spans, some hundred lines of logs.
TRACES_AT_ONCE_BYTES: Final = 256 * 1024
OTHERS_AT_ONCE_BYTES: Final = 16 * 1024

T = TypeVar("T")

# Names in Counters.
SPANS_DROPPED = "spans_dropped"
POINTS, POINTS_DROPPED, RESTARTS = "points", "points_dropped", "metric_restarts"
RECORDS, RECORDS_DROPPED = "log_records", "log_records_dropped"


class TraceWatcher(Protocol):
    """Scout, as far as traces go."""

    def observe_batch(self, batch: Batch, now_s: float) -> None: ...
    def glance(self, now_s: float) -> bool:
        """Whether something has just broken."""
        ...


class SteppedSink(ABC):
    """A Sink (bot/web/parts.py) that takes one body at a time."""

    def __init__(self, at_once_bytes: int) -> None:
        self._at_once_bytes = at_once_bytes
        self._turn = asyncio.Lock()

    @property
    def at_once_bytes(self) -> int:
        return 0 if self._turn.locked() else self._at_once_bytes

    def accept(self, body: bytes, content_type: str) -> Taken:
        """As Sink says."""
        return run_through(self._steps(body, content_type))

    async def accept_in_turns(self, body: bytes, content_type: str) -> Taken:
        """As Sink says."""
        async with self._turn:
            await asyncio.sleep(0)  # inflating it was a step too
            return await in_turns(self._steps(body, content_type))

    @abstractmethod
    def _steps(self, body: bytes, content_type: str) -> Steps[Taken]: ...


class TracesSink(SteppedSink):
    """A GzipSink for `/v1/traces`. What breaks with a request wakes the loop at once: it need not wait for its next look."""

    def __init__(self, scout: TraceWatcher, reader: TraceReader, clock: Clock, counters: Counters, wake: Callable[[str], None]) -> None:
        super().__init__(TRACES_AT_ONCE_BYTES)
        self._scout = scout
        self._reader = reader
        self._clock = clock
        self._counters = counters
        self._wake = wake

    def _steps(self, body: bytes, content_type: str) -> Steps[Taken]:
        now_s = self._clock.now()
        batch = yield from self._reader.steps(body, content_type, now_s)
        return self._observe(batch, now_s)

    def accept_gzip(self, body: bytes, inflated_bytes: int) -> Taken | None:
        """As GzipSink says."""
        now_s = self._clock.now()
        batch = self._reader.read_gzip(body, inflated_bytes, now_s)
        return self._observe(batch, now_s) if batch is not None else None

    def _observe(self, batch: Batch, now_s: float) -> Taken:
        self._scout.observe_batch(batch, now_s)
        if self._scout.glance(now_s):
            self._wake("a signal")
        if not batch.dropped:
            return len(batch.records), 0, ""
        for reason, count in batch.dropped.items():
            self._counters.add(SPANS_DROPPED, reason, count)
        return batch.accepted, batch.rejected, batch.reason


class MetricsSink(SteppedSink):
    """A Sink for `/v1/metrics`. `observe(points, now_s)` gets the new points of each request."""

    def __init__(self, observe: Callable[[Sequence[MetricPoint], float], None], clock: Clock, counters: Counters) -> None:
        super().__init__(OTHERS_AT_ONCE_BYTES)
        self._observe = observe
        self._clock = clock
        self._counters = counters
        self.series = MetricSeries()

    def _steps(self, body: bytes, content_type: str) -> Steps[Taken]:
        now_s = self._clock.now()
        restarts = self.series.restarts
        decoded = yield from metric_steps(body, content_type, now_s, self.series)
        for points in _pieces(decoded.items):
            self._observe(points, now_s)
            yield
        if self.series.restarts > restarts:
            self._counters.add(RESTARTS, n=self.series.restarts - restarts)
        return _counted(decoded, self._counters, POINTS, POINTS_DROPPED)


class LogsSink(SteppedSink):
    """A Sink for `/v1/logs`. `observe(lines, now_s)` gets the lines of each request."""

    def __init__(self, observe: Callable[[Sequence[LogLine], float], None], clock: Clock, counters: Counters) -> None:
        super().__init__(OTHERS_AT_ONCE_BYTES)
        self._observe = observe
        self._clock = clock
        self._counters = counters

    def _steps(self, body: bytes, content_type: str) -> Steps[Taken]:
        now_s = self._clock.now()
        decoded = yield from log_steps(body, content_type, now_s)
        for lines in _pieces(decoded.items):
            self._observe(lines, now_s)
            yield
        return _counted(decoded, self._counters, RECORDS, RECORDS_DROPPED)


def _pieces(items: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while piece := tuple(islice(rest, ITEMS_PER_STEP)):
        yield piece


def _counted(decoded: Decoded[Item], counters: Counters, accepted: str, dropped: str) -> Taken:
    if decoded.accepted:
        counters.add(accepted, n=decoded.accepted)
    for reason, count in decoded.dropped:
        counters.add(dropped, reason, count)
    return decoded.accepted, decoded.rejected, decoded.reason
