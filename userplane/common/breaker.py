"""A circuit breaker: stop asking a dependency that keeps failing, and let one call try again after a while.

States as in Nygard, "Release It!": closed (calls pass), open (calls fail at once), half-open (one trial call passes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from userplane.common.manifest import BreakerPolicy

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True)
class Ticket:
    """Permission for one call, valid for the breaker's state at that time: later answers of older calls are ignored."""

    generation: int


class CircuitBreaker:
    """Counts failures in a row. Not thread-safe: one event loop uses it. Time is passed in, in seconds of any steady clock."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._opened_at_s: float | None = None
        self._trial_runs = False
        self._generation = 0

    def state(self, now_s: float) -> State:
        """The state at `now_s`."""
        if self._opened_at_s is None:
            return "closed"
        return "half-open" if now_s - self._opened_at_s >= self._policy.reset_s else "open"

    def admit(self, now_s: float) -> Ticket | None:
        """A ticket for one call, or None when the call must fail at once. Answer each ticket by one of the three methods below."""
        state = self.state(now_s)
        if state == "open" or (state == "half-open" and self._trial_runs):
            return None
        if state == "half-open":
            self._trial_runs = True
            self._generation += 1
        return Ticket(self._generation)

    def succeeded(self, ticket: Ticket) -> None:
        """The call was answered: a run of failures ends, a half-open breaker closes."""
        if ticket.generation == self._generation:
            self._failures = 0
            self._opened_at_s = None
            self._trial_runs = False

    def failed(self, ticket: Ticket, now_s: float) -> None:
        """The call failed: the run grows, and at the limit (or when it was the trial) the breaker opens."""
        if ticket.generation != self._generation:
            return
        self._failures += 1
        if self._policy.enabled and (self._trial_runs or self._failures >= self._policy.failures):
            self._opened_at_s = now_s
            self._trial_runs = False
            self._generation += 1

    def abandoned(self, ticket: Ticket) -> None:
        """The caller gave up before there was an answer: that says nothing about the dependency; another trial may run."""
        if ticket.generation == self._generation:
            self._trial_runs = False
