"""OpenTelemetry's own senders against the real front door: everything they send arrives, and arrives whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from tests.web.otlp_world import FrontDoor, Told, tell

EXAMPLES = Path(__file__).resolve().parents[1] / "telemetry" / "otlp_examples"


def assert_heard(door: FrontDoor, told: Told) -> None:
    """All of it, and the failed request's line hangs together: its trace, its exception, its place in the code."""
    assert door.amounts() == told.amounts
    heard = door.heard
    points = {point.name: point for point in heard.points}
    assert {point.kind for point in heard.points} == {"counter", "histogram", "gauge"}
    assert points["process.cpu.utilization"].value == 0.5 and points["process.cpu.utilization"].instance == "quotes-1"
    sketch = points["http.server.request.duration"].sketch()
    assert sketch is not None and sketch.count == told.spans - 1
    (error,) = [line for line in heard.lines if line.severity == "error"]
    assert error.exception is not None and error.exception.type == "ConnectionError"
    assert (error.place, error.template) == ("carriers.py:88", "carriers.py:88 ConnectionError no quote from carrier *")
    assert (error.trace_id, error.span_id) == told.failed


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip], ids=["identity", "gzip"])
def test_the_sdks_http_exporters_are_understood(compression: Compression) -> None:
    door = FrontDoor(SRE_INGEST_TOKEN="sesame")
    headers = {"Authorization": "Bearer sesame"}
    with door.open() as address:
        told = tell(
            OTLPSpanExporter(f"{address}/v1/traces", headers=headers, compression=compression),
            OTLPMetricExporter(f"{address}/v1/metrics", headers=headers, compression=compression),
            OTLPLogExporter(f"{address}/v1/logs", headers=headers, compression=compression),
        )
        figures = httpx.get(f"{address}/metrics").text
    assert_heard(door, told)
    assert f"sre_space_points_total {told.points}\n" in figures
    assert f"sre_space_log_records_total {told.lines}\n" in figures
    assert "sre_space_log_templates 1\n" in figures and "sre_space_metric_series 3\n" in figures
    assert not door.plane.counters.get("points_dropped") and not door.plane.counters.get("log_records_dropped")


@pytest.mark.parametrize(
    ("name", "path", "rejected"),
    [
        ("trace.json", "/v1/traces", {"rejectedSpans": "1"}),
        ("metrics.json", "/v1/metrics", {"rejectedDataPoints": "4"}),
        ("logs.json", "/v1/logs", {"rejectedLogRecords": "1"}),
        ("events.json", "/v1/logs", {"rejectedLogRecords": "1"}),
    ],
)
def test_the_specifications_examples_are_accepted_and_their_age_is_told(name: str, path: str, rejected: dict[str, str]) -> None:
    """They are of 2018: understood, answered with 200, and their items left out with the reason."""
    door = FrontDoor()
    body = (EXAMPLES / name).read_bytes()
    with door.open() as address:
        for content, encoding in ((body, {}), (gzip.compress(body, mtime=0), {"Content-Encoding": "gzip"})):
            answer = httpx.post(f"{address}{path}", content=content, headers={"Content-Type": "application/json", **encoding})
            assert answer.status_code == 200
            partial = answer.json()["partialSuccess"]
            assert partial.pop("errorMessage").endswith("is hours off")
            assert partial == rejected


def test_a_wrong_token_and_a_wrong_body_are_counted_with_their_reason() -> None:
    door = FrontDoor(SRE_INGEST_TOKEN="sesame")
    protobuf = {"Content-Type": "application/x-protobuf", "Authorization": "Bearer sesame"}
    with door.open() as address:
        for path in ("/v1/metrics", "/v1/logs"):
            assert httpx.post(f"{address}{path}", content=b"", headers={"Content-Type": "application/x-protobuf"}).status_code == 401
            assert httpx.post(f"{address}{path}", content=b"\x0a\x05x", headers=protobuf).status_code == 400
            assert httpx.post(f"{address}{path}", content=b"", headers=protobuf).status_code == 200
        figures = httpx.get(f"{address}/metrics").text
    for reason in ("/v1/metrics 400", "/v1/metrics 401", "/v1/logs 400", "/v1/logs 401"):
        assert f'sre_space_requests_refused_total{{reason="{reason}"}} 1\n' in figures
