"""github.com as recorded: the adapter with answers in GitHub's own shapes, and a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import respx

from bot.adapters.github import GitHubForge
from bot.adapters.github.transport import Transport
from tests.contract.grounds import SimulatedClock

RECORDED = Path(__file__).parent / "recorded"
API = "https://api.github.test"
ROOT = f"{API}/repos/acme/shop"
TOKEN = "ghp_secret"  # no secret


def recorded(name: str, **changes: Any) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text("utf-8")) | changes


ERRORS: dict[str, Any] = recorded("errors")


def answer(name: str) -> httpx.Response:
    """One of errors.json."""
    error = ERRORS[name]
    if isinstance(error["body"], str):
        return httpx.Response(error["status"], headers=error["headers"], text=error["body"])
    return httpx.Response(error["status"], headers=error["headers"], json=error["body"])


@dataclass
class GitHub:
    """github.com as recorded: whatever a story does not tell it to answer is an error, and nothing leaves this machine."""

    forge: GitHubForge
    transport: Transport
    clock: SimulatedClock
    router: respx.MockRouter

    def says(self, method: str, path: str, *answers: httpx.Response | Exception) -> respx.Route:
        return self.router.route(method=method, url__regex=rf"{re.escape(ROOT + path)}(\?.*)?$").mock(side_effect=list(answers))

    def pages(self, path: str, *bodies: Any) -> respx.Route:
        """Lists with the Link headers that GitHub sends."""
        links = [f'<{API}/repositories/1/x?page={n + 1}>; rel="next"' for n in range(1, len(bodies))]
        headers = [{"Link": f'{link}, <{API}/repositories/1/x?page={len(bodies)}>; rel="last"'} for link in links]
        answers = [httpx.Response(200, json=body, headers=head) for body, head in zip(bodies, [*headers, {}], strict=True)]
        return self.says("GET", path, *answers)


@asynccontextmanager
async def github(write_interval_s: float = 0.0) -> AsyncIterator[GitHub]:
    clock = SimulatedClock()
    transport = Transport(token=TOKEN, api_url=API, clock=clock, write_interval_s=write_interval_s)
    with respx.mock(assert_all_called=False) as router:
        async with transport:
            yield GitHub(GitHubForge(transport, "acme/shop"), transport, clock, router)


def play(story: Callable[[GitHub], Awaitable[None]], write_interval_s: float = 0.0) -> None:
    async def run() -> None:
        async with github(write_interval_s) as g:
            await story(g)

    asyncio.run(run())
