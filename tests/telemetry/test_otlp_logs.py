"""OTLP logs: what a process sends becomes lines with a severity, a template and their span; what makes no sense is dropped and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bot.errors import Refused
from bot.log_template import place_of, template_of
from bot.telemetry import limits
from bot.telemetry.decoded import Decoded
from bot.telemetry.log_line import LogLine
from bot.telemetry.otlp_logs import decode_logs

EXAMPLES = Path(__file__).parent / "otlp_examples"
EXAMPLES_S = 1_544_712_660.3
T = 1_700_000_000.0
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def record(text: str = "", severity: int = SeverityNumber.SEVERITY_NUMBER_ERROR, at_s: float = 0.0, **more: Any) -> LogRecord:
    attributes = more.pop("attributes", {})
    pairs = [
        KeyValue(key=key, value=value if isinstance(value, AnyValue) else AnyValue(string_value=value)) for key, value in attributes.items()
    ]
    body = more.pop("body", AnyValue(string_value=text))
    return LogRecord(time_unix_nano=round((T + at_s) * 1e9), severity_number=severity, body=body, attributes=pairs, **more)  # type: ignore[arg-type]


def export(*records: LogRecord, service: str = "quotes") -> ExportLogsServiceRequest:
    attributes = [KeyValue(key="service.name", value=AnyValue(string_value=service))] if service else []
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=Resource(attributes=attributes), scope_logs=[ScopeLogs(log_records=records)])]
    )


def decode_both(request: ExportLogsServiceRequest) -> Decoded[LogLine]:
    """Decoded from protobuf and from JSON (ids there are hexadecimal): both must be the same."""
    data = json.loads(MessageToJson(request))
    for group in data["resourceLogs"]:
        for scope in group["scopeLogs"]:
            for sent, original in zip(scope["logRecords"], request.resource_logs[0].scope_logs[0].log_records, strict=True):
                sent.update({"traceId": original.trace_id.hex(), "spanId": original.span_id.hex()})
    decoded = decode_logs(request.SerializeToString(), PROTOBUF, T)
    assert decode_logs(json.dumps(data).encode(), JSON, T) == decoded
    return decoded


def line(**more: Any) -> LogLine:
    (found,) = decode_both(export(record(**more))).items
    return found


@pytest.mark.parametrize(("name", "text"), [("logs.json", "Example log record"), ("events.json", "type=0 url=https")])
def test_the_specifications_examples_are_taken_whole(name: str, text: str) -> None:
    decoded = decode_logs((EXAMPLES / name).read_bytes(), JSON, EXAMPLES_S)
    assert (decoded.accepted, decoded.dropped) == (1, ())
    assert decoded.items[0].body.startswith(text) and decoded.items[0].service == "my.service"


def test_a_line_has_its_span_its_exception_and_its_place_in_the_code() -> None:
    attributes = {
        "exception.type": "ConnectionError",
        "exception.message": "cannot reach 10.0.0.7",
        "exception.stacktrace": "a" * 9_000 + "b" * 9_000,
        "code.file.path": "/app/quotes/carriers.py",
        "code.line.number": AnyValue(int_value=88),
    }
    found = line(text="carrier 17 failed", trace_id=b"t" * 16, span_id=b"s" * 8, attributes=attributes)
    assert (found.service, found.severity, found.at_s, found.trace_id, found.span_id) == ("quotes", "error", T, b"t" * 16, b"s" * 8)
    assert (found.place, found.template) == ("carriers.py:88", "carriers.py:88 ConnectionError carrier * failed")
    assert found.exception is not None and found.exception.message == "cannot reach 10.0.0.7"
    stack = found.exception.stacktrace
    assert stack[0] == "a" and stack[-1] == "b" and len(stack) < limits.LOG_STACKTRACE_CHARS + 10


@pytest.mark.parametrize(
    ("text", "severity", "severity_text", "expected"),
    [
        ("x", 9, "", "info"),
        ("ERROR x", 9, "", "info"),
        ("x", 13, "", "warning"),
        ("x", 17, "", "error"),
        ("x", 24, "", "error"),
        ("x", 0, "Critical", "error"),
        ("x", 0, "WARN", "warning"),
        ("x", 0, "", "info"),
        ("17:03:57.961 ERROR a.c.Users#43 refused", 0, "", "error"),
        ("2026-11-25 WARNING low", 0, "", "warning"),
        ("no errors, nothing to warn of", 0, "", "info"),
        ('{"level": "error", "msg": "refused"}', 0, "", "error"),
        ('{"level": 50, "msg": "refused"}', 0, "", "info"),
    ],
)
def test_severity_by_number_by_name_or_by_what_the_text_begins_with(text: str, severity: int, severity_text: str, expected: str) -> None:
    assert line(text=text, severity=severity, severity_text=severity_text).severity == expected


def test_a_structured_body_reads_as_its_message() -> None:
    kvlist = AnyValue(
        kvlist_value=KeyValueList(
            values=[
                KeyValue(key="level", value=AnyValue(string_value="error")),
                KeyValue(key="msg", value=AnyValue(string_value="no such table")),
            ]
        )
    )
    assert (line(body=kvlist, severity=0).body, line(body=kvlist, severity=0).severity) == ("no such table", "error")
    assert line(text='{"msg": "no such table", "user": 3}').template == "no such table"
    assert line(text='{"user": 3, "tags": ["a", {"b": null}]}').body == "user=3 tags=a, b="
    assert line(text="{not json}").body == "{not json}"
    array = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(bool_value=True)]))
    assert line(body=array).body == "1, True"
    assert line(body=AnyValue(bytes_value=b"x"), event_name="payment.failed").body == "payment.failed"


def test_a_structured_body_without_end_is_cut_off() -> None:
    deep = AnyValue(string_value="x")
    for _ in range(30):
        deep = (
            AnyValue(array_value=ArrayValue(values=[deep] * 2))
            if deep.ByteSize() < 1_000
            else AnyValue(array_value=ArrayValue(values=[deep]))
        )
    assert len(line(body=deep).body) <= limits.LOG_BODY_CHARS
    assert line(text="[" * 15_000 + "]" * 15_000).severity == "error"
    nested = '{"a":' * 900 + "1" + "}" * 900
    assert "…" in line(text=nested).body
    for depth in (2_600, 9_000):  # how deep JSON may be for Python to read it depends on its version: beyond that it is text
        assert 0 < len(line(text='{"a":' * depth + "1" + "}" * depth).body) <= limits.LOG_BODY_CHARS


def test_ids_that_are_none_are_left_out() -> None:
    for trace_id, span_id in ((b"", b""), (b"t" * 15, b"s" * 8), (b"\0" * 16, b"s" * 8)):
        found = line(text="x", trace_id=trace_id, span_id=span_id)
        assert (found.trace_id, found.span_id) == (b"", b"")
    assert line(text="x", trace_id=b"t" * 16, span_id=b"\0" * 8).span_id == b""


def test_a_line_without_a_time_of_its_own_is_of_when_it_was_seen_or_of_now() -> None:
    seen = LogRecord(observed_time_unix_nano=round((T - 5) * 1e9))
    assert [found.at_s for found in decode_both(export(seen, LogRecord())).items] == [T - 5, T]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record("x", at_s=4_000), "time is hours off"),
        (record("x", at_s=-90_000), "time is hours off"),
    ],
)
def test_what_makes_no_sense_is_dropped_with_its_reason(bad: LogRecord, reason: str) -> None:
    decoded = decode_both(export(bad, record("fine")))
    assert ([found.body for found in decoded.items], decoded.dropped) == (["fine"], ((reason, 1),))


def test_a_service_must_have_a_name() -> None:
    assert decode_both(export(record("x"), service="")).dropped == (("no service.name in the resource", 1),)


def test_a_damaged_record_and_a_huge_one_do_not_take_the_others_with_them() -> None:
    body = (
        export(record("x" * (limits.RECORD_BYTES + 1)), record("b\x01d"), record("fine")).SerializeToString().replace(b"b\x01d", b"b\xffd")
    )
    decoded = decode_logs(body, PROTOBUF, T)
    assert [found.body for found in decoded.items] == ["fine"]
    assert decoded.dropped == (("record damaged or larger than 64 KiB", 2),)


def test_more_records_than_one_request_may_have_are_told() -> None:
    request = export(*[record("x", severity=9)] * (limits.LOG_RECORDS_PER_REQUEST + 3))
    decoded = decode_logs(request.SerializeToString(), PROTOBUF, T)
    assert (decoded.accepted, decoded.dropped) == (limits.LOG_RECORDS_PER_REQUEST, (("more than 10000 log records in one request", 3),))


def test_a_body_that_is_cut_off_or_something_else_is_refused() -> None:
    body = export(record("x")).SerializeToString()
    for content_type, wrong in (
        (PROTOBUF, body[:-1]),
        (PROTOBUF, b"\x0b"),
        (PROTOBUF, b"\x08" + b"\xff" * 11),
        (PROTOBUF, b"\x0a\x00" * 200_000),
        (JSON, b'{"resourceLogs": {}}'),
        (JSON, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":-1}]}]}]}'),
        (JSON, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"' + b"9" * 5_000 + b'"}]}]}]}'),
        (JSON, b"\xff"),
        ("text/plain", body),
    ):
        with pytest.raises(Refused):
            decode_logs(wrong, content_type, T)


def test_masks_hide_what_varies_and_never_the_place() -> None:
    texts = (
        ("a.c.Users#43 TraceID: 4402389174ffa1e1c976be4efaf816bd refused", "a.c.Users#43 TraceID: * refused"),
        ('can\'t reach 10.0.0.1:8080 for user "bob" at app/main.py:88', "can't reach * for user * at app/main.py:88"),
        ("order 8a533bf9-bd12-4608-a8eb-606890982448 of 'alice' took 12.5 ms", "order * of * took * ms"),
        ('File "/app/main.py", line 12, in run', "File *, line 12, in run"),
        ("pod ts-auth-service-7f8d7d756d-k7b9j is gone", "pod * is gone"),
        ("deadbeef0 0xdeadbeef decade facade", "* * decade facade"),
        ("  two\n\tlines  ", "two lines"),
    )
    assert [template_of(text) for text, _ in texts] == [template for _, template in texts]
    assert [place_of(text) for text, _ in texts[:2]] == ["a.c.Users#43", "app/main.py:88"]
    assert place_of("on line 5") == ""
