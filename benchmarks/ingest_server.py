"""`python -m benchmarks.ingest_server PORT`: the HTTP application of `serve` with its Scout and Scout's pace, without GitHub behind it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from bot.commands.serve import ControlPlane, server_config, web_parts
from bot.policy.load import load_directory
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    env = {"SRE_GITHUB_TOKEN": "unused", "SRE_REPOSITORY": "nobody/nothing", "SRE_WEBHOOK_SECRET": "unused", "PORT": sys.argv[1]}
    settings = Settings.from_env(env)
    plane = ControlPlane(settings, load_directory(ROOT / "policies"))

    @asynccontextmanager
    async def watching() -> AsyncIterator[None]:
        async def look() -> None:
            while True:
                plane.scout.signals(plane.clock.now())
                await asyncio.sleep(settings.tick_s)

        gc.freeze()  # as `serve` does when all is loaded
        looking = asyncio.create_task(look())
        yield
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    uvicorn.Server(server_config(web_parts(plane, watching))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
