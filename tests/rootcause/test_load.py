"""A folder of recorded telemetry becomes a window: any names, plain or gzip; damage is told, nothing grows without bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import Missing
from bot.rootcause.reading.window import Limits, load_window
from tests.rootcause.recorded_world import BEGAN_NS, NS_PER_MS, Message, attributes, gauge, logs_line, metrics_line, save, span, spans_line


def test_files_of_any_name_plain_or_packed_at_any_depth_are_one_window(tmp_path: Path) -> None:
    save(tmp_path / "a.txt", [spans_line("web", [span("t", "1", start_ms=5, end_ms=9)], k8s__pod__name="web-0")])
    save(tmp_path / "deep" / "b.gz", [spans_line("db", [span("t", "2", "1", start_ms=2, end_ms=3)])])
    save(tmp_path / ".hidden", [spans_line("no", [span("t", "3")])])
    window = load_window(tmp_path).window
    assert [(one.service, one.instance, one.span_id, one.parent_id) for one in window.spans] == [
        ("db", "", "2", "1"),
        ("web", "web-0", "1", ""),
    ]
    assert [one.start_ns for one in window.spans] == [BEGAN_NS + 2 * NS_PER_MS, BEGAN_NS + 5 * NS_PER_MS]


def test_one_file_instead_of_a_folder_and_indented_by_hand_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "one.json", [json.dumps(json.loads(spans_line("web", [span("t", "1")])), indent=2)])
    loaded = load_window(path)
    assert [one.service for one in loaded.window.spans] == ["web"] and loaded.notes == []


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({}, False),
        ({"status": {"code": 2}}, True),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, True),
        ({"status": {"code": "STATUS_CODE_OK"}}, False),
        ({"attributes": attributes(http__response__status_code=503)}, True),
        ({"attributes": attributes(http__status_code=404)}, False),
        ({"attributes": attributes(error__type="timeout")}, True),
        ({"attributes": attributes(error="true")}, True),
        ({"attributes": attributes(rpc__grpc__status_code=14)}, True),
        ({"attributes": attributes(rpc__grpc__status_code=5)}, False),
    ],
)
def test_a_span_has_failed_when_its_status_or_a_convention_says_so(tmp_path: Path, more: dict[str, Any], failed: bool) -> None:
    (read,) = load_window(save(tmp_path / "t", [spans_line("web", [span("t", "1", **more)])])).window.spans
    assert read.failed is failed


def test_a_span_names_its_kind_its_peer_and_its_exception(tmp_path: Path) -> None:
    thrown = [{"name": "exception", "attributes": attributes(exception__type="IOError", exception__message="gone")}]
    called = attributes(db__system="postgresql", server__address="db.internal")
    client = span("t", "1", "0000000000000000", kind="SPAN_KIND_CLIENT", attributes=called, events=thrown)
    (read,) = load_window(save(tmp_path / "t", [spans_line("web", [client])])).window.spans
    assert (read.kind, read.peer, read.exception, read.parent_id) == (3, "db.internal", "IOError: gone", "")


def test_a_span_that_ends_before_it_begins_has_no_duration(tmp_path: Path) -> None:
    (read,) = load_window(save(tmp_path / "t", [spans_line("web", [span("t", "1", start_ms=9, end_ms=3)])])).window.spans
    assert read.end_ns == read.start_ns


def test_log_records_have_times_severities_and_bodies_of_any_form(tmp_path: Path) -> None:
    at = str(BEGAN_NS)
    mapped = {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}
    records: list[Message] = [
        {"timeUnixNano": at, "severityNumber": "SEVERITY_NUMBER_ERROR3", "body": {"stringValue": "x"}, "traceId": "t", "spanId": "s"},
        {"observedTimeUnixNano": at, "severityNumber": 9, "body": mapped},
        {"timeUnixNano": at, "attributes": attributes(exception__type="IOError", exception__message="gone")},
        {"body": {"stringValue": "no time"}},
    ]
    lines = load_window(save(tmp_path / "l", [logs_line("web", records)])).window.logs
    shown = [(line.at_ns, line.severity, line.trace_id) for line in lines]
    assert shown == [(0, 0, ""), (BEGAN_NS, 19, "t"), (BEGAN_NS, 9, ""), (BEGAN_NS, 0, "")]
    assert [line.body for line in lines][:2] == ["no time", "x"] and '"a"' in lines[2].body and lines[3].body == "IOError: gone"


def test_points_become_series_by_owner_statistic_and_edge(tmp_path: Path) -> None:
    calls = gauge("latency", {0: 0.5, 60_000: 0.7}, client="web", server="db", statistic="p99", zone="a")
    load = gauge("cpu", {60_000: 2.0, 0: 1.0})
    save(
        tmp_path / "m",
        [
            metrics_line("", [calls]),
            metrics_line("web", [load], k8s__pod__name="web-0"),
            metrics_line("", [gauge("x", {0: 1.0}, service__name="db")]),
        ],
    )
    window = load_window(tmp_path).window
    by_metric = {one.metric: one for one in window.series}
    edge, cpu = by_metric["latency"], by_metric["cpu"]
    assert (edge.service, edge.client, edge.server, edge.statistic, edge.attributes) == ("", "web", "db", "p99", (("zone", "a"),))
    assert (cpu.service, cpu.instance, cpu.values) == ("web", "web-0", (1.0, 2.0)) and list(cpu.times_ns) == sorted(cpu.times_ns)
    assert by_metric["x"].service == "db" and by_metric["x"].attributes == ()
    assert window.graph == {("web", "db")}


def test_sums_say_whether_they_are_counters_and_no_numbers_are_left_out(tmp_path: Path) -> None:
    def total(name: str, monotonic: bool, temporality: object, value: object) -> dict[str, object]:
        data = [{"timeUnixNano": "1", "asDouble": value}]
        return {"name": name, "sum": {"isMonotonic": monotonic, "aggregationTemporality": temporality, "dataPoints": data}}

    sums = [
        total("up", True, 2, 1),
        total("step", True, "AGGREGATION_TEMPORALITY_DELTA", 1),
        total("level", False, 2, 1),
        total("nan", True, 2, "NaN"),
    ]
    window = load_window(save(tmp_path / "m", [metrics_line("web", sums)])).window
    assert {one.metric: one.instrument for one in window.series} == {"up": "cumulative", "step": "delta", "level": "gauge"}


def test_a_histogram_becomes_statistics_and_the_share_that_failed(tmp_path: Path) -> None:
    def point(at_ms: int, counts: list[int], total: float, **said: object) -> dict[str, object]:
        return {
            "timeUnixNano": str(BEGAN_NS + at_ms * NS_PER_MS),
            "bucketCounts": [str(count) for count in counts],
            "explicitBounds": [0.1, 1.0],
            "sum": total,
            "attributes": attributes(**said),
        }

    good, bad = {"http__response__status_code": 200}, {"http__response__status_code": 500}
    data = [
        point(0, [1, 0, 0], 0.1, **good),
        point(0, [0, 0, 0], 0.0, **bad),
        point(9, [4, 0, 0], 0.4, **good),
        point(9, [0, 1, 0], 0.8, **bad),
    ]
    histogram = {"name": "d", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": data}}
    window = load_window(save(tmp_path / "m", [metrics_line("web", [histogram])])).window
    shown = {one.statistic: one.values for one in window.series}
    assert shown["count"] == (4.0,) and shown["failed_share"] == (0.25,) and shown["mean"][0] == pytest.approx(1.1 / 4)


def test_damage_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    good = spans_line("web", [span("t", "1")])
    save(tmp_path / "a", ["{not json", good, "[]", "{}", '{"resourceLogs": [7]}'])
    cut = save(tmp_path / "b.gz", [spans_line("db", [span("t", f"{number:016x}")]) for number in range(400)])
    cut.write_bytes(cut.read_bytes()[:-200])
    loaded = load_window(tmp_path)
    assert {one.service for one in loaded.window.spans} == {"web", "db"}
    assert any("damaged" in note for note in loaded.notes) and any(note.startswith("3 × no OTLP export request") for note in loaded.notes)
    assert sum(loaded.tally.bad.values()) == 5


def test_an_empty_folder_is_an_empty_window_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    assert load_window(tmp_path).window.spans == ()
    with pytest.raises(Missing, match="there is no folder"):
        load_window(tmp_path / "nowhere")


def test_beyond_the_limit_whole_traces_are_left_out_of_spans_and_logs_alike(tmp_path: Path) -> None:
    traces = [f"trace-{number}" for number in range(300)]
    save(tmp_path / "t", [spans_line("web", [span(trace, str(own)) for own in range(3)]) for trace in traces])
    save(tmp_path / "l", [logs_line("web", [{"timeUnixNano": "1", "traceId": trace} for _ in range(3)]) for trace in traces])
    loaded = load_window(tmp_path, Limits(spans=400, log_lines=400))
    by_trace = {one.trace_id for one in loaded.window.spans}
    assert 0 < len(loaded.window.spans) <= 400 and len(loaded.window.spans) == 3 * len(by_trace)
    assert {line.trace_id for line in loaded.window.logs} == by_trace
    assert len([note for note in loaded.notes if "were left out" in note]) == 2


def test_one_trace_that_is_larger_than_everything_is_cut(tmp_path: Path) -> None:
    save(tmp_path / "t", [spans_line("web", [span("7", str(own)) for own in range(50)])])
    assert len(load_window(tmp_path, Limits(spans=10)).window.spans) <= 10


def test_series_and_points_and_files_are_bounded(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}", [metrics_line("web", [gauge(f"m{number}-{one}", {0: 1.0, 1: 2.0}) for one in range(5)])])
    loaded = load_window(tmp_path, Limits(series=6, points=9, files=3))
    assert len(loaded.window.series) <= 6 and sum(len(one.values) for one in loaded.window.series) == 9
    assert any("points were left out" in note for note in loaded.notes) and any("first 3 of 4 files" in note for note in loaded.notes)
