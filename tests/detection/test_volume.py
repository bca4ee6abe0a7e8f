"""Traffic that stays away: what is a loss, what is a night, and what is only our own deafness."""

from __future__ import annotations

import math
import random

import pytest

from bot.detection.traffic import Traffic
from bot.policy.schema import Traffic as Policy

DAY_S = 86_400.0
HOUR_S = 3_600.0
STEP_S = 10.0


def poisson(rng: random.Random, mean: float) -> int:
    """By arrivals; for large means by the normal curve."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def new_traffic() -> Traffic:
    return Traffic(Policy(), false_alarms_per_year=1.0, operations=100)


def play(
    traffic: Traffic, rng: random.Random, start_s: float, end_s: float, rates: dict[tuple[str, str], float]
) -> tuple[float, str] | None:
    """(when, operation) of the first loss; None without one."""
    now_s, first = start_s, None
    while now_s < end_s:
        now_s += STEP_S
        for (service, operation), rate_per_s in rates.items():
            requests = poisson(rng, rate_per_s * STEP_S)
            if requests:
                traffic.count(service, operation, requests, now_s)
        traffic.tick(now_s)
        for loss in traffic.losses():
            first = first or (now_s, loss.operation)
    return first


BOTH = {("shop", "buy"): 2.0, ("shop", "look"): 5.0, ("depot", "send"): 1.0}


def test_an_operation_that_falls_silent_while_others_report_is_a_loss_with_its_usual_rate() -> None:
    traffic, rng = new_traffic(), random.Random(1)
    assert play(traffic, rng, 0.0, 2 * HOUR_S, BOTH) is None
    found = play(traffic, rng, 2 * HOUR_S, 3 * HOUR_S, {**BOTH, ("depot", "send"): 0.0})
    assert found is not None and found[1] == "send" and 30.0 <= found[0] - 2 * HOUR_S < 180.0
    shortfall = traffic.losses()[0].shortfall
    assert shortfall.usual_per_s == pytest.approx(1.0, rel=0.1)
    assert shortfall.since_s == pytest.approx(2 * HOUR_S, abs=10.0)


def test_a_service_that_is_gone_is_told_once_by_its_busiest_operation() -> None:
    traffic, rng = new_traffic(), random.Random(2)
    play(traffic, rng, 0.0, 2 * HOUR_S, BOTH)
    play(traffic, rng, 2 * HOUR_S, 2.2 * HOUR_S, {("depot", "send"): 1.0})
    assert [(loss.service, loss.operation) for loss in traffic.losses()] == [("shop", "look")]


def test_when_everything_is_silent_nothing_is_lost_and_its_return_is_no_loss_either() -> None:
    traffic, rng = new_traffic(), random.Random(3)
    play(traffic, rng, 0.0, 2 * HOUR_S, BOTH)
    assert play(traffic, rng, 2 * HOUR_S, 4 * HOUR_S, {}) is None
    heard_nothing = traffic.stopped
    assert play(traffic, rng, 4 * HOUR_S, 4 * HOUR_S + 20.0, {("depot", "send"): 1.0}) is None
    assert (heard_nothing, traffic.stopped) == (True, False)
    assert play(traffic, rng, 4 * HOUR_S + 20.0, 6 * HOUR_S, BOTH) is None


def test_a_large_loss_that_leaves_something_is_found_too() -> None:
    traffic, rng = new_traffic(), random.Random(4)
    play(traffic, rng, 0.0, 2 * HOUR_S, BOTH)
    found = play(traffic, rng, 2 * HOUR_S, 3 * HOUR_S, {**BOTH, ("shop", "look"): 0.1})
    assert found is not None and found[1] == "look" and found[0] - 2 * HOUR_S < 120.0


def test_traffic_that_comes_back_is_no_loss_any_more() -> None:
    traffic, rng = new_traffic(), random.Random(5)
    play(traffic, rng, 0.0, 2 * HOUR_S, BOTH)
    assert play(traffic, rng, 2 * HOUR_S, 2.2 * HOUR_S, {**BOTH, ("depot", "send"): 0.0}) is not None
    play(traffic, rng, 2.2 * HOUR_S, 2.2 * HOUR_S + 60.0, BOTH)
    assert traffic.losses() == []


def test_before_it_is_known_for_an_hour_nobody_misses_anything() -> None:
    traffic, rng = new_traffic(), random.Random(6)
    play(traffic, rng, 0.0, 0.8 * HOUR_S, BOTH)
    assert play(traffic, rng, 0.8 * HOUR_S, 2 * HOUR_S, {**BOTH, ("depot", "send"): 0.0}) is None


def test_nine_days_with_nights_and_weekends_lose_nothing() -> None:
    traffic, rng = new_traffic(), random.Random(7)
    for hour in range(9 * 24):
        at_s = hour * HOUR_S
        day = 0.5 + 0.48 * math.sin(2 * math.pi * (hour % 24 - 9) / 24)
        level = day * (0.4 if hour // 24 % 7 >= 5 else 1.0)
        for quarter in range(4):
            rates = {key: rate * level for key, rate in BOTH.items()}
            assert play(traffic, rng, at_s + quarter * 900.0, at_s + (quarter + 1) * 900.0, rates) is None


def test_traffic_that_comes_in_bursts_is_not_missed_between_them() -> None:
    """A job that runs for a minute every ten minutes."""
    traffic, rng = new_traffic(), random.Random(8)
    for minute in range(24 * 60):
        rates = {("shop", "buy"): 2.0, **({("job", "run"): 5.0} if minute % 10 == 0 else {})}
        assert play(traffic, rng, minute * 60.0, (minute + 1) * 60.0, rates) is None
