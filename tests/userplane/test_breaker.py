"""The circuit breaker's states, with time passed in."""

from __future__ import annotations

from userplane.common.breaker import CircuitBreaker, Ticket
from userplane.common.manifest import BreakerPolicy

POLICY = BreakerPolicy(enabled=True, failures=3, reset_s=30.0)


def admitted(breaker: CircuitBreaker, now_s: float) -> Ticket:
    ticket = breaker.admit(now_s)
    assert ticket is not None
    return ticket


def opened(at_s: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(POLICY)
    for _ in range(POLICY.failures):
        breaker.failed(admitted(breaker, at_s), at_s)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_starts_anew() -> None:
    breaker = CircuitBreaker(POLICY)
    for _ in range(5):
        breaker.failed(admitted(breaker, 0), 0)
        breaker.failed(admitted(breaker, 0), 0)
        breaker.succeeded(admitted(breaker, 0))
    assert breaker.state(0) == "closed"
    for _ in range(3):
        breaker.failed(admitted(breaker, 1), 1)
    assert breaker.state(1) == "open"
    assert breaker.admit(30.9) is None


def test_half_open_lets_one_trial_through_whose_answer_decides() -> None:
    breaker = opened()
    assert breaker.state(30) == "half-open"
    trial = admitted(breaker, 30)
    assert breaker.admit(30) is None
    breaker.failed(trial, 31)
    assert breaker.state(60.9) == "open" and breaker.admit(60.9) is None
    breaker.succeeded(admitted(breaker, 61))
    assert breaker.state(61) == "closed"
    assert breaker.admit(61) is not None


def test_trial_whose_caller_gave_up_leaves_room_for_another() -> None:
    breaker = opened()
    breaker.abandoned(admitted(breaker, 30))
    assert breaker.admit(30) is not None


def test_late_answers_of_calls_from_before_it_opened_change_nothing() -> None:
    breaker = CircuitBreaker(POLICY)
    slow = [admitted(breaker, 0) for _ in range(5)]
    for ticket in slow[:3]:
        breaker.failed(ticket, 1)
    breaker.failed(slow[3], 20)
    breaker.succeeded(slow[4])
    assert breaker.state(30.9) == "open"
    assert breaker.state(31) == "half-open"


def test_disabled_breaker_never_opens() -> None:
    breaker = CircuitBreaker(BreakerPolicy(enabled=False, failures=1, reset_s=30.0))
    for _ in range(100):
        breaker.failed(admitted(breaker, 0), 0)
    assert breaker.state(0) == "closed"
