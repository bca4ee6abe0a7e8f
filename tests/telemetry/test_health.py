"""Healthy, unhealthy or unknown: what a window of requests allows to say."""

from __future__ import annotations

import pytest

from bot.agents.scout import Scout
from bot.model import Health, SignalKind
from tests.telemetry.world import BUY, FRONT, T0, new_scout, root_spans

H, U, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def fill(scout: Scout, at_s: float, *, good: int = 0, slow: int = 0, errors: int = 0, first_id: int = 1) -> None:
    """Requests that all end within the window before `at_s`."""
    scout.observe(root_spans([at_s - 5.0] * good, 0.2, first_id=first_id), at_s)
    scout.observe(root_spans([at_s - 5.0] * slow, 3.0, first_id=first_id + 100_000), at_s)
    scout.observe(root_spans([at_s - 5.0] * errors, 0.1, error=True, first_id=first_id + 200_000), at_s)


@pytest.mark.parametrize(
    ("good", "slow", "errors", "health", "kind"),
    [
        (0, 0, 0, X, None),
        (14, 0, 0, X, None),
        (15, 0, 0, H, None),
        (40, 4, 0, H, None),  # slow ones, but too few to prove anything
        (40, 5, 0, U, SignalKind.LATENCY),
        (0, 5, 0, U, SignalKind.LATENCY),  # few requests finish because they hang
        (600, 5, 0, H, None),  # within the one in a hundred that may be slow
        (490, 6, 0, U, SignalKind.LATENCY),
        (40, 0, 4, H, None),
        (40, 0, 5, U, SignalKind.ERRORS),
        (0, 0, 5, U, SignalKind.ERRORS),
        (300, 0, 6, H, None),  # exactly what is allowed
        (290, 0, 6, U, SignalKind.ERRORS),
        (10, 5, 30, U, SignalKind.ERRORS),  # both: errors that are fast are errors
        (10, 30, 5, U, SignalKind.LATENCY),
        (3, 4, 4, X, None),
    ],
)
def test_what_a_window_says(good: int, slow: int, errors: int, health: Health, kind: SignalKind | None) -> None:
    scout, _ = new_scout()
    fill(scout, T0, good=good, slow=slow, errors=errors)
    found, now = scout.health(FRONT, BUY, T0)
    assert found is health
    assert now is not None
    assert (now.requests, now.slow, now.errors) == (good + slow + errors, slow, errors)
    assert [signal.kind for signal in scout.signals(T0)] == ([kind] if kind else [])


def test_requests_that_are_slow_and_fail_are_slow() -> None:
    scout, _ = new_scout()
    scout.observe(root_spans([T0 - 5.0] * 20, 3.0, error=True), T0)
    assert [signal.kind for signal in scout.signals(T0)] == [SignalKind.LATENCY]


def test_an_operation_without_an_objective_is_unknown() -> None:
    scout, _ = new_scout()
    assert scout.health(FRONT, "GET /nothing", T0) == (X, None)
    assert scout.measure(FRONT, "GET /nothing", T0, T0 + 1) is None
    assert scout.serving(FRONT, T0) is None


def test_after_a_breach_it_is_healthy_only_when_the_whole_window_is_good() -> None:
    scout, heard = new_scout()
    fill(scout, T0, good=20, errors=10)
    assert scout.health(FRONT, BUY, T0)[0] is U
    fill(scout, T0 + 9, good=20, errors=2, first_id=1_000)  # fewer errors: no breach, but not good either
    assert scout.health(FRONT, BUY, T0 + 9)[0] is X
    assert len(scout.signals(T0 + 9)) == 1
    fill(scout, T0 + 19.5, good=20, first_id=2_000)
    assert scout.health(FRONT, BUY, T0 + 19.5)[0] is H
    assert scout.signals(T0 + 19.5) == []
    assert len(heard.texts) == 2


def test_a_service_that_always_fails_a_little_recovers_after_a_whole_window_without_breach() -> None:
    scout, _ = new_scout()
    fill(scout, T0, good=100, errors=30)
    assert scout.health(FRONT, BUY, T0)[0] is U
    states = []
    for i in range(1, 13):
        fill(scout, T0 + 5 + i, good=200, errors=1, first_id=1_000 * i)
        states.append(scout.health(FRONT, BUY, T0 + 5 + i)[0])
    assert states[:4] == [X] * 4
    assert states[-1] is H


def test_when_traffic_vanishes_in_the_middle_nobody_calls_it_healthy() -> None:
    scout, heard = new_scout()
    fill(scout, T0, good=10, slow=10)
    assert len(scout.signals(T0)) == 1
    for later_s in (15.0, 60.0, 300.0):
        assert scout.health(FRONT, BUY, T0 + later_s)[0] is X
        assert scout.signals(T0 + later_s) == []
    scout.signals(T0 + 700.0)
    assert "has not been measured for a while" in heard.texts[-1]


def test_verification_measures_requests_by_their_start() -> None:
    scout, _ = new_scout()
    scout.observe(root_spans([T0], 8.0) + root_spans([T0 + 5.0] * 3, 0.2, first_id=10), T0 + 9)
    after = scout.measure(FRONT, BUY, T0 + 4.0, T0 + 9.0)
    assert after is not None
    assert (after.requests, after.slow) == (3, 0)
