"""Where OTLP bodies of metrics and logs go: decoded, counted, handed to whoever observes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.ports import Clock
from bot.telemetry.counters import Counters
from bot.telemetry.decoded import Decoded, Item
from bot.telemetry.log_line import LogLine
from bot.telemetry.metric_point import MetricPoint
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_logs import decode_logs
from bot.telemetry.otlp_metrics import decode_metrics

# Names in Counters.
POINTS, POINTS_DROPPED, RESTARTS = "points", "points_dropped", "metric_restarts"
RECORDS, RECORDS_DROPPED = "log_records", "log_records_dropped"


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
