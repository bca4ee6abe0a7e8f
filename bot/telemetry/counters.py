"""What ingest took, refused and shed, each under a name and a reason: plain numbers that `/metrics` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

REASONS_PER_NAME: Final = 64
OTHER: Final = "other"  # stands for further reasons


class Counters:
    """Counts that only grow. Names come from our code; reasons are bounded, because some of them quote what was sent."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def add(self, name: str, reason: str = "", n: int = 1) -> None:
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = {}
        if reason not in counts and len(counts) >= REASONS_PER_NAME:
            reason = OTHER
        counts[reason] = counts.get(reason, 0) + n

    def get(self, name: str, reason: str = "") -> int:
        return self._counts.get(name, {}).get(reason, 0)

    def items(self) -> Iterator[tuple[str, str, int]]:
        """(name, reason, count) in the order of their first appearance, names together."""
        for name, counts in self._counts.items():
            for reason, n in counts.items():
                yield name, reason, n
