"""A small shop measured every minute: traffic, time, failures and processor use of services that call each other, with seeded noise."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from bot.rootcause.metrics.view import metrics_view
from bot.rootcause.model import Instrument, Series, Symptom, View, Window

MINUTE_NS = 60 * 10**9
START_NS = 1_700_000_040 * 10**9  # a whole minute
BASELINE_MINUTES, INCIDENT_MINUTES = 90, 6
NOBODY = Symptom()

# requests a minute, own time of a request in seconds
SERVICES: dict[str, tuple[float, float]] = {
    "front": (600, 0.020),
    "cart": (300, 0.010),
    "orders": (200, 0.030),
    "stock": (500, 0.008),
    "mail": (60, 0.015),
}
CALLS = (("front", "cart"), ("front", "orders"), ("orders", "stock"), ("cart", "stock"), ("orders", "mail"))


@dataclass(frozen=True)
class Trouble:
    """What is different while it lasts; factors of 1 and sums of 0 are health."""

    extra_s: Mapping[str, float] = field(default_factory=dict)  # own time of each request
    failing: Mapping[str, float] = field(default_factory=dict)  # share of a service's requests
    delay_s: Mapping[tuple[str, str], float] = field(default_factory=dict)  # of an edge's network
    cpu: Mapping[tuple[str, str], float] = field(default_factory=dict)  # factor, by (service, pod)
    calls: Mapping[tuple[str, str], float] = field(default_factory=dict)  # factor of an edge's calls
    traffic: float = 1.0
    drift: float = 1.0  # of memory, everywhere


HEALTH = Trouble()


class Recorder:
    """Collects points by series."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str, str, str, str, Instrument, str, str], dict[int, float]] = {}

    def add(
        self, at_ns: int, value: float, metric: str, statistic: str = "", service: str = "", pod: str = "", edge: tuple[str, str] = ("", "")
    ) -> None:
        key: tuple[str, str, str, str, str, Instrument, str, str] = (service, pod, metric, statistic, "", "gauge", *edge)
        self._points.setdefault(key, {})[at_ns] = value

    def window(self) -> Window:
        series = [
            Series(service, pod, metric, statistic, unit, instrument, (), client, server, tuple(points), tuple(points.values()))
            for (service, pod, metric, statistic, unit, instrument, client, server), points in self._points.items()
        ]
        return Window(series=tuple(series), graph=frozenset(CALLS))


@cache
def _usual_shop(pods: int) -> Window:
    return shop(BASELINE_MINUTES, pods=pods)


def shop(minutes: int, seed: int = 1, trouble: Trouble = HEALTH, start: int = 0, pods: int = 1) -> Window:
    """`minutes` of the shop's metrics, from minute `start` on."""
    chance, recorder = random.Random(seed), Recorder()
    for minute in range(start, start + minutes):
        at = START_NS + minute * MINUTE_NS
        counts = _counts(chance, trouble)
        times, failed = _times(chance, trouble, counts), _failed(chance, trouble, counts)
        for service in SERVICES:
            recorder.add(at, float(counts[service]), "requests", "Sum", service)
            recorder.add(at, times[service], "latency", "Average", service)
            recorder.add(at, times[service] * chance.uniform(2.0, 4.0), "latency", "p99", service)
            recorder.add(at, 100.0 * (1 - failed[service] / counts[service]), "availability", "Average", service)
            recorder.add(at, 200.0 * trouble.drift * chance.uniform(0.99, 1.01), "memory.usage", "", service)
            for pod in range(pods):
                name = f"{service}-{pod}"
                load = 0.01 * counts[service] / pods * chance.uniform(0.8, 1.25) * trouble.cpu.get((service, name), 1.0)
                recorder.add(at, load, "container.cpu.usage", "", service, name)
        for edge in CALLS:
            served = times[edge[1]] * chance.uniform(0.95, 1.05)
            recorder.add(at, served, "edge_served", "0.5", edge=edge)
            recorder.add(at, served + 0.001 * chance.uniform(0.8, 1.3) + trouble.delay_s.get(edge, 0.0), "edge_waited", "0.5", edge=edge)
    return recorder.window()


def look(trouble: Trouble, symptom: Symptom = NOBODY, seed: int = 7, pods: int = 1) -> View:
    """What metrics say when the trouble follows two hours of health."""
    return metrics_view(shop(INCIDENT_MINUTES, seed, trouble, BASELINE_MINUTES, pods), _usual_shop(pods), symptom)


def ranking(view: View) -> list[tuple[str, float]]:
    """Services by their strongest finding that is nobody else's doing."""
    best: dict[str, float] = {}
    for one in view.findings:
        if not one.symptom_of:
            best[one.service] = max(best.get(one.service, 0.0), one.strength)
    return sorted(best.items(), key=lambda found: -found[1])


def renamed(window: Window, name: Callable[[str], str]) -> Window:
    """Every service, pod and metric under another name; the words of OTLP stay."""

    def other(one: Series) -> Series:
        service, instance = one.service and name(one.service), one.instance and name(one.instance)
        client, server = one.client and name(one.client), one.server and name(one.server)
        return replace(one, service=service, instance=instance, metric=name(one.metric), client=client, server=server)

    return Window(series=tuple(map(other, window.series)), graph=frozenset((name(a), name(b)) for a, b in window.graph))


def _counts(chance: random.Random, trouble: Trouble) -> dict[str, int]:
    """Requests of each service; an edge that loses calls takes its part of what the callee gets."""
    counts = {}
    for service, (usual, _) in SERVICES.items():
        into = [edge for edge in CALLS if edge[1] == service]
        part = sum(trouble.calls.get(edge, 1.0) for edge in into) / len(into) if into else 1.0
        mean = usual * trouble.traffic * part
        counts[service] = max(1, round(chance.gauss(mean, mean**0.5)))
    return counts


def _times(chance: random.Random, trouble: Trouble, counts: Mapping[str, int]) -> dict[str, float]:
    """A service's time is its own and that of the calls it makes, one of each callee."""
    times: dict[str, float] = {}
    for service in reversed(SERVICES):
        own = SERVICES[service][1] * chance.uniform(0.9, 1.1) + trouble.extra_s.get(service, 0.0)
        below = [edge for edge in CALLS if edge[0] == service]
        share = {edge: min(1.0, counts[edge[1]] / counts[service]) for edge in below}
        times[service] = own + sum((times[edge[1]] + trouble.delay_s.get(edge, 0.0)) * share[edge] for edge in below)
    return times


def _failed(chance: random.Random, trouble: Trouble, counts: Mapping[str, int]) -> dict[str, int]:
    """A failed call fails its caller."""
    failed: dict[str, int] = {}
    for service in reversed(SERVICES):
        own = sum(chance.random() < trouble.failing.get(service, 0.001) for _ in range(counts[service]))
        below = sum(failed[edge[1]] // sum(one[1] == edge[1] for one in CALLS) for edge in CALLS if edge[0] == service)
        failed[service] = min(counts[service], own + below)
    return failed
