"""Simulated time, and how coroutines run without an event loop: every call to GitHub is a place where somebody else may go first."""

from __future__ import annotations

import types
from collections.abc import Generator

START_S = 1_800_000_000.0


class SimClock:
    """Satisfies `bot.ports.Clock`: sleeping is free and immediate."""

    def __init__(self) -> None:
        self.now_s = START_S

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await pause()


@types.coroutine
def pause() -> Generator[None, None, None]:
    """Gives the scheduler a chance to run somebody else."""
    yield
