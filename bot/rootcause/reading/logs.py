"""Log records of decoded requests as nouns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from sys import intern
from types import MappingProxyType

from bot.recorded.messages import LogRecord, ResourceLogs
from bot.rootcause.model import LogLine
from bot.rootcause.reading.spans import MAX_INTERNED_CHARS, texts, who

MAX_BODY_CHARS = 4_096  # of a log text; a longer one differs from others in its beginning or not at all
# The first number of each range (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber).
SEVERITIES: Mapping[str, int] = MappingProxyType({"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21})
SEVERITY_PREFIX = "SEVERITY_NUMBER_"


def read_logs(resources: Iterable[ResourceLogs]) -> Iterator[LogLine]:
    """In their order. A record without a time of its own has the time at which it was observed, else 0."""
    for resource in resources:
        service, instance = who(resource.resource)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield _line(service, instance, record)


def _line(service: str, instance: str, record: LogRecord) -> LogLine:
    body = "" if record.body is None else record.body.text[:MAX_BODY_CHARS]
    if record.attributes:
        body = body or _exception(texts(record.attributes))
    return LogLine(
        at_ns=record.time_unix_nano or record.observed_time_unix_nano,
        service=service,
        instance=instance,
        severity=_severity(record.severity_number),
        body=body,
        trace_id=intern(record.trace_id[:MAX_INTERNED_CHARS]),
        span_id=record.span_id[:MAX_INTERNED_CHARS],
    )


def _exception(attributes: Mapping[str, str]) -> str:
    """What an exception record says instead of a body."""
    return ": ".join(text for key in ("exception.type", "exception.message") if (text := attributes.get(key, "")))


def _severity(number: int | str) -> int:
    if isinstance(number, int):
        return number
    name = number.removeprefix(SEVERITY_PREFIX)
    level = name.rstrip("234")
    return SEVERITIES.get(level, 0) + (int(name[len(level) :]) - 1 if level in SEVERITIES and len(name) == len(level) + 1 else 0)
