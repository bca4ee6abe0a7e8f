"""Services seen through their metrics: what is an incident, what is none, and who is named."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from bot.detection.durations import DurationJudge
from bot.detection.metrics import MetricEngine
from bot.detection.observation import Call, Point, SeriesId
from bot.detection.service_health import MAX_SERIES, Fleet, ServiceHealth
from tests.detection.detect_world import BEGAN_S, INTERVAL_S, LEARNT, Health, after, loudest, points, watch

GRAPH = {"front": ("middle",), "middle": ("back",), "back": (), "bystander": ()}
INCIDENT = 12.0  # the score that a budget of one false alarm a day would ask for, roughly


def slow_back(number: int, service: str) -> Health:
    """From LEARNT on the deepest service is slow, and those above wait for it."""
    if number < LEARNT or service == "bystander":
        return Health()
    return Health(latency_s={"back": 0.25, "middle": 0.2, "front": 0.15}[service])


def test_the_callee_that_is_slow_is_named_not_those_who_wait_for_it() -> None:
    alarms = after(watch(GRAPH, slow_back, LEARNT + 3), LEARNT)
    assert loudest(alarms).service == "back" and loudest(alarms).signal == "latency" and loudest(alarms).score > INCIDENT
    assert {alarm.service for alarm in alarms if alarm.score > INCIDENT} == {"back"}


def test_without_a_graph_each_who_suffers_is_named() -> None:
    alarms = after(watch(dict.fromkeys(GRAPH, ()), slow_back, LEARNT + 3), LEARNT)
    assert {alarm.service for alarm in alarms if alarm.score > INCIDENT} == {"front", "middle", "back"}


def test_services_that_report_at_different_seconds_are_still_one_incident() -> None:
    """The caller reports a minute before its callee: from the second interval on the callee is blamed."""
    engine, draw, found = MetricEngine(), random.Random(1), []
    engine.observe_call(Call("middle", "back"))
    for number in range(LEARNT + 3):
        for late_s, service in ((0.0, "middle"), (60.0, "back")):
            for point in points(number, service, slow_back(number, service), draw):
                engine.observe_point(replace(point, at_s=point.at_s + late_s))
            found += engine.tick(BEGAN_S + number * INTERVAL_S + late_s)
    assert {alarm.service for alarm in after(found, LEARNT + 1) if alarm.score > INCIDENT} == {"back"}


def test_before_the_incident_there_is_silence() -> None:
    assert max((alarm.score for alarm in watch(GRAPH, slow_back, LEARNT)), default=0.0) < INCIDENT


def test_one_statistic_alone_is_no_slowness() -> None:
    def spike(number: int, service: str) -> Health:
        return Health(odd={"p99": 40.0}) if number >= LEARNT and service == "back" else Health()

    assert max((alarm.score for alarm in after(watch(GRAPH, spike, LEARNT + 3), LEARNT)), default=0.0) < INCIDENT


def test_becoming_faster_is_no_incident() -> None:
    def fast(number: int, service: str) -> Health:
        return Health(latency_s=0.05 if number < LEARNT else 0.005)

    assert max((alarm.score for alarm in after(watch(GRAPH, fast, LEARNT + 3), LEARNT)), default=0.0) < INCIDENT


def test_traffic_that_grows_slowly_or_at_once_is_no_incident() -> None:
    def drift(number: int, service: str) -> Health:
        return Health(requests=100 + number + (2000 if number >= LEARNT else 0))

    assert max((alarm.score for alarm in watch(GRAPH, drift, LEARNT + 5)), default=0.0) < INCIDENT


@pytest.mark.parametrize("good", [True, False])
def test_many_failures_are_an_incident_whichever_end_of_the_share_is_good(good: bool) -> None:
    def failing(number: int, service: str) -> Health:
        return Health(failed=60 if number >= LEARNT and service == "middle" else number % 2)

    alarms = after(watch(GRAPH, failing, LEARNT + 3, good=good), LEARNT)
    assert (loudest(alarms).service, loudest(alarms).signal) == ("middle", "errors") and loudest(alarms).score > INCIDENT


def test_one_failure_in_a_night_with_two_requests_is_none() -> None:
    def night(number: int, service: str) -> Health:
        return Health(requests=2, failed=1) if number >= LEARNT and service == "back" else Health(failed=number % 3)

    assert max((alarm.score for alarm in after(watch(GRAPH, night, LEARNT + 2), LEARNT)), default=0.0) < INCIDENT


def test_a_share_that_is_of_no_count_is_no_error_ratio() -> None:
    """A cache's hit ratio in percent: times the requests it is no whole number, so it says nothing about failures."""
    health, draw = ServiceHealth(Fleet()), random.Random(1)
    evidence = []
    for number in range(LEARNT + 1):
        at_s = BEGAN_S + number * INTERVAL_S
        ratio = draw.uniform(85, 99) if number < LEARNT else 5.0
        health.observe(Point(at_s, SeriesId("cache", "hits", "mean", (), "", "gauge"), ratio))
        health.observe(Point(at_s, SeriesId("cache", "gets", "sum", (), "", "gauge"), 101.0))
        evidence.append(health.judge(at_s))
    assert evidence[-1].errors == 0.0


def test_names_say_nothing() -> None:
    names = {"latency": "zq_1", "requests": "zq_2", "share": "zq_3"}
    plain, renamed = watch(GRAPH, slow_back, LEARNT + 3), watch(GRAPH, slow_back, LEARNT + 3, metrics=names)
    assert plain == renamed


def test_the_future_does_not_change_the_past() -> None:
    whole, cut = watch(GRAPH, slow_back, LEARNT + 20), watch(GRAPH, slow_back, LEARNT + 2)
    assert whole[: len(cut)] == cut


def test_a_slowness_that_stays_becomes_usual() -> None:
    alarms = watch(GRAPH, slow_back, LEARNT + 500)
    early, late = after(alarms, LEARNT), after(alarms, LEARNT + 450)
    assert loudest(early).score > INCIDENT
    assert max((alarm.score for alarm in late), default=0.0) < INCIDENT


def test_after_some_days_the_busy_hour_is_expected_and_the_same_slowness_at_night_is_not() -> None:
    draw, durations, day = random.Random(3), DurationJudge(), 288

    def judge(number: int, factor: float) -> float:
        latency_s = 0.05 * factor * math.exp(draw.gauss(0, 0.05))
        return durations.judge(BEGAN_S + number * INTERVAL_S, {"mean": latency_s, "p99": 3 * latency_s})

    for number in range(8 * day):
        judge(number, 3.0 if 120 <= number % day < 144 else 1.0)  # two busy hours, every day
    busy, night = 8 * day + 130, 8 * day + 200
    assert judge(busy, 3.0) < 4.0 < 8.0 < judge(night, 3.0)


def test_a_restarted_counter_counts_from_nothing() -> None:
    health = ServiceHealth(Fleet())
    series = SeriesId("api", "requests", "", (), "", "cumulative")
    for value in (100.0, 150.0, 20.0, math.inf):
        health.observe(Point(BEGAN_S, series, value))
    assert health.judge(BEGAN_S).strength == 0.0


def test_ten_thousand_series_of_one_service_are_bounded_and_counted() -> None:
    fleet = Fleet(max_series=300)
    for service in ("api", "db"):
        health = ServiceHealth(fleet)
        for number in range(10_000):
            health.observe(Point(BEGAN_S, SeriesId(service, f"m{number}", "", (), "", "gauge"), 1.0))
        health.judge(BEGAN_S)
    assert fleet.ignored_series == 20_000 - 300 and MAX_SERIES == 200  # 200 of the first, 100 of the second
