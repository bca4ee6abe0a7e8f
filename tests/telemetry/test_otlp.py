"""What exporters send becomes spans, whichever encoding they chose; what cannot be read is refused, what cannot be used is counted."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.span import Span
from tests.telemetry.decoding import decode_traces, read_traces

NOW_S = 1_700_000_000.0
NOW_NS = int(NOW_S) * 10**9
PROTOBUF = "application/x-protobuf"


def otlp(span: dict[str, Any], resource: dict[str, str] | None = None) -> bytes:
    """An OTLP/JSON request with one span; `span` changes a healthy one."""
    fields = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "parentSpanId": "EEE19B7EC3C1B173",
        "name": "I'm a server span",
        "startTimeUnixNano": str(NOW_NS),
        "endTimeUnixNano": str(NOW_NS + 10**9),
        "kind": 2,
        "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
        **span,
    }
    named = {"service.name": "my.service"} if resource is None else resource
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
    scope = {"scope": {"name": "my.library", "version": "1.0.0"}, "spans": [fields]}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scope]}]}).encode()


def attributes(**values: str | int) -> list[dict[str, Any]]:
    return [
        {"key": key.replace("__", "."), "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]


def decode_one(span: dict[str, Any], resource: dict[str, str] | None = None) -> Span:
    decoded = decode_traces(otlp(span, resource), "application/json", NOW_S)
    assert decoded.dropped == ()
    return decoded.spans[0]


def sdk_request() -> bytes:
    """What the OpenTelemetry SDK's exporter would send: a failed server span with its exception, and a client span below it."""
    memory = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "service.version": "1.2", "vcs.ref.head.revision": "abc123"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    stable: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.route": "/buy/{id}",
        "http.response.status_code": 500,
        "error.type": "KeyError",
    }
    with tracer.start_as_current_span(
        "POST /buy/{id}", kind=SpanKind.SERVER, attributes=stable, start_time=NOW_NS, end_on_exit=False
    ) as server:
        peer: dict[str, str | int] = {
            "peer.service": "stock",
            "server.address": "10.0.0.7",
            "server.port": 8080,
            "http.response.status_code": 200,
        }
        tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=peer, start_time=NOW_NS + 10**8).end(NOW_NS + 3 * 10**8)
        try:
            _ = dict[str, str]()["tax"]
        except KeyError as error:
            server.record_exception(error, timestamp=NOW_NS + 2 * 10**8)
        server.set_status(Status(StatusCode.ERROR))
        server.end(NOW_NS + 5 * 10**8)
    return encode_spans(memory.get_finished_spans()).SerializeToString()


