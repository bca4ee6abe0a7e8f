"""A small labelled set for detection, made here: the same seed makes the same bytes. In the layout that `--data` reads.

Services on a call graph with five-minute metrics, two days and a half, faults at known services; ten minutes of bare spans with slow calls;
a few gauges with a fault each.
"""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NS_PER_S = 1_000_000_000
BEGAN_S = 1_767_225_600  # 2026-01-01, a Thursday
INTERVAL_S = 300
INTERVALS = 720
PROBATION_INTERVALS = 288
GRAPH = {"web": ("cart", "search"), "cart": ("stock", "pay"), "search": ("index",), "stock": (), "pay": (), "index": ()}
LATENCY_S = {"web": 0.08, "cart": 0.04, "search": 0.03, "stock": 0.012, "pay": 0.05, "index": 0.015}
QUANTILES = {"p50": 1.0, "p90": 1.9, "p95": 2.4, "p99": 4.0}
FAULT_INTERVALS = 3
FAULT_EVERY = 36
SPAN_SECONDS = 600
GAUGE_POINTS = 2_000


@dataclass(frozen=True)
class Fault:
    """`service` is `slower` times as slow, and fails with `failing`, for FAULT_INTERVALS from interval `first`."""

    first: int
    service: str
    slower: float
    failing: float


def write(folder: Path, seed: int = 1) -> None:
    """Makes `detect/…` below `folder`."""
    draw = random.Random(seed)
    _write_metrics(folder / "detect" / "generated-services", draw)
    _write_spans(folder / "detect" / "generated-spans", draw)
    _write_gauges(folder / "detect" / "generated-gauges", draw)


def _write_metrics(folder: Path, draw: random.Random) -> None:
    names = sorted(set(GRAPH) - {"web"})
    firsts = range(PROBATION_INTERVALS + 8, INTERVALS - FAULT_INTERVALS, FAULT_EVERY)
    faults = [
        Fault(first, names[number % len(names)], *((draw.uniform(2.5, 6.0), 0.0) if number % 2 else (1.0, draw.uniform(0.1, 0.4))))
        for number, first in enumerate(firsts)
    ]
    _save(folder / "stream" / "metrics.jsonl.gz", _metric_lines(faults, draw))
    windows: list[dict[str, Any]] = [
        {
            "start": _interval_ns(fault.first) - 1,
            "end": _interval_ns(fault.first + FAULT_INTERVALS - 1) + 1,
            "service": fault.service,
        }
        for fault in faults
    ]
    ignore = [[window["end"], window["end"] + 2 * INTERVAL_S * NS_PER_S] for window in windows]
    label = {
        "files": ["stream/metrics.jsonl.gz"],
        "windows": windows,
        "ignore": ignore,
        "probation_end": _interval_ns(PROBATION_INTERVALS),
        "start": _interval_ns(0),
        "end": _interval_ns(INTERVALS),
    }
    _labels(folder, {"stream": label})


def _interval_ns(number: int) -> int:
    return (BEGAN_S + number * INTERVAL_S) * NS_PER_S


def _metric_lines(faults: Iterable[Fault], draw: random.Random) -> Iterator[dict[str, Any]]:
    active = {number: fault for fault in faults for number in range(fault.first, fault.first + FAULT_INTERVALS)}
    for number in range(INTERVALS):
        rhythm = 1.0 + 0.4 * math.sin(2 * math.pi * number * INTERVAL_S / 86_400)
        resources = [_graph(number)] if number == 0 else []
        for service in GRAPH:
            slower, failing = _felt(service, active.get(number))
            requests = max(1, round(draw.gauss(120 * rhythm, 8)))
            failed = sum(draw.random() < 0.002 + failing for _ in range(requests))
            resources.append(_service(service, number, requests, failed, LATENCY_S[service] * slower * math.exp(draw.gauss(0, 0.06)), draw))
        yield {"resourceMetrics": resources}


def _felt(service: str, fault: Fault | None) -> tuple[float, float]:
    """How much slower a service is and how many of its requests fail: its own fault, or what its callees pass on."""
    if fault is None:
        return 1.0, 0.0
    if fault.service == service:
        return fault.slower, fault.failing
    below = [(callee, _felt(callee, fault)) for callee in GRAPH[service]]
    extra = sum(LATENCY_S[callee] * (slower - 1.0) for callee, (slower, _) in below)
    return 1.0 + extra / LATENCY_S[service], max((failing * 0.7 for _, (_, failing) in below), default=0.0)


def _service(service: str, number: int, requests: int, failed: int, latency_s: float, draw: random.Random) -> dict[str, Any]:
    at = str(_interval_ns(number))

    def point(statistic: str, value: float) -> dict[str, Any]:
        return {"attributes": [_attribute("statistic", statistic)], "timeUnixNano": at, "asDouble": value}

    durations = [point("mean", latency_s * 1.2)]
    durations += [point(name, latency_s * factor * math.exp(draw.gauss(0, 0.05 * factor))) for name, factor in QUANTILES.items()]
    metrics = [
        {"name": "duration", "unit": "s", "gauge": {"dataPoints": durations}},
        {"name": "calls", "gauge": {"dataPoints": [point("sum", float(requests))]}},
        {"name": "succeeded", "gauge": {"dataPoints": [point("mean", 100.0 * (1 - failed / requests))]}},
    ]
    return {"resource": {"attributes": [_attribute("service.name", service)]}, "scopeMetrics": [{"metrics": metrics}]}


