"""A small labelled set for localisation, made here: the same seed makes the same bytes. In the layout that `--data` reads.

Services on a call graph with spans, log lines inside them and processor gauges; faults at known services, and stretches without any. It
shows that everything runs; it is too kind to say how good localisation is.
"""

from __future__ import annotations

import gzip
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NS_PER_MS = 1_000_000
BEGAN_MS = 1_767_225_600_000  # 2026-01-01, a Thursday
DAY_MS = 86_400_000
GRAPH = {"web": ("cart", "search"), "cart": ("stock", "pay"), "search": ("index",), "stock": (), "pay": (), "index": ()}
OWN_MS = {"web": 4.0, "cart": 6.0, "search": 5.0, "stock": 3.0, "pay": 12.0, "index": 8.0}
GAP_MS = 1.0  # on the wire, there and back
BASELINE_MS = 300_000
INCIDENT_MS = 90_000
REQUEST_EVERY_MS = 600
GAUGE_EVERY_MS = 10_000
FAULTS = ("slow", "network", "exception", "cpu")
FAULTY = ("pay", "stock", "index")
CONTROLS = 4

Json = dict[str, Any]


@dataclass
class Recording:
    """Spans, log lines and points by service."""

    spans: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    points: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Fault:
    service: str = ""
    kind: str = ""

    def hits(self, service: str, *kinds: str) -> bool:
        return service == self.service and self.kind in kinds


def write(folder: Path, seed: int = 1) -> None:
    """Makes `rca/generated-shop` below `folder`."""
    draw, suite = random.Random(seed), folder / "rca" / "generated-shop"
    answers: dict[str, Json] = {}
    for day in (0, 1):
        save_recording(suite / "_normal" / f"day-{day}", record(draw, BEGAN_MS + day * DAY_MS, BASELINE_MS, Fault()))
    cases = [Fault(service, kind) for kind in FAULTS for service in FAULTY] + [Fault()] * CONTROLS
    for number, fault in enumerate(cases):
        name, day = f"case-{number:02d}", number % 2
        began_ms = BEGAN_MS + day * DAY_MS + 3_600_000 * (number + 1)
        save_recording(suite / name / "incident", record(draw, began_ms, INCIDENT_MS, fault))
        question = {"baseline": f"../_normal/day-{day}", "symptom": None}
        (suite / name / "question.json").write_text(json.dumps(question))
        answers[name] = {"service": fault.service, "fault": fault.kind} if fault.service else {"none": True}
    (suite / "answers.json").write_text(json.dumps(answers, indent=1))


def record(draw: random.Random, began_ms: int, length_ms: int, fault: Fault) -> Recording:
    made = Recording()
    for at_ms in range(began_ms, began_ms + length_ms, REQUEST_EVERY_MS):
        _visit(made, draw, f"{draw.getrandbits(128):032x}", "", "web", at_ms + draw.uniform(0, REQUEST_EVERY_MS / 2), fault)
    for at_ms in range(began_ms, began_ms + length_ms, GAUGE_EVERY_MS):
        for service in GRAPH:
            busy = 0.2 * math.exp(draw.gauss(0, 0.1)) * (4.0 if fault.hits(service, "cpu") else 1.0)
            made.points[service].append({"timeUnixNano": str(at_ms * NS_PER_MS), "asDouble": busy})
    return made


def _visit(made: Recording, draw: random.Random, trace: str, parent: str, service: str, at_ms: float, fault: Fault) -> tuple[float, bool]:
    """One request at a service; returns when it ended and whether it failed."""
    own = f"{draw.getrandbits(64):016x}"
    broken = fault.hits(service, "exception") and draw.random() < 0.6
    now = at_ms + OWN_MS[service] * math.exp(draw.gauss(0, 0.2)) * (
        8.0 if fault.hits(service, "slow") else 1.6 if fault.hits(service, "cpu") else 1.0
    )
    _log(made, service, trace, own, at_ms, f"{service}.Handler#12 request {draw.randrange(10_000)} received", 9)
    failed = broken
    for callee in () if broken else GRAPH[service]:
        call = f"{draw.getrandbits(64):016x}"
        gap = GAP_MS * math.exp(draw.gauss(0, 0.3)) * (60.0 if fault.hits(callee, "network") else 1.0)
        ended, lost = _visit(made, draw, trace, call, callee, now + gap / 2, fault)
        _span(made, service, trace, call, own, f"GET /{callee}", 3, now, ended + gap / 2, lost)
        now, failed = ended + gap / 2, failed or lost
    said = f"{service}.Handler#31 could not answer: state is None" if broken else f"{service}.Handler#27 answered in {now - at_ms:.1f} ms"
    _log(made, service, trace, own, now, said, 17 if broken else 9)
    _span(made, service, trace, own, parent, f"GET /{service}", 2, at_ms, now, failed)
    return now, failed


def _span(
    made: Recording, service: str, trace: str, own: str, parent: str, name: str, kind: int, began_ms: float, ended_ms: float, failed: bool
) -> None:
    times = {"startTimeUnixNano": str(round(began_ms * NS_PER_MS)), "endTimeUnixNano": str(round(ended_ms * NS_PER_MS))}
    status = {"status": {"code": 2}} if failed else {}
    made.spans[service].append({"traceId": trace, "spanId": own, "parentSpanId": parent, "name": name, "kind": kind, **times, **status})


def _log(made: Recording, service: str, trace: str, span: str, at_ms: float, text: str, severity: int) -> None:
    at = str(round(at_ms * NS_PER_MS))
    body = {"stringValue": text}
    made.lines[service].append({"timeUnixNano": at, "severityNumber": severity, "body": body, "traceId": trace, "spanId": span})


def save_recording(folder: Path, made: Recording) -> None:
    write_lines(
        folder / "traces.jsonl.gz", ({"resourceSpans": [_of(one, {"scopeSpans": [{"spans": spans}]})]} for one, spans in made.spans.items())
    )
    write_lines(
        folder / "logs.jsonl.gz",
        ({"resourceLogs": [_of(one, {"scopeLogs": [{"logRecords": lines}]})]} for one, lines in made.lines.items()),
    )
    gauges = (
        {
            "resourceMetrics": [
                _of(one, {"scopeMetrics": [{"metrics": [{"name": "process.cpu.utilization", "gauge": {"dataPoints": points}}]}]})
            ]
        }
        for one, points in made.points.items()
    )
    write_lines(folder / "metrics.jsonl.gz", gauges)


def _of(service: str, signals: Json) -> Json:
    return {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}, **signals}


def write_lines(path: Path, lines: Iterable[Json]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
