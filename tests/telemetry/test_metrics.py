"""OTLP metrics: what a process sends becomes gauges, rates and new values; what makes no sense is dropped and counted by reason."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp_metrics import decode_metrics
from tests.telemetry.metrics_world import (
    DELTA,
    JSON,
    PROTOBUF,
    Receiver,
    T,
    counter,
    durations,
    exponential,
    export,
    gauge,
    histogram,
    ns,
    number,
    summary,
)

EXAMPLES = Path(__file__).parent / "otlp_examples"
EXAMPLES_S = 1_544_712_660.3


def encodings() -> list[Receiver]:
    return [Receiver(PROTOBUF), Receiver(JSON)]


def test_the_specifications_example_is_taken_whole() -> None:
    decoded = decode_metrics((EXAMPLES / "metrics.json").read_bytes(), JSON, EXAMPLES_S, MetricSeries())
    assert (decoded.accepted, decoded.dropped) == (4, ())
    assert [(point.name, point.kind, point.value) for point in decoded.items] == [
        ("my.counter", "counter", 5.0),
        ("my.gauge", "gauge", 10.0),
        ("my.histogram", "histogram", 0.0),
        ("my.exponential.histogram", "histogram", 0.0),
    ]
    exact = decoded.items[3].histogram
    assert exact is not None and [(cell.low, cell.high, cell.count) for cell in exact.cells] == [(0.0, 0.0, 1), (4.0, 8.0, 2)]


def test_gauges_keep_their_value_their_process_and_their_attributes() -> None:
    for receiver in encodings():
        request = export(gauge("queue.length", number(0, 7, attributes={"pool": "b", "color": "red"})), k8s_pod_name="quotes-1")
        (point,) = receiver.take(request, 0).items
        assert (point.service, point.instance, point.value, point.at_s) == ("quotes", "quotes-1", 7.0, T)
        assert point.attributes == (("color", "red"), ("pool", "b"))


def test_a_running_total_becomes_a_rate_and_a_restart_begins_anew() -> None:
    for receiver in encodings():
        rates = []
        for at_s, total, start_s in ((10, 1_000, -9_000), (20, 1_050, -9_000), (30, 1_050, -9_000), (40, 12, 34), (50, 32, 34)):
            rates += [point.value for point in receiver.points(counter("requests", number(at_s, total, start_s)), at_s=at_s)]
        assert rates == [5.0, 0.0, 2.0, 2.0], "the first total tells nothing; 12 in the 6 seconds since the restart"
        assert receiver.series.restarts == 1


def test_a_total_that_falls_has_restarted_though_its_sender_does_not_say_so() -> None:
    receiver = Receiver()
    receiver.points(counter("requests", number(0, 500)))
    (point,) = receiver.points(counter("requests", number(10, 30)), at_s=10)
    assert (point.value, receiver.series.restarts) == (3.0, 1)


def test_a_total_that_has_just_begun_counts_from_its_beginning() -> None:
    (point,) = Receiver().points(counter("errors", number(10, 20, start_s=0)), at_s=10)
    assert point.value == 2.0


def test_two_processes_of_a_service_do_not_look_like_one_that_restarts() -> None:
    receiver = Receiver()
    values = []
    for at_s in (0, 10, 20):
        for host, total in (("a", 1_000 + at_s), ("b", at_s)):
            values += [point.value for point in receiver.take(export(counter("requests", number(at_s, total)), host_name=host), at_s).items]
    assert values == [1.0] * 4
    assert receiver.series.restarts == 0


def test_deltas_are_taken_as_they_are_and_what_goes_up_and_down_is_a_gauge() -> None:
    for receiver in encodings():
        deltas = counter("requests", number(10, 40, start_s=0), number(20, 20, start_s=10), temporality=DELTA)
        queue = counter("queue", number(10, 3), number(20, -1), monotonic=False)
        steps = counter("steps", number(10, 3, start_s=0), number(20, -1, start_s=10), temporality=DELTA, monotonic=False)
        found = [(point.kind, point.value) for point in receiver.points(deltas, queue, steps, at_s=20)]
        assert found == [("counter", 4.0), ("counter", 2.0), *[("gauge", value) for value in (3.0, -1.0, 3.0, 2.0)]]


def test_a_running_histogram_of_durations_becomes_the_new_durations() -> None:
    bounds = [0.1, 0.25, 0.5, 1.0]
    for receiver in encodings():
        name = "http.server.request.duration"
        assert receiver.points(histogram(name, durations(0, [900, 90, 9, 1, 0], bounds, start_s=-9_000))) == []
        (point,) = receiver.points(histogram(name, durations(10, [990, 95, 9, 4, 2], bounds, start_s=-9_000)), at_s=10)
        sketch = point.sketch()
        assert sketch is not None and sketch.count == 100
        assert sketch.count_above(500.0) == 5 and sketch.count_above(260.0) == 5, "no value leaves its bucket"
        median = sketch.quantile(0.5)
        assert median is not None and 40 < median < 70


def test_a_restarted_histogram_begins_anew() -> None:
    receiver = Receiver()
    receiver.points(histogram("d", durations(0, [9, 1], [1.0], start_s=-9_000)))
    (point,) = receiver.points(histogram("d", durations(10, [2, 0], [1.0], start_s=5)), at_s=10)
    assert point.histogram is not None and point.histogram.count == 2
    assert receiver.series.restarts == 1


def test_an_exponential_histogram_that_becomes_coarser_goes_on() -> None:
    """Scale 1 to 0: two neighbouring buckets become one, and the earlier state is read in the same way."""
    for receiver in encodings():
        receiver.points(histogram("d", exponential(0, [1, 1, 4], 1, 2, start_s=-9_000), unit="ms"))
        (point,) = receiver.points(histogram("d", exponential(10, [3, 5, 7], 0, 1, zero=2, start_s=-9_000), unit="ms"), at_s=10)
        assert point.histogram is not None
        cells = {(cell.low, cell.high): cell.count for cell in point.histogram.cells}
        assert cells == {(0.0, 0.0): 2, (2.0, 4.0): 1, (4.0, 8.0): 1, (8.0, 16.0): 7}
        assert receiver.series.restarts == 0


def test_an_exponential_histogram_at_the_edge_of_what_a_number_can_hold() -> None:
    (point,) = Receiver().points(
        histogram("d", exponential(10, [1, 1], -10, 2**30), exponential(20, [1], 20, -(2**31)), temporality=DELTA), at_s=20
    )[:1]
    sketch = point.sketch()
    assert sketch is not None and sketch.count == 2


def test_quantiles_of_a_summary_are_gauges() -> None:
    for receiver in encodings():
        found = receiver.points(summary("gc.pause", 0, p50=1.0, p99=40.0))
        assert [(point.kind, dict(point.attributes)["quantile"], point.value) for point in found] == [
            ("gauge", "0.5", 1.0),
            ("gauge", "0.99", 40.0),
        ]


def test_only_durations_become_sketches() -> None:
    point = Receiver().points(histogram("size", durations(10, [1, 2], [1.0]), unit="By"), at_s=10)[0]
    assert point.histogram is not None and point.sketch() is None
    point = Receiver().points(histogram("without.buckets", durations(10, [], [], count=3)), at_s=10)[0]
    assert point.histogram is not None and point.histogram.count == 3 and point.sketch() is None


@pytest.mark.parametrize(
    ("metric", "service", "reason"),
    [
        (gauge("g", number(0, math.nan)), "s", "not a finite number"),
        (gauge("g", number(0, math.inf)), "s", "not a finite number"),
        (gauge("g", number(0, 1, flags=1)), "s", "flagged as no recorded value"),
        (gauge("g", NumberDataPoint(as_double=1.0)), "s", "no time"),
        (gauge("g", NumberDataPoint(time_unix_nano=ns(0))), "s", "no value"),
        (gauge("g", number(5_000, 1)), "s", "time is hours off"),
        (gauge("g", number(-90_000, 1)), "s", "time is hours off"),
        (gauge("", number(0, 1)), "s", "metric without a name"),
        (gauge("g", number(0, 1)), "", "no service.name in the resource"),
        (counter("c", number(0, 1, start_s=5)), "s", "start after its time"),
        (counter("c", number(0, -1)), "s", "counter below zero"),
        (counter("c", number(0, 1), temporality=0), "s", "aggregation temporality missing"),
        (histogram("h", durations(0, [1, 2, 3], [1.0])), "s", "bounds and buckets of a histogram do not match"),
        (histogram("h", durations(0, [1, 2, 3], [2.0, 1.0])), "s", "bounds of a histogram do not ascend"),
        (histogram("h", durations(0, [1, 2], [math.nan])), "s", "bounds of a histogram do not ascend"),
        (histogram("h", durations(0, [1, 2], [1.0], count=1)), "s", "more values in the buckets of a histogram than its count"),
        (histogram("h", durations(0, [1, 2], [1.0], sum=math.nan)), "s", "histogram without a finite sum"),
        (histogram("h", durations(0, [0] * 401, [float(n) for n in range(400)])), "s", "histogram with more than 320 buckets"),
        (histogram("h", exponential(0, [0] * 401, 0, 0)), "s", "histogram with more than 320 buckets"),
        (histogram("h", exponential(0, [1], 99, 0)), "s", "scale of a histogram out of range"),
        (summary("q", 0, p50=math.nan), "s", "not a finite number"),
    ],
)
def test_what_makes_no_sense_is_dropped_with_its_reason(metric: Metric, service: str, reason: str) -> None:
    for receiver in encodings():
        decoded = receiver.take(export(metric, gauge("fine", number(0, 1)), service=service), 0)
        dropped = dict(decoded.dropped)
        assert dropped[reason] == (1 if service else 2)
        assert [point.name for point in decoded.items] == (["fine"] if service else [])
        assert len(receiver.series) == len(decoded.items), "what is dropped takes no room"


def test_points_out_of_order_and_sent_twice_are_dropped() -> None:
    receiver = Receiver()
    decoded = receiver.take(export(gauge("g", number(10, 1), number(5, 2), number(10, 3), number(11, 4))), 11)
    assert [point.value for point in decoded.items] == [1.0, 4.0]
    assert decoded.dropped == (("out of order: not newer than the series' last point", 2),)


def test_series_without_end_are_cut_off_and_told_and_quiet_ones_give_way() -> None:
    receiver = Receiver()
    points = [number(0, 1, attributes={"user": f"u{n}"}) for n in range(limits.METRIC_SERIES_PER_SERVICE + 7)]
    assert receiver.take(export(gauge("g", *points)), 0).rejected == 7
    for n in range(6):
        receiver.take(export(gauge("g", *points), service=f"s{n}"), 0)
    assert len(receiver.series) == limits.METRIC_SERIES
    late = limits.METRIC_QUIET_S + 1
    assert receiver.take(export(gauge("new", number(late, 1))), late).rejected == 0
    assert len(receiver.series) == 1


def test_attributes_beyond_the_limits_still_tell_series_apart() -> None:
    many = {f"k{n:02}": "v" for n in range(40)}
    receiver = Receiver()
    found = receiver.points(
        gauge(
            "g",
            number(0, 1, attributes=many),
            number(0, 2, attributes={**many, "k39": "other"}),
            number(0, 3, attributes={"long": "x" * 10_000}),
        )
    )
    assert len({point.attributes for point in found}) == 3
    assert all(len(key) + len(value) <= 160 for point in found for key, value in point.attributes)
    assert max(len(point.attributes) for point in found) == limits.POINT_ATTRIBUTES + 1


def test_a_body_that_is_cut_off_or_something_else_is_refused_and_leaves_no_trace() -> None:
    receiver = Receiver()
    body = export(counter("c", number(0, 1)), gauge("g", number(0, 1))).SerializeToString()
    for cut in (1, len(body) // 2, len(body) - 1):
        with pytest.raises(Refused, match="truncated"):
            decode_metrics(body[:cut], PROTOBUF, T, receiver.series)
    for wrong in (
        b"{",
        b"[]",
        b'{"resourceMetrics": 3}',
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":"x"}]}}]}]}]}',
    ):
        with pytest.raises(Refused):
            decode_metrics(wrong, JSON, T, receiver.series)
    with pytest.raises(Refused, match="Content-Type"):
        decode_metrics(body, "text/plain", T, receiver.series)
    assert len(receiver.series) == 0


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (PROTOBUF, b"\x0a\x00" * (8 << 20)),  # empty groups
        (PROTOBUF, ExportMetricsServiceRequest().SerializeToString() + b"\x08\x01" * (8 << 20)),  # unknown fields
        (JSON, b'{"resourceMetrics":[' + b"{}," * (5 << 20) + b"{}]}"),
        (JSON, b'{"resourceMetrics":[' + b"0," * (8 << 20) + b"0]}"),
        (JSON, b"[" * (16 << 20)),
    ],
    ids=["groups", "fields", "objects", "numbers", "nesting"],
)
def test_a_body_that_would_unfold_is_refused_before_it_does(content_type: str, body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=r"too many parts|not JSON"):
            decode_metrics(body, content_type, T, MetricSeries())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_point_that_is_a_bomb_is_dropped_unopened() -> None:
    bomb = number(0, 1, attributes={f"k{n}": "" for n in range(20_000)})
    receiver = Receiver()
    decoded = receiver.take(export(gauge("g", bomb, number(0, 2))), 0)
    assert [point.value for point in decoded.items] == [2.0]
    assert decoded.dropped == (("data point damaged or larger than 64 KiB", 1),)


def test_more_points_than_one_request_may_have_are_told() -> None:
    points = [number(n / 1e4, n) for n in range(limits.POINTS_PER_REQUEST + 5)]
    assert Receiver().take(export(gauge("g", *points)), 2).dropped == (("more than 10000 data points in one request", 5),)
