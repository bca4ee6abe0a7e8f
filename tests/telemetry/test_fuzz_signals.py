"""Any bytes whatever: the decoders of metrics and logs answer or refuse, and nothing else; what they let through is usable."""

from __future__ import annotations

import json
import math
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Refused
from bot.log_template import TEMPLATE_CHARS
from bot.telemetry import limits
from bot.telemetry.gauges import Gauges
from bot.telemetry.logs import LogBook
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_logs import decode_logs
from bot.telemetry.otlp_metrics import decode_metrics
from tests.telemetry.metrics_world import CUMULATIVE, DELTA, counter, durations, exponential, gauge, histogram, number, summary
from tests.telemetry.metrics_world import export as export_metrics
from tests.telemetry.test_otlp_logs import export as export_logs
from tests.telemetry.test_otlp_logs import record

T = 1_700_000_000.0
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
METRICS = export_metrics(
    gauge("g.utilization", number(0, 0.5, attributes={"a": "b"})),
    counter("c", number(1, 5, start_s=0), number(2, 6, start_s=0), temporality=CUMULATIVE),
    histogram("h", durations(1, [1, 2, 3], [0.1, 0.2])),
    histogram("e", exponential(1, [1, 2], 3, -2, zero=1), temporality=DELTA),
    summary("s", 1, p50=1.0, p99=2.0),
).SerializeToString()
LOGS = export_logs(
    record("17:03 ERROR a.b.C#12 'x' 4711", severity=0, trace_id=b"t" * 16, span_id=b"s" * 8, attributes={"exception.type": "E"}),
    record('{"level": "error", "msg": "x"}', severity=0),
).SerializeToString()


def assert_taken_or_refused(body: bytes, content_type: str) -> None:
    """What serve does with a body: what is taken is finite, named and bounded, and nothing but a refusal is raised."""
    gauges, book = Gauges(), LogBook()
    with suppress(Refused):
        points = decode_metrics(body, content_type, T, MetricSeries())
        for point in points.items:
            assert math.isfinite(point.value) and point.service and point.name
            sketch = point.sketch()
            assert sketch is None or sketch.quantile(0.99) is not None
        gauges.observe(points.items, T)
        gauges.saturated(T)
    with suppress(Refused):
        lines = decode_logs(body, content_type, T)
        assert all(len(line.body) <= limits.LOG_BODY_CHARS and len(line.template) <= TEMPLATE_CHARS for line in lines.items)
        book.observe(lines.items, T)
        book.bursts(T)
        book.templates(T - 10, T + 10, T - 100)


def test_the_messages_that_are_damaged_here_are_whole_before() -> None:
    points, lines = decode_metrics(METRICS, PROTOBUF, T, MetricSeries()), decode_logs(LOGS, PROTOBUF, T)
    assert (points.accepted, points.rejected, lines.accepted, lines.rejected) == (6, 0, 2, 0)


@given(st.binary(max_size=300))
def test_random_bytes(body: bytes) -> None:
    assert_taken_or_refused(body, PROTOBUF)
    assert_taken_or_refused(body, JSON)


@settings(max_examples=300)
@given(st.sampled_from((METRICS, LOGS)), st.data())
def test_messages_cut_off_flipped_and_spliced(message: bytes, data: st.DataObject) -> None:
    body = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.integers(0, len(body)))
    assert_taken_or_refused(bytes(body), PROTOBUF)
    assert_taken_or_refused(bytes(body[:end]), PROTOBUF)
    assert_taken_or_refused(bytes(body[end:]) + message, PROTOBUF)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(("NaN", "Infinity", "1e999", str(2**64)))
)
KEYS = (
    *(
        "resourceMetrics",
        "resource",
        "attributes",
        "scopeMetrics",
        "metrics",
        "gauge",
        "sum",
        "histogram",
        "exponentialHistogram",
        "summary",
    ),
    *("dataPoints", "asDouble", "asInt", "timeUnixNano", "startTimeUnixNano", "bucketCounts", "explicitBounds", "positive", "offset"),
    *("scale", "count", "quantileValues", "quantile", "resourceLogs", "scopeLogs", "logRecords", "body", "severityNumber", "traceId"),
    *("key", "value", "stringValue", "intValue", "arrayValue", "kvlistValue", "values", "name", "unit", "flags", "isMonotonic"),
)
objects = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)), max_leaves=30
)


def at_depth(inner: object, logs: bool) -> object:
    """The object as the one record or metric of an otherwise correct request: random nesting hardly ever gets there."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]}
    if logs:
        return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [inner]}]}]}
    points = {"dataPoints": [inner], "aggregationTemporality": 2, "isMonotonic": True}
    kinds = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
    metrics = [{"name": kind, kind: points} for kind in kinds]
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}


@settings(max_examples=300)
@given(objects, st.booleans())
def test_json_of_the_right_words_in_the_wrong_places(inner: object, logs: bool) -> None:
    assert_taken_or_refused(json.dumps(inner).encode(), JSON)
    timed = {"timeUnixNano": str(int(T * 1e9)), **inner} if isinstance(inner, dict) else inner
    assert_taken_or_refused(json.dumps(at_depth(timed, logs)).encode(), JSON)
