"""A budget of false alarms is kept in health and does not deafen during incidents."""

from __future__ import annotations

import random

import pytest

from bot.detection.alarm import Alarm
from bot.detection.budget import Budget, expected_per_day
from tests.detection.detect_world import BEGAN_S, INTERVAL_S

DAY = 288
SERVICES = 20


def noise(number: int, draw: random.Random) -> list[Alarm]:
    """The candidates of a healthy interval: sums of surprises of SERVICES services."""
    at_s = BEGAN_S + number * INTERVAL_S
    return [Alarm(at_s, f"s{one}", "latency", draw.gammavariate(2.0, 1.0)) for one in range(SERVICES)]


@pytest.mark.parametrize("per_day", [1.0, 5.0])
@pytest.mark.parametrize("heavier", [1.0, 3.0])
def test_healthy_weeks_stay_within_the_budget_however_heavy_their_noise(per_day: float, heavier: float) -> None:
    draw, budget, days = random.Random(7), Budget(per_day), 28
    raised = 0
    for number in range(days * DAY):
        alarms = [Alarm(a.at_s, a.service, a.signal, a.score * heavier) for a in noise(number, draw)]
        admitted = budget.admit(alarms, BEGAN_S + number * INTERVAL_S, SERVICES)
        raised += len(admitted) if number >= DAY else 0  # on the first day the noise is only being learnt
    assert raised <= per_day * (days - 1)


def test_a_smaller_budget_raises_no_more() -> None:
    draw, strict, lenient = random.Random(8), Budget(1.0), Budget(20.0)
    for number in range(3 * DAY):
        alarms, now_s = noise(number, draw), BEGAN_S + number * INTERVAL_S
        assert set(strict.admit(alarms, now_s, SERVICES)) <= set(lenient.admit(alarms, now_s, SERVICES))


def test_incidents_that_were_raised_do_not_lift_the_threshold() -> None:
    draw, budget = random.Random(9), Budget(1.0)
    for number in range(DAY):
        budget.admit(noise(number, draw), BEGAN_S + number * INTERVAL_S, SERVICES)
    before = budget.threshold(SERVICES)
    for number in range(DAY, DAY + 40):
        found = budget.admit([Alarm(0.0, "s1", "latency", 60.0)], BEGAN_S + number * INTERVAL_S, SERVICES)
        assert found
    assert budget.threshold(SERVICES) <= before * 1.05


def test_a_limit_is_not_an_expectation() -> None:
    assert 0 < expected_per_day(1.0) < 0.5 and 1.0 < expected_per_day(5.0) < 5.0
