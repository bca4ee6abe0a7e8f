"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Unix seconds, and real sleeping."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