def _graph(number: int) -> dict[str, Any]:
    at = str(_interval_ns(number))
    points = [
        {"attributes": [_attribute("client", client), _attribute("server", server)], "timeUnixNano": at, "asInt": "1"}
        for client, servers in GRAPH.items()
        for server in servers
    ]
    counter = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": points}
    return {"scopeMetrics": [{"metrics": [{"name": "traces_service_graph_request_total", "sum": counter}]}]}


def _write_spans(folder: Path, draw: random.Random) -> None:
    slow = {"stock": (240, 300), "index": (420, 480)}
    _save(folder / "stream" / "traces.jsonl.gz", _span_lines(slow, draw))
    windows = [{"start": (BEGAN_S + a) * NS_PER_S, "end": (BEGAN_S + b) * NS_PER_S, "service": service} for service, (a, b) in slow.items()]
    clean = [[(BEGAN_S + a) * NS_PER_S, (BEGAN_S + b) * NS_PER_S] for a, b in ((60, 240), (330, 420), (510, 600))]
    _labels(folder, {"stream": {"files": ["stream/traces.jsonl.gz"], "windows": windows, "clean": clean}})


def _span_lines(slow: dict[str, tuple[int, int]], draw: random.Random) -> Iterator[dict[str, Any]]:
    for ten in range(0, SPAN_SECONDS, 10):
        spans: dict[str, list[dict[str, Any]]] = {}
        for trace in range(30):
            _call("web", BEGAN_S + ten + draw.random() * 9.0, "", f"{ten:016x}{trace:016x}", slow, spans, draw)
        yield {
            "resourceSpans": [
                {"resource": {"attributes": [_attribute("service.name", service)]}, "scopeSpans": [{"spans": found}]}
                for service, found in spans.items()
            ]
        }


def _call(
    service: str,
    start_s: float,
    parent: str,
    trace: str,
    slow: dict[str, tuple[int, int]],
    spans: dict[str, list[dict[str, Any]]],
    draw: random.Random,
) -> float:
    """Writes a service's spans and those below; returns when it was done."""
    own, reached_s = f"{draw.getrandbits(64):016x}", start_s + LATENCY_S[service] * 0.2 * draw.uniform(0.8, 1.2)
    for callee in GRAPH[service]:
        client, begun_s = f"{draw.getrandbits(64):016x}", reached_s
        first, last = slow.get(callee, (0, 0))
        between_s = 0.002 * draw.uniform(0.7, 1.3) + (0.4 if first <= start_s - BEGAN_S < last else 0.0)
        reached_s = _call(callee, begun_s + between_s / 2, client, trace, slow, spans, draw) + between_s / 2
        spans.setdefault(service, []).append(_span(trace, client, own, f"call {callee}", begun_s, reached_s))
    reached_s += LATENCY_S[service] * 0.2 * draw.uniform(0.8, 1.2)
    spans.setdefault(service, []).append(_span(trace, own, parent, f"serve {service}", start_s, reached_s))
    return reached_s


def _span(trace: str, own: str, parent: str, name: str, start_s: float, end_s: float) -> dict[str, Any]:
    times = {"startTimeUnixNano": str(round(start_s * NS_PER_S)), "endTimeUnixNano": str(round(end_s * NS_PER_S))}
    return {"traceId": trace, "spanId": own, "parentSpanId": parent, "name": name, **times}


def _write_gauges(folder: Path, draw: random.Random) -> None:
    labels = {}
    for number in range(4):
        name, fault = f"gauge-{number}", draw.randrange(GAUGE_POINTS // 2, GAUGE_POINTS - 200)
        values = [
            50 + 20 * math.sin(2 * math.pi * point / 288) + draw.gauss(0, 2) + (60.0 if fault <= point < fault + 30 else 0.0)
            for point in range(GAUGE_POINTS)
        ]
        _save(folder / name / "metrics.jsonl.gz", _gauge_lines(name, values))
        labels[name] = {
            "files": [f"{name}/metrics.jsonl.gz"],
            "windows": [{"start": _interval_ns(fault - 50), "end": _interval_ns(fault + 50)}],
            "probation_end": _interval_ns(300),
            "start": _interval_ns(0),
            "end": _interval_ns(GAUGE_POINTS),
        }
    _labels(folder, labels)


def _gauge_lines(name: str, values: list[float]) -> Iterator[dict[str, Any]]:
    for number, value in enumerate(values):
        gauge = {"dataPoints": [{"timeUnixNano": str(_interval_ns(number)), "asDouble": value}]}
        scope = [{"metrics": [{"name": "value", "gauge": gauge}]}]
        yield {"resourceMetrics": [{"resource": {"attributes": [_attribute("service.name", name)]}, "scopeMetrics": scope}]}


def _attribute(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": text}}


def _labels(folder: Path, labels: dict[str, Any]) -> None:
    (folder / "labels.json").write_text(json.dumps(labels, indent=1))


def _save(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
