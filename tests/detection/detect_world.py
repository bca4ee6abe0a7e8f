"""A small world to detect in: services with five-minute metrics or bare spans, drawn from a seed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.detection.alarm import Alarm
from bot.detection.metrics import MetricEngine
from bot.detection.observation import BareSpan, Call, Instrument, Point, SeriesId

BEGAN_S = 1_767_225_600.0
INTERVAL_S = 300.0
LEARNT = 150  # intervals after which an engine knows its services
QUANTILES = {"p50": 1.0, "p90": 1.8, "p99": 3.5}


@dataclass
class Health:
    """What one service does in one interval."""

    latency_s: float = 0.05
    requests: int = 200
    failed: int = 0
    odd: dict[str, float] = field(default_factory=dict)  # statistic → factor on that statistic alone


Plan = Callable[[int, str], Health]


def points(
    number: int, service: str, health: Health, draw: random.Random, good: bool = True, metrics: Mapping[str, str] | None = None
) -> list[Point]:
    """The points of one interval. `good`: the share counts successes, otherwise failures."""
    names = metrics or {"latency": "latency", "requests": "requests", "share": "availability"}
    at_s = BEGAN_S + number * INTERVAL_S

    def point(metric: str, statistic: str, value: float, instrument: Instrument = "gauge") -> Point:
        return Point(at_s, SeriesId(service, names[metric], statistic, (), "", instrument), value)

    made = [point("latency", "mean", health.latency_s * 1.1 * math.exp(draw.gauss(0, 0.05)) * health.odd.get("mean", 1.0))]
    for name, factor in QUANTILES.items():
        noise = math.exp(draw.gauss(0, 0.05 * factor))
        made.append(point("latency", name, health.latency_s * factor * noise * health.odd.get(name, 1.0)))
    made.append(point("requests", "sum", float(health.requests)))
    if health.requests:
        share = health.failed / health.requests
        made.append(point("share", "mean", 100.0 * (1.0 - share) if good else share))
    return made


def watch(graph: Mapping[str, Iterable[str]], plan: Plan, intervals: int, seed: int = 1, **how: Any) -> list[Alarm]:
    """All candidates of a metric engine that watches the services of `graph` (client → servers) for so many intervals."""
    engine, draw, found = MetricEngine(), random.Random(seed), []
    for client, servers in graph.items():
        for server in servers:
            engine.observe_call(Call(client, server))
    for number in range(intervals):
        for service in graph:
            for point in points(number, service, plan(number, service), draw, **how):
                engine.observe_point(point)
        found += engine.tick(BEGAN_S + number * INTERVAL_S)
    return found


def after(alarms: Iterable[Alarm], number: int) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.at_s >= BEGAN_S + number * INTERVAL_S]


def loudest(alarms: Iterable[Alarm]) -> Alarm:
    return max(alarms, key=lambda alarm: alarm.score)


def otlp_line(found: Iterable[Point]) -> str:
    """One export request, as the Collector's file exporter writes it."""
    resources = []
    for point in found:
        series = point.series
        data = {
            "attributes": [{"key": "statistic", "value": {"stringValue": series.statistic}}] if series.statistic else [],
            "timeUnixNano": str(round(point.at_s * 1e9)),
            "asDouble": point.value,
        }
        resources.append(
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": series.service}}]},
                "scopeMetrics": [{"metrics": [{"name": series.metric, "gauge": {"dataPoints": [data]}}]}],
            }
        )
    return json.dumps({"resourceMetrics": resources})


def calls(at_s: float, caller: str, callee: str, between_s: float, work_s: float = 0.02, number: int = 0) -> Iterator[BareSpan]:
    """One trace: a caller's server span, its client span, and the callee's server span, as they end."""
    trace = f"{caller}-{callee}-{at_s:.3f}-{number}"
    start_s = at_s - work_s - between_s
    yield BareSpan(trace, f"{trace}/3", f"{trace}/2", callee, "serve", start_s + between_s / 2, start_s + between_s / 2 + work_s)
    yield BareSpan(trace, f"{trace}/2", f"{trace}/1", caller, f"call {callee}", start_s, at_s)
    yield BareSpan(trace, f"{trace}/1", "", caller, "handle", start_s - 0.001, at_s + 0.001)
