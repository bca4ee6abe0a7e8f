"""Requests made to take long: each is taken whole, and everything else has its turn meanwhile."""

from __future__ import annotations

import asyncio
import gc
import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from bot.telemetry import limits
from bot.telemetry.detail import GOLDEN
from bot.web.ingest import JSON, PROTOBUF, Admitted, Delivery, Front
from tests.web.otlp_world import FrontDoor

SPANS = 3_000
ITEMS = 800  # log records, data points
MOST_MS = 200.0
MOST_OF_WHOLE = 0.7  # the largest piece is a message that is unfolded at once


def service() -> KeyValue:
    return KeyValue(key="service.name", value=AnyValue(string_value="hostile"))


def traces(name: Callable[[int], str]) -> bytes:
    """Failed spans with an exception each, their ids chosen so that all traces are kept."""
    made, now_ns = ExportTraceServiceRequest(), time.time_ns()
    group = made.resource_spans.add()
    group.resource.attributes.append(service())
    spans = group.scope_spans.add().spans
    kept = pow(GOLDEN, -1, 2**64)
    for n in range(1, SPANS + 1):
        trace_id = b"trace id" + (n * kept % 2**64).to_bytes(8, "big")
        span = spans.add(trace_id=trace_id, span_id=n.to_bytes(8, "big"), name=name(n), kind=2)
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns - 10**9, now_ns
        span.status.code = 2  # type: ignore[assignment]
        event = span.events.add(name="exception")
        event.attributes.append(KeyValue(key="exception.stacktrace", value=AnyValue(string_value='File "a.py"\n' * 20)))
    return made.SerializeToString()


def logs() -> bytes:
    made, now_ns = ExportLogsServiceRequest(), time.time_ns()
    group = made.resource_logs.add()
    group.resource.attributes.append(service())
    records = group.scope_logs.add().log_records
    for n in range(ITEMS):
        records.add(time_unix_nano=now_ns, severity_number=17).body.string_value = f"word{n} failed at 12:30 with id {n} " * 20
    return made.SerializeToString()


def metrics() -> bytes:
    made, now_ns = ExportMetricsServiceRequest(), time.time_ns()
    group = made.resource_metrics.add()
    group.resource.attributes.append(service())
    metric = group.scope_metrics.add().metrics.add(name="http.server.request.duration", unit="s")
    metric.histogram.aggregation_temporality = 2  # type: ignore[assignment]
    for n in range(ITEMS):
        point = metric.histogram.data_points.add(time_unix_nano=now_ns, start_time_unix_nano=now_ns - 10**9, count=160)
        point.bucket_counts.extend([1] * 160)
        point.explicit_bounds.extend(map(float, range(159)))
        point.attributes.append(KeyValue(key="k", value=AnyValue(string_value=str(n))))
    return made.SerializeToString()


BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "many names": ("/v1/traces", lambda: traces(lambda n: f"name {n}")),
    "names that only Python reads": ("/v1/traces", lambda: traces(lambda n: f"Größe {n}")),
    "logs": ("/v1/logs", logs),
    "metrics": ("/v1/metrics", metrics),
}


OBJECTS = 390_000  # just fewer than may come in one body


def json_of(groups: str, scopes: str, items: str, level: str) -> bytes:
    """Hundreds of thousands of objects at one level of a request, and at its end something that cannot be read."""
    match level:
        case "resources":
            inner = "{}," * OBJECTS
            return f'{{"{groups}":[{inner}5]}}'.encode()
        case "items":
            inner = "{}," * OBJECTS
        case _:
            pairs = ",".join(['{"key":"a","value":{"stringValue":"b"}}'] * 195)
            inner = f'{{"attributes":[{pairs}]}},' * (OBJECTS // 400)
    return f'{{"{groups}":[{{"{scopes}":[{{"{items}":[{inner}5]}}]}}]}}'.encode()


JSON_NAMES = {
    "/v1/traces": ("resourceSpans", "scopeSpans", "spans"),
    "/v1/logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "/v1/metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}


async def held_and_whole_ms(work: asyncio.Task[Any]) -> tuple[float, float]:
    """The longest that this task had to wait for its turn until the work was done, and how long that was, in CPU time of this thread."""
    longest, began = 0.0, time.thread_time()
    last = began
    while not work.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest * 1000.0, (last - began) * 1000.0


@pytest.mark.parametrize("kind", BODIES)
def test_no_request_holds_the_event_loop_for_long(kind: str) -> None:
    path, make = BODIES[kind]
    body = make()

    async def story() -> tuple[float, float]:
        front = Front(FrontDoor().parts())
        assert front.at_once(Admitted(path, PROTOBUF, False), body) is None, "it is not read at once"
        delivery = Delivery(Admitted(path, PROTOBUF, False))
        assert front.feed(delivery, body) is None
        work = asyncio.create_task(front.finish(delivery))
        held_and_whole = await held_and_whole_ms(work)
        assert work.result().status == 200
        return held_and_whole

    gc.freeze()  # the test run's own objects are not the server's: it has frozen what it loaded
    try:
        held_ms, whole_ms = asyncio.run(story())
        assert held_ms < MOST_MS
        assert held_ms < MOST_OF_WHOLE * whole_ms, "in one piece, however fast the machine is"
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("path", "level"), [*((path, "attributes") for path in JSON_NAMES), ("/v1/traces", "items"), ("/v1/metrics", "resources")]
)
def test_objects_by_the_hundred_thousand_hold_nobody_up(path: str, level: str) -> None:
    async def story() -> float:
        front = Front(FrontDoor().parts())
        delivery = Delivery(Admitted(path, JSON, True))
        assert front.feed(delivery, gzip.compress(json_of(*JSON_NAMES[path], level), 1)) is None
        work = asyncio.create_task(front.finish(delivery))
        held_ms, _ = await held_and_whole_ms(work)
        assert work.result().status == 400
        return held_ms

    gc.freeze()
    try:
        assert asyncio.run(story()) < MOST_MS
    finally:
        gc.unfreeze()


def test_while_one_is_taken_the_next_of_its_signal_waits_and_both_are_counted() -> None:
    door = FrontDoor()
    front = Front(door.parts())
    large, small = traces(lambda n: f"name {n % 10}"), ExportTraceServiceRequest.FromString(traces(lambda n: "one"))
    del small.resource_spans[0].scope_spans[0].spans[1:]
    small.resource_spans[0].scope_spans[0].spans[0].span_id = b"another."
    admitted = Admitted("/v1/traces", PROTOBUF, False)

    async def story() -> None:
        delivery, second = Delivery(admitted), Delivery(admitted)
        front.feed(delivery, large)
        front.feed(second, small.SerializeToString())
        first = asyncio.create_task(front.finish(delivery))
        await asyncio.sleep(0)
        assert front.at_once(admitted, b"") is None, "nothing is read in the middle of another"
        waiting = asyncio.create_task(front.finish(second))
        assert [answer.status for answer in await asyncio.gather(first, waiting)] == [200, 200]
        assert front.at_once(admitted, b"") is not None

    asyncio.run(story())
    assert door.plane.counters.get("spans") == SPANS + 1
    assert door.plane.counters.get("detail") <= limits.DETAIL_PER_REQUEST + 1
