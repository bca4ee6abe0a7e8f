"""A log record as Scout keeps it: its service, how bad it is, its text, which template that text has, and the span it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.telemetry.span import SpanException

Severity = Literal["info", "warning", "error"]  # info and whatever is less; error and whatever is worse


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record. Time in Unix seconds; ids the raw bytes of OTLP (16 and 8), empty when it belongs to no span.

    `body` and `exception` are raw: redact before showing. `template` is "" below warning.
    """

    service: str
    severity: Severity
    body: str
    template: str  # the text with all that varies masked, the place in the code first when it is known
    place: str  # the place in the code, "" when neither attributes nor text say
    trace_id: bytes
    span_id: bytes
    at_s: float
    exception: SpanException | None = None
