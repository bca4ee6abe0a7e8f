"""What a series measures, told by its structure and by common words."""

from __future__ import annotations

import pytest

from bot.rootcause.metrics.keys import Key
from bot.rootcause.metrics.measures import measure
from bot.rootcause.metrics.quantities import quantity_of, rank_of
from bot.rootcause.model import Instrument, Series, Window

MINUTE_NS = 60 * 10**9


def series(
    metric: str, values: tuple[float, ...] = (1.0,), statistic: str = "", unit: str = "", instrument: Instrument = "gauge",
    attributes: tuple[tuple[str, str], ...] = (), service: str = "shop", pod: str = "", edge: tuple[str, str] = ("", ""),
) -> Series:  # fmt: skip
    times = tuple(minute * MINUTE_NS for minute in range(1, len(values) + 1))
    return Series(service, pod, metric, statistic, unit, instrument, attributes, *edge, times, values)


@pytest.mark.parametrize(
    ("one", "quantity"),
    [
        (series("http.server.request.duration", statistic="p99", unit="s"), "time"),
        (series("http.server.request.duration", statistic="count"), "requests"),
        (series("http.server.request.duration", statistic="failed_share"), "share"),
        (series("http.client.request.duration", statistic="p99", unit="s"), "ignored"),
        (series("anything", statistic="Average"), "time"),
        (series("anything", statistic="0.95"), "time"),
        (series("anything", statistic="Sum"), "requests"),
        (series("PodServerLatencyP90(s)"), "time"),
        (series("PodWorkload(Ops)"), "requests"),
        (series("PodSuccessRate(%)"), "share"),
        (series("http.server.active_requests"), "work"),
        (series("rpc.errors", instrument="cumulative"), "failures"),
        (series("shop.calls", instrument="delta", attributes=(("error.type", "timeout"),)), "failures"),
        (series("shop.calls", instrument="delta", attributes=(("http.response.status_code", "503"),)), "failures"),
        (series("shop.calls", instrument="delta", attributes=(("http.response.status_code", "200"),)), "requests"),
        (series("container.cpu.usage"), "cpu"),
        (series("process.cpu.time", unit="s", instrument="cumulative"), "cpu"),
        (series("system.cpu.utilization"), "ignored"),
        (series("NodeCpuUsageRate(%)"), "ignored"),
        (series("process.memory.usage", unit="By"), "ignored"),
        (series("container.io", unit="KiBy"), "ignored"),
        (series("xyzzy", edge=("a", "b")), "time"),
        (series("traces_service_graph_request_failed_total", instrument="cumulative", edge=("a", "b")), "failures"),
        (series("xyzzy"), "work"),
    ],
    ids=lambda value: value.metric + value.statistic if isinstance(value, Series) else value,
)
def test_quantities(one: Series, quantity: str) -> None:
    assert quantity_of(one) == quantity


def test_means_stand_for_all_requests_best_then_lower_quantiles() -> None:
    best_first = ["Average", "p50", "0.9", "p99"]
    assert sorted(best_first, key=lambda statistic: rank_of(series("latency", statistic=statistic))) == best_first
    assert rank_of(series("PodServerLatencyP90(s)")) < rank_of(series("PodServerLatencyP99(s)"))


def test_a_counter_becomes_increments_and_a_restart_loses_one_interval() -> None:
    counted = series("calls", (10.0, 30.0, 5.0, 25.0), unit="{call}", instrument="cumulative")
    assert list(measure(Window(series=(counted,))).values[Key("requests", "shop")].values()) == [20.0, 20.0]


def test_instances_and_attributes_are_added_where_they_count() -> None:
    window = Window(
        series=(
            series("calls", (10.0, 20.0), instrument="delta", attributes=(("route", "/a"),), pod="one"),
            series("calls", (1.0, 2.0), instrument="delta", attributes=(("route", "/b"),), pod="one"),
            series("calls", (5.0, 5.0), instrument="delta", pod="two"),
        )
    )
    values = measure(window).values
    assert list(values[Key("requests", "shop")].values()) == [16.0, 27.0]
    assert list(values[Key("requests", "shop", instance="two")].values()) == [5.0, 5.0]


def test_a_rate_becomes_a_count_of_the_interval() -> None:
    values = measure(Window(series=(series("workload", (0.5, 1.5, 2.25), unit="ops"),))).values
    assert list(values[Key("requests", "shop")].values()) == [30.0, 90.0, 135.0]


def test_availability_and_error_ratio_become_the_same_failures() -> None:
    good = Window(series=(series("availability", (99.0, 98.0, 100.0), "Average"), series("requests", (100.0, 50.0, 10.0), "Sum")))
    bad = Window(series=(series("error_ratio", (0.01, 0.02, 0.0)), series("requests", (100.0, 50.0, 10.0), "Sum")))
    for window in (good, bad):
        assert list(measure(window).values[Key("failures", "shop")].values()) == pytest.approx([1.0, 1.0, 0.0])


def test_a_share_without_a_telling_name_is_known_by_its_values() -> None:
    requests = series("n", (40.0, 80.0, 25.0, 10.0), "Sum")
    share = series("q", (97.5, 98.75, 96.0, 100.0), "Average")
    time = series("t", (0.31, 0.33, 0.317, 0.329), "Average")
    values = measure(Window(series=(requests, share, time))).values
    assert list(values[Key("failures", "shop")].values()) == pytest.approx([1.0, 1.0, 1.0, 0.0])
    assert list(values[Key("time", "shop")].values()) == [0.31, 0.33, 0.317, 0.329]


def test_edges_alone_tell_what_their_callee_serves_and_which_side_waits() -> None:
    edges = (("a", "shop"), ("b", "shop"))
    window = Window(
        series=tuple(
            one
            for edge, count, time in zip(edges, (30.0, 10.0), (0.1, 0.5), strict=True)
            for one in (
                series("served", (count, count), "count", edge=edge),
                series("served", (time, time), "mean", edge=edge),
                series("waited", (time + 0.2, time + 0.2), "mean", edge=edge),
            )
        )
    )
    values = measure(window).values
    assert list(values[Key("requests", "shop")].values()) == [40.0, 40.0]
    assert list(values[Key("time", "shop")].values()) == pytest.approx([0.2, 0.2])
    assert list(values[Key("source", "shop", "a")].values()) == pytest.approx([0.3, 0.3])
    assert measure(window).edges == {("a", "shop"), ("b", "shop")}


def test_the_incident_is_measured_by_what_the_baseline_is_measured_by() -> None:
    baseline = measure(Window(series=(series("latency", (0.2, 0.2), "p90"),)))
    incident = Window(series=(series("latency", (0.3, 0.3), "p90"), series("latency", (0.1, 0.1), "Average")))
    assert list(measure(incident, baseline.choice).values[Key("time", "shop")].values()) == [0.3, 0.3]
