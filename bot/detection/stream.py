"""One stream of an objective's requests, good or bad by one promise, with everything that watches it beyond the last window.

Two sequential detectors stand beside each other. `unusual` compares with what is usual for the operation: it keeps a window that
breaks the promise by mere chance from becoming a signal. `over` compares with what is promised: it adds up bad requests that come too
rarely for any window. The burn rates find what is slower still.
"""

from __future__ import annotations

from bot.detection.burn import Burn, Pair
from bot.detection.sequential import Sequential
from bot.detection.usual import Usual

# Bad requests of one customer's visit lie within so long: they are one reason for concern, not several. A short period is known soon, a
# long one holds a client that polls.
VISITS_S = (300.0, 1_200.0)
VISIT_BAD = 6.0  # as long as nothing is known: sum of squares over sum, of visits with three to eight of them (docs/detection-notes.md)
DETECTORS = 4  # of an objective: two streams with two sequential detectors each; they share the false alarms that are allowed


class Stream:
    """Call `add` for each request that arrives and `look` to have them judged."""

    def __init__(
        self,
        allowed: float,
        burn_allowed: float | None,
        period_s: float,
        min_bad: int,
        false_alarms_per_year: float,
        *,
        visit_bad: float = VISIT_BAD,
    ) -> None:
        share = false_alarms_per_year / DETECTORS
        self.allowed, self._visit_bad = allowed, visit_bad
        self.usual = Usual(period_s)
        self._visits = tuple(Usual(period_s) for period_s in VISITS_S)
        self._unusual = Sequential(allowed, share)
        self._over = Sequential(allowed, share)
        self._burn = Burn(burn_allowed, min_bad) if burn_allowed is not None else None
        self._requests = self._bad = 0
        self._looked_s: float | None = None

    def add(self, bad: bool) -> None:
        self._requests += 1
        self._bad += bad

    def add_many(self, requests: int, bad: int) -> None:
        """The same for aggregated traffic."""
        self._requests += requests
        self._bad += bad

    @property
    def fresh_bad(self) -> int:
        """Bad requests that nobody has looked at yet."""
        return self._bad

    @property
    def unusual(self) -> bool:
        """Whether the operation is bad more often than usual; also while nothing is known of what is usual."""
        return not self.usual.known or self._unusual.alarmed

    @property
    def over(self) -> bool:
        """Whether the promise is broken beyond chance, however long it took."""
        return self._over.alarmed

    def burning(self, now_s: float) -> Pair | None:
        return self._burn.burning(now_s) if self._burn is not None else None

    def look(self, now_s: float, *, learning: bool) -> None:
        """Judges what has come since the last look. `learning`: nothing seems wrong, so that it may become part of the usual."""
        requests, bad = self._requests, self._bad
        self._requests = self._bad = 0
        elapsed_s = now_s - self._looked_s if self._looked_s is not None else 0.0
        self._looked_s = now_s
        learnt = (self.usual, *self._visits)
        dispersion = max(self.usual.dispersion, self._visits[0].dispersion)  # of seconds, and of minutes: what is uneven by the hour, too
        visits = max(dispersion, *(usual.dispersion_or(self._visit_bad) for usual in self._visits))
        self._unusual.update(requests, bad, elapsed_s, self.usual.ratio(self.allowed), dispersion)
        self._over.update(requests, bad, elapsed_s, self.allowed, visits)
        if self._burn is not None:
            self._burn.observe(requests, bad, now_s)
        if learning:
            for usual in learnt:
                usual.observe(requests, bad, now_s)
        else:
            for usual in learnt:
                usual.forget_pending()

    def recovered(self) -> None:
        self._unusual.reset()
        self._over.reset()
        if self._burn is not None:
            self._burn.reset()
