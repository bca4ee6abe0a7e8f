"""Where OTLP bodies of each signal go: decoded, counted, handed to whoever observes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bot.ports import Clock
from bot.telemetry.batch import Batch
from bot.telemetry.counters import Counters
from bot.telemetry.decoded import Decoded, Item
from bot.telemetry.log_line import LogLine
from bot.telemetry.metric_point import MetricPoint
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_logs import decode_logs
from bot.telemetry.otlp_metrics import decode_metrics
from bot.telemetry.reader import TraceReader

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


class TracesSink:
    """A Sink for `/v1/traces`. What breaks with a request wakes the loop at once: it need not wait for its next look."""

    def __init__(self, scout: TraceWatcher, reader: TraceReader, clock: Clock, counters: Counters, wake: Callable[[str], None]) -> None:
        self._scout = scout
        self._reader = reader
        self._clock = clock
        self._counters = counters
        self._wake = wake

    def accept(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        """As Sink says."""
        now_s = self._clock.now()
        batch = self._reader.read(body, content_type, now_s)
        self._scout.observe_batch(batch, now_s)
        for reason, count in batch.dropped.items():
            self._counters.add(SPANS_DROPPED, reason, count)
        if self._scout.glance(now_s):
            self._wake("a signal")
        return batch.accepted, batch.rejected, batch.reason


class MetricsSink:
    """A Sink for `/v1/metrics`. `observe(points, now_s)` gets the new points of each request."""

    def __init__(self, observe: Callable[[Sequence[MetricPoint], float], None], clock: Clock, counters: Counters) -> None:
        self._observe = observe
        self._clock = clock
        self._counters = counters
        self.series = MetricSeries()

    def accept(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        """As Sink says."""
        now_s = self._clock.now()
        restarts = self.series.restarts
        decoded = decode_metrics(body, content_type, now_s, self.series)
        self._observe(decoded.items, now_s)
        if self.series.restarts > restarts:
            self._counters.add(RESTARTS, n=self.series.restarts - restarts)
        return _counted(decoded, self._counters, POINTS, POINTS_DROPPED)


class LogsSink:
    """A Sink for `/v1/logs`. `observe(lines, now_s)` gets the lines of each request."""

    def __init__(self, observe: Callable[[Sequence[LogLine], float], None], clock: Clock, counters: Counters) -> None:
        self._observe = observe
        self._clock = clock
        self._counters = counters

    def accept(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        """As Sink says."""
        now_s = self._clock.now()
        decoded = decode_logs(body, content_type, now_s)
        self._observe(decoded.items, now_s)
        return _counted(decoded, self._counters, RECORDS, RECORDS_DROPPED)


def _counted(decoded: Decoded[Item], counters: Counters, accepted: str, dropped: str) -> tuple[int, int, str]:
    if decoded.accepted:
        counters.add(accepted, n=decoded.accepted)
    for reason, count in decoded.dropped:
        counters.add(dropped, reason, count)
    return decoded.accepted, decoded.rejected, decoded.reason
