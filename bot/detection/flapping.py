"""An operation that breaks again and again: one story, told as one, and slower to be called healthy each time."""

from __future__ import annotations

from dataclasses import dataclass

PATIENCE_DOUBLINGS = 6  # at most: 64 windows


@dataclass(slots=True)
class Flapping:
    """`within_s`: breaking again within so long after a recovery is the same story. `flaps` counts how often it did."""

    within_s: float
    flaps: int = 0
    recovered_s: float | None = None

    def broke(self, now_s: float) -> int:
        """It is broken: how often it was so before in this story, 0 for the first time."""
        again = self.recovered_s is not None and now_s - self.recovered_s <= self.within_s
        self.flaps = self.flaps + 1 if again else 0
        return self.flaps

    def recovered(self, now_s: float) -> None:
        self.recovered_s = now_s

    def patience_s(self, window_s: float) -> float:
        """How long it has to be good before it counts as recovered: one window the first two times, then twice as long each time."""
        doublings = min(PATIENCE_DOUBLINGS, max(0, self.flaps - 1))
        return max(window_s, min(window_s * 2.0**doublings, self.within_s))
