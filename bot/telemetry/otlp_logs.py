"""OTLP logs to `LogLine`s: protobuf or JSON, single records that cannot be used dropped and counted.

The fields: https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bot.log_template import place_of, template_of
from bot.telemetry import json_fields, limits
from bot.telemetry.any_value import Plain, body_text, fields_of, from_json, from_protobuf, json_attributes, protobuf_attributes
from bot.telemetry.attributes import EXCEPTION_KEYS, SPAN_ID_BYTES, TRACE_ID_BYTES, Attributes, Scalar, clean, number, text
from bot.telemetry.decoded import Decoded, Tally, hours_off, is_json
from bot.telemetry.json_pieces import Layout, pieces
from bot.telemetry.log_line import LogLine, Severity
from bot.telemetry.span import SpanException
from bot.telemetry.steps import ITEMS_PER_STEP, Steps, run_through
from bot.telemetry.wire import Field, Wire

CODE_FILE: Final = ("code.file.path", "code.filepath")
CODE_LINE: Final = ("code.line.number", "code.lineno")
CODE_FUNCTION: Final = ("code.function.name", "code.function")
RECORD_KEYS: Final = frozenset({*EXCEPTION_KEYS, *CODE_FILE, *CODE_LINE, *CODE_FUNCTION})
SERVICE: Final = "service.name"
SERVICE_KEYS: Final = frozenset({SERVICE})
WARN, ERROR = 13, 17  # the first numbers of these severities
LEVEL_KEYS: Final = ("level", "severity", "levelname", "lvl")  # where structured loggers put it
_LEVELS: Final[Mapping[str, Severity]] = {
    **dict.fromkeys(("TRACE", "DEBUG", "FINE", "INFO", "INFORMATION", "NOTICE"), "info"),
    **dict.fromkeys(("WARN", "WARNING"), "warning"),
    **dict.fromkeys(("ERROR", "ERR", "SEVERE", "CRITICAL", "CRIT", "FATAL", "ALERT", "EMERG", "EMERGENCY", "PANIC"), "error"),
}
_LEVEL_IN_TEXT: Final = re.compile(r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|CRITICAL|FATAL|PANIC)\b")
JSON_LAYOUT: Final = Layout("resourceLogs", "scopeLogs", "logRecords")
LEVEL_WITHIN: Final = 60  # characters: a level stands at the beginning of a line, after its time

MALFORMED: Final = f"record damaged or larger than {limits.RECORD_BYTES // 1024} KiB"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A log record as both encodings give it. Times in nanoseconds, 0 when not given; attributes hold only RECORD_KEYS."""

    time_ns: int
    severity: int
    severity_text: str
    body: Plain
    attributes: Attributes
    trace_id: bytes
    span_id: bytes
    event_name: str


Group = tuple[str, Iterator[RawRecord | None]]  # a service and its records; None for one that cannot be read


def decode_logs(body: bytes, content_type: str, now_s: float) -> Decoded[LogLine]:
    """The lines of an ExportLogsServiceRequest. `content_type` application/x-protobuf or application/json, parameters ignored.

    Raises Refused when the body as a whole cannot be read; single unusable records are dropped and counted.
    """
    return run_through(log_steps(body, content_type, now_s))


def log_steps(body: bytes, content_type: str, now_s: float) -> Steps[Decoded[LogLine]]:
    """`decode_logs` in steps."""
    tally: Tally[LogLine] = Tally()
    seen = 0
    for group in _json_groups(body) if is_json(content_type) else read_protobuf(body):
        if group is None:
            yield
            continue
        service, records = group
        for record in records:
            seen += 1
            if not seen % ITEMS_PER_STEP:
                yield
            if seen > limits.LOG_RECORDS_PER_REQUEST:
                tally.drop(f"more than {limits.LOG_RECORDS_PER_REQUEST} log records in one request")
            elif record is None:
                tally.drop(MALFORMED)
            elif not service:
                tally.drop("no service.name in the resource")
            elif record.time_ns and hours_off(record.time_ns / 1e9, now_s):
                tally.drop("time is hours off")
            else:
                tally.items.append(build_line(record, service, now_s))
    return tally.done(accepted=len(tally.items))


def _json_groups(body: bytes) -> Iterator[Group | None]:
    """Those of a large body in pieces; None between them: others may have their turn."""
    for piece in pieces(body, JSON_LAYOUT):
        if piece.too_large:
            yield "", repeat(None, piece.too_large)
        elif piece.body:
            yield from read_json(piece.body)
        yield None


def read_protobuf(body: bytes) -> Iterator[Group]:
    """Raises Refused when the body is truncated, no protobuf or has too many parts."""
    wire = Wire(body)
    for resource_logs in wire.messages(1):
        parts = list(wire.fields(resource_logs))
        yield service_of(wire, parts), _protobuf_records(wire, parts)


def _protobuf_records(wire: Wire, parts: list[Field]) -> Iterator[RawRecord | None]:
    for scope_logs in parts:
        if scope_logs.number == 2 and scope_logs.value < 0:
            for field in wire.messages(2, scope_logs):
                record = wire.parse(field, LogRecord)
                yield None if record is None else _from_protobuf(record)


