"""Bare spans: a slow network is found at the service it leads to; a pause is no incident."""

from __future__ import annotations

import random

from bot.detection.alarm import Alarm
from bot.detection.crossings import MAX_HELD, SpanJoin
from bot.detection.effect import ADOPT_S, Usual, height
from bot.detection.observation import BareSpan, Call
from bot.detection.requests import RequestEngine
from bot.detection.spans import SpanEngine
from tests.detection.detect_world import BEGAN_S, calls

EDGES = (("front", "cart"), ("front", "search"), ("cart", "stock"), ("search", "stock"), ("cart", "pay"))
FAULT_S = 120.0


def replay(
    between_s: dict[tuple[str, str], float], seconds: int = 180, seed: int = 1, work_s: dict[str, float] | None = None
) -> list[Alarm]:
    """Two calls a second over each edge; from FAULT_S on the given edges (or callees) are slow."""
    engine, draw, found = SpanEngine(), random.Random(seed), []
    for half in range(2 * seconds):
        at_s = half / 2
        for caller, callee in EDGES:
            late = at_s >= FAULT_S
            gap_s = draw.uniform(0.002, 0.004) + (between_s.get((caller, callee), 0.0) if late else 0.0)
            work = draw.uniform(0.018, 0.022) + ((work_s or {}).get(callee, 0.0) if late else 0.0)
            for span in calls(BEGAN_S + at_s, caller, callee, gap_s, work):
                engine.observe_span(span)
        found += engine.tick(BEGAN_S + at_s)
    return found


def named(alarms: list[Alarm], least: float = 0.7) -> set[str]:
    return {alarm.service for alarm in alarms if alarm.score >= least}


def test_calls_into_one_service_are_slow_whoever_calls() -> None:
    alarms = replay({("cart", "stock"): 0.5, ("search", "stock"): 0.5})
    assert named(alarms) == {"stock"}
    assert min(alarm.at_s for alarm in alarms if alarm.score >= 0.7) < BEGAN_S + FAULT_S + 20


def test_calls_out_of_one_service_are_slow_whomever_it_calls() -> None:
    alarms = replay({("cart", "stock"): 0.5, ("cart", "pay"): 0.5})
    assert named(alarms) == {"cart"}


def test_an_operation_that_takes_longer_itself_is_named() -> None:
    assert "pay" in named(replay({}, work_s={"pay": 0.4}))


def test_health_is_silence() -> None:
    assert replay({}) == []


def test_one_pause_of_a_second_is_none() -> None:
    engine, draw, found = SpanEngine(), random.Random(2), []
    for half in range(360):
        at_s = half / 2
        for caller, callee in EDGES:
            pause_s = 1.0 if callee == "stock" and 120.0 <= at_s < 121.0 else 0.0
            for span in calls(BEGAN_S + at_s, caller, callee, draw.uniform(0.002, 0.004) + pause_s):
                engine.observe_span(span)
        found += engine.tick(BEGAN_S + at_s)
    assert named(found) == set()


def test_requests_that_fail_are_told_at_the_service_that_serves_them_not_at_its_callers() -> None:
    engine, draw, found = RequestEngine(), random.Random(5), []
    engine.observe_call(Call("front", "back"))
    for tenth in range(8_000):
        at_s = BEGAN_S + tenth / 10
        broken = tenth >= 7_500 and draw.random() < 0.4
        for service, share in (("back", 1.0), ("front", 2.0)):
            duration_s = 0.02 * share * draw.lognormvariate(0, 0.2)
            engine.observe_span(BareSpan("t", f"{service}{tenth}", "", service, "op", at_s - duration_s, at_s, True, broken))
        found += engine.tick(at_s)
    loud = [alarm for alarm in found if alarm.score > 12.0]
    assert {(alarm.service, alarm.signal) for alarm in loud} == {("back", "errors")}
    assert BEGAN_S + 750 < min(alarm.at_s for alarm in loud) < BEGAN_S + 800


def test_a_young_edge_is_judged_by_the_fleet() -> None:
    usual, fleet = Usual(), Usual()
    for _ in range(30):
        fleet.learn(0.0, height(0.003), 0.0)
    assert usual.effect(height(2.0), fleet) > 3.0 > 0.2 > usual.effect(height(0.004), fleet)
    assert usual.effect(height(2.0), None) == 0.0


def test_what_lasts_an_hour_becomes_usual_and_what_lasts_minutes_does_not() -> None:
    usual = Usual()
    for second in range(60):
        usual.learn(float(second), height(0.003), 0.0)
    slow = height(0.5)
    for second in range(60, 1_000):
        usual.learn(float(second), slow, usual.effect(slow, None))
    assert usual.effect(slow, None) > 1.0
    usual.learn(60.0 + ADOPT_S, slow, usual.effect(slow, None))
    assert usual.effect(slow, None) < 0.1


def test_parents_that_never_come_and_times_that_run_backwards_hold_no_memory() -> None:
    join = SpanJoin()
    for number in range(MAX_HELD + 500):
        join.add(BareSpan("t", f"s{number}", f"missing{number}", "api", "op", BEGAN_S, BEGAN_S + 0.1))
    assert join.given_up == 500
    engine = SpanEngine()
    engine.observe_span(BareSpan("t", "a", "", "api", "op", BEGAN_S + 5, BEGAN_S))
    assert engine.tick(BEGAN_S + 10) == []