def as_json(body: bytes) -> bytes:
    """The same request in OTLP's JSON mapping: proto3 JSON with hex ids and numbers for enums."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    data = MessageToDict(request, use_integers_for_enums=True)
    flat = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    shown = [s for r in data["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
    for span, fields in zip(flat, shown, strict=True):
        fields |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex(), "parentSpanId": span.parent_span_id.hex()}
    return json.dumps(data).encode()


def test_spans_of_the_sdk_arrive_with_everything_that_matters() -> None:
    client, server = decode_traces(sdk_request(), PROTOBUF, NOW_S).spans
    assert (server.service, server.operation, server.kind, server.commit) == ("shop", "POST /buy/{id}", "server", "abc123")
    assert (server.status_code, server.error, server.error_type, server.parent_id) == (500, True, "KeyError", b"")
    assert server.duration_ms == pytest.approx(500.0, abs=0.01)
    assert server.exception is not None
    assert (server.exception.type, server.exception.message) == ("KeyError", "'tax'")
    assert "in sdk_request" in server.exception.stacktrace
    assert (client.kind, client.peer_service, client.server_address, client.server_port) == ("client", "stock", "10.0.0.7", 8080)
    assert (client.parent_id, client.trace_id, client.error) == (server.span_id, server.trace_id, False)


def test_json_says_the_same_as_protobuf() -> None:
    body = sdk_request()
    assert decode_traces(as_json(body), "application/json", NOW_S) == decode_traces(body, PROTOBUF, NOW_S)


def test_the_reference_shape_of_a_json_trace_is_read() -> None:
    span = decode_one({})
    assert (span.service, span.name, span.operation, span.kind) == ("my.service", "I'm a server span", "I'm a server span", "server")
    assert (span.trace_id.hex(), span.span_id.hex()) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert (span.duration_ms, span.error, span.commit) == (1000.0, False, "")


def test_other_signals_and_unknown_fields_hold_no_spans() -> None:
    for field in ("resourceLogs", "resourceMetrics", "somethingNew"):
        assert decode_traces(json.dumps({field: [{}]}).encode(), "application/json", NOW_S).spans == ()


def test_old_and_stable_attribute_names_mean_the_same() -> None:
    old: dict[str, str | int] = {
        "http.method": "GET",
        "http.route": "/a",
        "http.status_code": 503,
        "net.peer.name": "db",
        "net.peer.port": 5432,
    }
    new: dict[str, str | int] = {
        "http.request.method": "GET",
        "http.route": "/a",
        "http.response.status_code": 503,
        "server.address": "db",
        "server.port": 5432,
    }
    for kind in (2, 3):
        assert decode_one({"kind": kind, "attributes": attributes(**old)}) == decode_one({"kind": kind, "attributes": attributes(**new)})
    server, client = (decode_one({"kind": kind, "attributes": attributes(**new)}) for kind in (2, 3))
    assert (server.operation, server.error, server.error_type, server.server_address) == ("GET /a", True, "503", "")
    assert (client.operation, client.peer_name) == ("I'm a server span", "db:5432")


def test_the_commit_is_the_revision_else_the_version() -> None:
    assert decode_one({}, {"service.name": "a", "service.version": "v1"}).commit == "v1"
    assert decode_one({}, {"service.name": "a", "service.version": "v1", "vcs.ref.head.revision": "abc"}).commit == "abc"


@pytest.mark.parametrize(
    ("change", "resource", "reason"),
    [
        ({}, {}, "no service.name in the resource"),
        ({"traceId": ""}, None, "trace id or span id missing or malformed"),
        ({"traceId": "0" * 32}, None, "trace id or span id missing or malformed"),
        ({"spanId": "not hex"}, None, "trace id or span id missing or malformed"),
        ({"parentSpanId": "ab"}, None, "parent span id malformed"),
        ({"endTimeUnixNano": str(NOW_NS - 1)}, None, "negative duration"),
        ({"endTimeUnixNano": "0"}, None, "negative duration"),
        ({"startTimeUnixNano": str(NOW_NS - 90_000 * 10**9)}, None, "start time is hours off"),
        (
            {"startTimeUnixNano": str(NOW_NS + 3_700 * 10**9), "endTimeUnixNano": str(NOW_NS + 3_701 * 10**9)},
            None,
            "start time is hours off",
        ),
        ({"endTimeUnixNano": str(NOW_NS + 3_700 * 10**9)}, None, "end time is hours off"),
    ],
)
def test_a_span_that_cannot_be_used_is_dropped_with_its_reason(
    change: dict[str, Any], resource: dict[str, str] | None, reason: str
) -> None:
    decoded = decode_traces(otlp(change, resource), "application/json", NOW_S)
    assert decoded.spans == ()
    assert decoded.dropped == ((reason, 1),)
    assert decoded.reason == f"1 × {reason}"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"\x0a\xff\xff\xff\xff\x0f", PROTOBUF, "the protobuf body is truncated"),
        (b"\x0a\x03\x0a\x01\x0a", PROTOBUF, "not an OTLP ExportTraceServiceRequest"),
        (b"{", "application/json", "not JSON"),
        (b"[" * 100_000, "application/json", "not JSON"),
        (b"[]", "application/json", "body: expected an object, found list"),
        (b'{"resourceSpans": {}}', "application/json", "resourceSpans: expected a list, found dict"),
        (otlp({"startTimeUnixNano": "soon"}), "application/json", "startTimeUnixNano: expected a whole number, found str"),
        (otlp({"startTimeUnixNano": -1}), "application/json", "startTimeUnixNano: expected an unsigned 64-bit number"),
        (otlp({"name": 7}), "application/json", "name: expected text, found int"),
        (b"hello", "text/plain", "Content-Type is not supported"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        decode_traces(body, content_type, NOW_S)


def test_every_truncation_and_bit_flip_is_refused_or_read_but_never_crashes() -> None:
    body, rng = sdk_request(), random.Random(7)
    for kind, whole in ((PROTOBUF, body), ("application/json", as_json(body))):
        broken = [whole[:cut] for cut in range(0, len(whole), 7)]
        for _ in range(300):
            at = rng.randrange(len(whole))
            broken.append(whole[:at] + bytes([rng.randrange(256)]) + whole[at + 1 :])
        refused = 0
        for attempt in broken:
            try:
                decode_traces(attempt, kind, NOW_S)
            except Refused:
                refused += 1
        assert refused > len(broken) // 4


def test_a_request_with_too_many_spans_keeps_the_first_ones() -> None:
    request = ExportTraceServiceRequest()
    request.ParseFromString(sdk_request())
    scope = request.resource_spans[0].scope_spans[0]
    one = scope.spans[0]
    scope.spans.extend([one] * limits.SPANS_PER_REQUEST)
    batch = read_traces(request.SerializeToString(), PROTOBUF, NOW_S)
    assert (batch.accepted, len(batch.detail)) == (limits.SPANS_PER_REQUEST, limits.DETAIL_PER_REQUEST)
    assert dict(batch.dropped) == {f"more than {limits.SPANS_PER_REQUEST} spans in one request": 2}


def test_long_text_is_cut_and_a_long_stack_keeps_both_ends() -> None:
    event = {
        "name": "exception",
        "attributes": attributes(exception__type="E" * 9_999, exception__stacktrace="root" + "x" * 99_999 + "inner"),
    }
    span = decode_one({"name": "n" * 9_999, "events": [event]})
    assert len(span.name) == limits.NAME_CHARS
    assert span.exception is not None
    assert len(span.exception.type) == limits.NAME_CHARS
    assert len(span.exception.stacktrace) <= limits.STACKTRACE_CHARS + 3
    assert span.exception.stacktrace.startswith("root")
    assert span.exception.stacktrace.endswith("inner")