def service_of(wire: Wire, parts: list[Field]) -> str:
    """The service.name of the resource among the fields of a ResourceLogs or ResourceMetrics; "" when there is none."""
    for field in parts:
        if field.number == 1 and field.value < 0 and (resource := wire.parse(field, Resource)) is not None:
            return text(protobuf_attributes(resource.attributes, SERVICE_KEYS), (SERVICE,))
    return ""


def _from_protobuf(record: LogRecord) -> RawRecord:
    return RawRecord(
        time_ns=record.time_unix_nano or record.observed_time_unix_nano,
        severity=record.severity_number,
        severity_text=record.severity_text,
        body=from_protobuf(record.body),
        attributes=protobuf_attributes(record.attributes, RECORD_KEYS),
        trace_id=record.trace_id,
        span_id=record.span_id,
        event_name=record.event_name,
    )


def read_json(body: bytes) -> Iterator[Group]:
    """Raises Refused naming the field that is wrong."""
    for resource_logs in json_fields.objects(json_fields.read_object(body, "ExportLogsServiceRequest"), "resourceLogs"):
        resource = json_attributes(json_fields.child(resource_logs, "resource"), SERVICE_KEYS)
        yield text(resource, (SERVICE,)), _json_records(resource_logs)


def _json_records(resource_logs: json_fields.Object) -> Iterator[RawRecord]:
    for scope_logs in json_fields.objects(resource_logs, "scopeLogs"):
        for record in json_fields.objects(scope_logs, "logRecords"):
            yield RawRecord(
                time_ns=json_fields.uint64(record, "timeUnixNano") or json_fields.uint64(record, "observedTimeUnixNano"),
                severity=json_fields.enum(record, "severityNumber", "SEVERITY_NUMBER_", SEVERITY_NAMES),
                severity_text=json_fields.text(record, "severityText"),
                body=from_json(json_fields.child(record, "body")),
                attributes=json_attributes(record, RECORD_KEYS),
                trace_id=json_fields.hex_id(record, "traceId"),
                span_id=json_fields.hex_id(record, "spanId"),
                event_name=json_fields.text(record, "eventName"),
            )


SEVERITY_NAMES: Final = (
    "UNSPECIFIED",
    *(f"{name}{step}" for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL") for step in ("", "2", "3", "4")),
)


def build_line(record: RawRecord, service: str, now_s: float) -> LogLine:
    """The `LogLine` of an acceptable record. Without a time of its own it is of now; malformed ids are left out."""
    body = clean(body_text(record.body) or record.event_name, limits.LOG_BODY_CHARS)
    exception = _exception(record.attributes)
    severity = severity_of(record, body)
    place = template = ""
    if severity != "info":
        place = _place(record.attributes) or place_of(body)
        shown = body or (clean(exception.message, limits.LOG_BODY_CHARS) if exception else "")
        template = template_of(shown, place, exception.type if exception else "")
    has_trace = len(record.trace_id) == TRACE_ID_BYTES and any(record.trace_id)
    has_span = has_trace and len(record.span_id) == SPAN_ID_BYTES and any(record.span_id)
    return LogLine(
        service=service,
        severity=severity,
        body=body,
        template=template,
        place=place,
        trace_id=record.trace_id if has_trace else b"",
        span_id=record.span_id if has_span else b"",
        at_s=record.time_ns / 1e9 if record.time_ns else now_s,
        exception=exception,
    )


def severity_of(record: RawRecord, body: str) -> Severity:
    """By number, else by the record's own text, else as a structured body says, else by a level written at the beginning of the text."""
    if record.severity > 0:
        return "error" if record.severity >= ERROR else "warning" if record.severity >= WARN else "info"
    named = [record.severity_text]
    if not record.severity_text:
        fields = fields_of(record.body)
        named = [str(fields[key]) for key in LEVEL_KEYS if isinstance(fields.get(key), str)]
    for name in named:
        if level := _LEVELS.get(name[:12].strip().upper()):
            return level
    found = _LEVEL_IN_TEXT.search(body, 0, LEVEL_WITHIN)
    return _LEVELS[found[0]] if found else "info"


def _place(attributes: Mapping[str, Scalar]) -> str:
    """`file.py:123` by the attributes of the code's semantic conventions, else the function's name, else ""."""
    file, line = text(attributes, CODE_FILE), number(attributes, CODE_LINE)
    if file and line is not None:
        return f"{file.replace(chr(92), '/').rpartition('/')[2]}:{line}"
    return text(attributes, CODE_FUNCTION)


def _exception(attributes: Mapping[str, Scalar]) -> SpanException | None:
    if not attributes.keys() & EXCEPTION_KEYS:
        return None
    stack = str(attributes.get("exception.stacktrace", ""))
    if len(stack) > limits.LOG_STACKTRACE_CHARS:
        half = limits.LOG_STACKTRACE_CHARS // 2
        stack = f"{stack[:half]}\n…\n{stack[-half:]}"
    return SpanException(
        type=text(attributes, ("exception.type",)),
        message=str(attributes.get("exception.message", ""))[: limits.MESSAGE_CHARS],
        stacktrace=stack,
    )
