"""The bus inside one process: bounded topics, no acknowledgement. Losing a message costs time, never correctness."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

MESSAGES_A_TOPIC = 1_000  # past it the oldest goes: whoever reads wants to know what is, not what was


class MemoryBus:
    """Satisfies `bot.ports.Bus`. Each topic has one reader or none; what nobody reads is forgotten in time."""

    def __init__(self, limit: int = MESSAGES_A_TOPIC) -> None:
        self._waiting: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=limit))
        self._arrived: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def publish(self, topic: str, message: str) -> None:
        self._waiting[topic].append(message)
        self._arrived[topic].set()

    async def receive(self, topic: str, timeout_s: float) -> tuple[str, ...]:
        """Everything that waits; after `timeout_s` without anything, nothing."""
        try:
            await asyncio.wait_for(self._arrived[topic].wait(), timeout_s)
        except TimeoutError:
            return ()
        self._arrived[topic].clear()
        found = tuple(self._waiting[topic])
        self._waiting[topic].clear()
        return found
