"""Recorded telemetry for tests, written as the Collector's file exporter writes it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

NS_PER_MS = 1_000_000
BEGAN_NS = 1_767_225_600_000_000_000  # 2026-01-01

Message = dict[str, Any]


def attributes(**said: object) -> list[Message]:
    """`service__name="a"` is the attribute service.name."""
    return [{"key": key.replace("__", "."), "value": {"stringValue": str(value)}} for key, value in said.items()]


def resource(service: str, **said: object) -> Message:
    named = {"service__name": service, **said} if service else said
    return {"attributes": attributes(**named)}


def span(trace: str, own: str, parent: str = "", name: str = "op", start_ms: float = 0.0, end_ms: float = 1.0, **more: object) -> Message:
    times = {"startTimeUnixNano": str(BEGAN_NS + round(start_ms * NS_PER_MS)), "endTimeUnixNano": str(BEGAN_NS + round(end_ms * NS_PER_MS))}
    return {"traceId": trace, "spanId": own, "parentSpanId": parent, "name": name, **times, **more}


def spans_line(service: str, spans: Sequence[Message], **said: object) -> str:
    return json.dumps({"resourceSpans": [{"resource": resource(service, **said), "scopeSpans": [{"spans": list(spans)}]}]})


def logs_line(service: str, records: Sequence[Message], **said: object) -> str:
    return json.dumps({"resourceLogs": [{"resource": resource(service, **said), "scopeLogs": [{"logRecords": list(records)}]}]})


def metrics_line(service: str, metrics: Sequence[Message], **said: object) -> str:
    return json.dumps({"resourceMetrics": [{"resource": resource(service, **said), "scopeMetrics": [{"metrics": list(metrics)}]}]})


def gauge(name: str, points: Mapping[int, float], **said: object) -> Message:
    """`points`: value by milliseconds after BEGAN_NS."""
    data = [
        {"timeUnixNano": str(BEGAN_NS + at * NS_PER_MS), "asDouble": value, "attributes": attributes(**said)}
        for at, value in points.items()
    ]
    return {"name": name, "gauge": {"dataPoints": data}}


def save(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines).encode() + b"\n"
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path
