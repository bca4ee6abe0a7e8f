"""The latest effects around one service, in slots of time.

Calls that one pause holds up end together: a slot counts once, however many calls it held. An incident slows (nearly) all slots,
noise slows some: the lower quartile over the slots tells them apart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SLOT_S = 2.0
WINDOW_S = 15.0  # judged together …
MIN_SLOTS = 3  # … or, where calls are rare, the last so many
MAX_AGE_S = 60.0
LEAST_SLOTS = 2  # one slot alone is an accident
QUARTILE = 0.25
SHRINK_SLOTS = 2.0  # few slots prove less: n / (n + 2) of the effect
MAX_EFFECTS = 64  # kept of one slot


@dataclass(slots=True)
class Slot:
    number: int
    effects: list[tuple[str, float]] = field(default_factory=list)

    def middle(self) -> float:
        ordered = sorted(effect for _, effect in self.effects)
        return ordered[(len(ordered) - 1) // 2]


class Recent:
    """Effects with the peer they were seen with."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()

    def add(self, at_s: float, peer: str, effect: float) -> None:
        number = int(at_s / SLOT_S)
        if not self._slots or self._slots[-1].number < number:
            self._slots.append(Slot(number))
        if len(self._slots[-1].effects) < MAX_EFFECTS:
            self._slots[-1].effects.append((peer, effect))

    def expire(self, now_s: float) -> bool:
        """Forgets what is too old; whether anything is left."""
        while self._slots and (self._slots[0].number + 1) * SLOT_S < now_s - MAX_AGE_S:
            self._slots.popleft()
        return bool(self._slots)

    def fresh(self, since_s: float) -> bool:
        return bool(self._slots) and (self._slots[-1].number + 1) * SLOT_S > since_s

    def score(self, now_s: float) -> float:
        """The effect that three quarters of the latest slots reach, shrunk when they are few; 0 below LEAST_SLOTS."""
        slots = self._judged(now_s)
        if len(slots) < LEAST_SLOTS:
            return 0.0
        middles = sorted(slot.middle() for slot in slots)
        reached = middles[int(QUARTILE * len(middles))]
        return reached * len(middles) / (len(middles) + SHRINK_SLOTS)

    def loud_peers(self, now_s: float, effect: float) -> frozenset[str]:
        """Peers whose own median effect in the judged slots is at least `effect`."""
        by_peer: dict[str, list[float]] = {}
        for slot in self._judged(now_s):
            for peer, seen in slot.effects:
                by_peer.setdefault(peer, []).append(seen)
        return frozenset(peer for peer, seen in by_peer.items() if sorted(seen)[len(seen) // 2] >= effect)

    def _judged(self, now_s: float) -> list[Slot]:
        recent = [slot for slot in self._slots if (slot.number + 1) * SLOT_S > now_s - WINDOW_S]
        return recent if len(recent) >= MIN_SLOTS else list(self._slots)[-MIN_SLOTS:]
