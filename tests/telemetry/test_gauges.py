"""Gauges of the last minutes: what is nearly used up is told, by structure alone; what only looks like it is not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from bot.telemetry import limits
from bot.telemetry.gauges import Gauges
from bot.telemetry.metric_point import MetricPoint

T = 1_700_000_000.0


def reading(name: str, at_s: float, value: float, service: str = "quotes", instance: str = "", **attributes: str) -> MetricPoint:
    pairs = tuple(sorted((key.replace("_", "."), text) for key, text in attributes.items()))
    return MetricPoint(service, instance, name, "1", "gauge", pairs, T + at_s, value)


def told(gauges: Gauges, name: str, value_at: Callable[[int], float], seconds: range = range(0, 121, 10), **more: str) -> None:
    for at_s in seconds:
        gauges.observe([reading(name, at_s, value_at(at_s), **more)], T + at_s)


def names(gauges: Gauges, at_s: float = 120) -> list[tuple[str, float]]:
    return [(one.gauge.name, round(one.share, 3)) for one in gauges.saturated(T + at_s)]


def test_a_share_that_stays_above_the_limit_is_told_with_when_it_began() -> None:
    gauges = Gauges()
    told(gauges, "process.cpu.utilization", lambda at: 0.95 if at >= 50 else 0.3)
    told(gauges, "k8s.container.memory_limit_utilization", lambda _: 0.97, instance="quotes-1")
    first, second = gauges.saturated(T + 120)
    assert (first.gauge.name, first.gauge.instance, first.share, first.since_s) == (
        "k8s.container.memory_limit_utilization",
        "quotes-1",
        0.97,
        T,
    )
    assert (second.gauge.name, second.since_s, second.at_s, second.limit) == ("process.cpu.utilization", T + 50, T + 120, 0.9)


def test_a_peak_a_dip_and_a_short_while_are_not() -> None:
    gauges = Gauges()
    told(gauges, "a.utilization", lambda at: 0.99 if at == 60 else 0.5)
    told(gauges, "b.utilization", lambda at: 0.5 if at == 100 else 0.99)
    told(gauges, "c.utilization", lambda at: 0.99 if at >= 100 else 0.5)
    assert names(gauges) == []


def test_usage_is_measured_against_the_limit_of_the_same_thing_in_the_same_process() -> None:
    gauges = Gauges()
    told(gauges, "db.client.connection.count", lambda _: 19, pool="main", state="used", instance="a")
    told(gauges, "db.client.connection.count", lambda _: 19, pool="main", state="used", instance="b")
    told(gauges, "db.client.connection.max", lambda _: 20, pool="main", instance="a")
    told(gauges, "db.client.connection.max", lambda _: 100, pool="main", instance="b")
    told(gauges, "jvm.memory.used", lambda _: 95, pool="old")
    told(gauges, "jvm.memory.limit", lambda _: 100, pool="old")
    told(gauges, "queue.usage", lambda _: 1_000)
    told(gauges, "zero.usage", lambda _: 5)
    told(gauges, "zero.limit", lambda _: 0)
    assert [(one.gauge.name, one.gauge.instance, one.share) for one in gauges.saturated(T + 120)] == [
        ("jvm.memory.used", "", 0.95),
        ("db.client.connection.count", "a", 0.95),
    ]


def test_an_idle_processor_and_a_full_cache_are_healthy_a_busy_processor_is_not() -> None:
    gauges = Gauges()
    told(gauges, "system.cpu.utilization", lambda _: 0.98, cpu_mode="idle", service="calm")
    told(gauges, "system.cpu.utilization", lambda _: 0.02, cpu_mode="idle", service="busy")
    told(gauges, "system.memory.utilization", lambda _: 0.95, system_memory_state="cached")
    told(gauges, "system.memory.usage", lambda _: 99, system_memory_state="free")
    told(gauges, "system.memory.limit", lambda _: 100)
    assert [(one.gauge.service, one.share) for one in gauges.saturated(T + 120)] == [("busy", 0.98)]


def test_what_is_no_longer_reported_is_not_told_for_ever() -> None:
    gauges = Gauges()
    told(gauges, "a.utilization", lambda _: 1.0)
    assert names(gauges, 150) == [("a.utilization", 1.0)]
    assert names(gauges, 200) == []
    gauges.observe([], T + 120 + limits.GAUGE_KEPT_S + 1)
    assert len(gauges) == 0


def test_readings_are_kept_in_order_and_an_old_one_is_passed_over() -> None:
    gauges = Gauges()
    gauges.observe([reading("g", 0, 1), reading("g", 10, 2), reading("g", 5, 9), reading("other", 0, 1, service="x")], T + 10)
    (kept,) = gauges.readings("quotes").values()
    assert kept == ((T, 1.0), (T + 10, 2.0))


@pytest.mark.parametrize("per_series", [1, 200])
def test_gauges_stay_small(per_series: int) -> None:
    gauges = Gauges()
    many = 40_000 // per_series
    tracemalloc.start()
    try:
        for n in range(many):
            gauges.observe((reading("g", at_s, 1, user=f"{n}") for at_s in range(per_series)), T)
        assert tracemalloc.get_traced_memory()[0] < 10 << 20
    finally:
        tracemalloc.stop()
    assert len(gauges) == min(many, limits.METRIC_SERIES)
    assert gauges.overflow == max(0, many - limits.METRIC_SERIES) * per_series
