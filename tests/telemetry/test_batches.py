"""A request read into columns tells Scout what its spans one by one would tell it; what comes again is not counted again."""

from __future__ import annotations

import random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.model import Event, Health
from bot.telemetry import limits
from bot.telemetry.otlp import PROTOBUF
from bot.telemetry.reader import TraceReader
from tests.telemetry.decoding import decode_traces
from tests.telemetry.world import BUY, FRONT, T0, new_scout

SECONDS = 40


def body(rng: random.Random, second: int, requests: int, failing: float, commit: str = "c" * 40) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (("service.name", FRONT), ("service.version", commit)):
        group.resource.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    scope = group.scope_spans.add()
    method, route = BUY.split(" ")
    for _ in range(requests):
        start_ns = int((T0 + second + rng.random()) * 1e9)
        status = 500 if rng.random() < failing else 201
        scope.spans.append(
            OtlpSpan(
                trace_id=rng.randbytes(16),
                span_id=rng.randbytes(8),
                name=BUY,
                kind=OtlpSpan.SPAN_KIND_SERVER,
                start_time_unix_nano=start_ns,
                end_time_unix_nano=start_ns + int(rng.uniform(0.1, 0.3) * 1e9),
                attributes=[
                    KeyValue(key="http.request.method", value=AnyValue(string_value=method)),
                    KeyValue(key="http.route", value=AnyValue(string_value=route)),
                    KeyValue(key="http.response.status_code", value=AnyValue(int_value=status)),
                ],
            )
        )
    return request.SerializeToString()


def test_columns_tell_the_same_as_spans_one_by_one() -> None:
    rng = random.Random(4)
    by_span, by_column = new_scout()[0], new_scout()[0]
    reader = TraceReader(by_column.catalogue)
    for second in range(SECONDS):
        now_s = T0 + second + 1.5
        sent = body(rng, second, 12, 0.3 if second > 25 else 0.0, "d" * 40 if second > 20 else "c" * 40)
        by_span.observe(decode_traces(sent, PROTOBUF, now_s).spans, now_s)
        by_column.observe_batch(reader.read(sent, PROTOBUF, now_s), now_s)
        assert by_column.signals(now_s) == by_span.signals(now_s)
        assert by_column.health(FRONT, BUY, now_s) == by_span.health(FRONT, BUY, now_s)
        assert by_column.serving(FRONT, now_s) == by_span.serving(FRONT, now_s)
    (signal,) = by_column.signals(now_s)
    assert by_column.evidence(signal, now_s) == by_span.evidence(signal, now_s)
    window = by_column.series.window(FRONT, BUY, "server", T0 - 120, T0 + SECONDS + 1)  # older seconds lie in slices of up to 120 s
    assert window.requests == 12 * SECONDS
    assert 20 < window.errors < 80


def test_an_exporters_second_try_is_counted_once() -> None:
    rng = random.Random(5)
    scout, _ = new_scout()
    reader = TraceReader(scout.catalogue)
    sent = [body(rng, second, 20, 0.0) for second in range(10)]
    for second, one in enumerate(sent):
        for delay_s in (1.5, 3.0):
            scout.observe_batch(reader.read(one, PROTOBUF, T0 + second + delay_s), T0 + second + delay_s)
    health, now = scout.health(FRONT, BUY, T0 + 11.5)
    assert health is Health.HEALTHY and now is not None
    assert scout.series.window(FRONT, BUY, "server", T0, T0 + 12).requests == 200
    assert scout.counters.get("spans_repeated") == 200


def test_a_flood_is_counted_whole_and_kept_in_part_and_that_is_said_once() -> None:
    rng = random.Random(6)
    scout, heard = new_scout()
    reader = TraceReader(scout.catalogue)
    for tenth in range(30):
        now_s = T0 + tenth / 10 + 1.5
        scout.observe_batch(reader.read(body(rng, 0, 400, 0.0), PROTOBUF, now_s), now_s)
    assert scout.series.window(FRONT, BUY, "server", T0, T0 + 3).requests == 12_000
    assert scout.counters.get("detail") < limits.DETAIL_BURST + 4 * limits.DETAIL_SPANS_PER_S
    said = [event.text for event in heard.events if "kept" in event.text]
    assert len(said) == 1 and "all are counted" in said[0]
    for second in range(200):
        now_s = T0 + 10 + second
        scout.observe_batch(reader.read(body(rng, 10 + second, 5, 0.0), PROTOBUF, now_s), now_s)
    assert heard.events[-1].text == "traffic has calmed down: I keep every trace again"
    assert isinstance(heard.events[-1], Event)
