"""The meter of a model: what one diagnosis has spent on it, checked before each request against policies/autonomy.yaml."""

from __future__ import annotations

from collections.abc import Callable

from bot.errors import Refused, Retry
from bot.policy.schema import ModelBudget

MILLION = 1_000_000.0


class Spent(Refused):
    """The budget does not allow another request; the evidence has to answer."""


class RateLimited(Retry):
    """The model is well but asks us to wait `after_s` seconds."""


class Meter:
    """`begin` before each request, `settle` after it. Not shared between threads. `now`: seconds of a clock."""

    def __init__(self, budget: ModelBudget, now: Callable[[], float]) -> None:
        self._budget, self._now = budget, now
        self._begun_s: float | None = None
        self.calls = self.tokens = 0
        self.usd = 0.0
        self._notes: list[str] = []

    def begin(self, tokens_in: int, tokens_out: int) -> float:
        """Counts a request that may need so many tokens; the seconds that it may take. Raises Spent, and then counts nothing."""
        left_s, budget = self.seconds_left(), self._budget
        if self.calls >= budget.calls:
            raise Spent(f"its budget of {budget.calls} calls is spent")
        if self.tokens + tokens_in + tokens_out > budget.tokens:
            raise Spent(f"its budget of {budget.tokens} tokens has no room for another call")
        if self.usd + self._price(tokens_in, tokens_out) > budget.usd:
            raise Spent(f"its budget of {budget.usd:g} USD has no room for another call")
        if left_s <= 0:
            raise Spent(f"its budget of {budget.seconds:g} s is spent")
        if self._begun_s is None:
            self._begun_s = self._now()
        self.calls += 1
        self._add(tokens_in, tokens_out)
        return left_s

    def settle(self, expected: tuple[int, int], used: tuple[int, int]) -> None:
        """Replaces what `begin` set aside by what the endpoint says it took: (tokens in, tokens out) each."""
        self._add(used[0] - expected[0], used[1] - expected[1])

    def seconds_left(self) -> float:
        return self._budget.seconds - (self._now() - self._begun_s if self._begun_s is not None else 0.0)

    def note(self, text: str) -> None:
        """Something that people should hear about how the model was asked."""
        self._notes.append(text)

    def take_notes(self) -> tuple[str, ...]:
        """What was noted since this was last asked."""
        notes, self._notes = tuple(self._notes), []
        return notes

    def _add(self, tokens_in: int, tokens_out: int) -> None:
        self.tokens += tokens_in + tokens_out
        self.usd += self._price(tokens_in, tokens_out)

    def _price(self, tokens_in: int, tokens_out: int) -> float:
        budget = self._budget
        return (tokens_in * budget.usd_per_million_tokens_in + tokens_out * budget.usd_per_million_tokens_out) / MILLION
