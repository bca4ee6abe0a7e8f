"""The HTTP application with small real parts behind it, spoken to in-process or over a real socket."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from bot.errors import Refused, Retry
from bot.model import Event, Phase
from bot.settings import Settings
from bot.web.app import build_app
from bot.web.feed import Feed
from bot.web.otlp_asgi import OtlpApp
from bot.web.otlp_protocol import protocol_for
from bot.web.parts import WebParts

NOW_S = 1_700_000_000.0
SECRET = "It's a Secret to Everybody"
FEED_KEY = "feed-key"


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    now_s: float = NOW_S

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class SpanLog:
    """A Sink that keeps the bodies it took. `GARBAGE` is refused, as a decoder would."""

    bodies: list[tuple[bytes, str]] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""
    full: bool = False
    at_once_bytes: int = 256 * 1024

    async def accept_in_turns(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        return self.accept(body, content_type)

    def accept(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        if body == b"GARBAGE":
            raise Refused("truncated message")
        if self.full:
            raise Retry("no room for more spans", after_s=7)
        self.bodies.append((body, content_type))
        return 1, self.rejected, self.reason


class World:
    def __init__(self, env: Mapping[str, str] | None = None, **parts: Any) -> None:
        base = {"SRE_REPOSITORY": "acme/market", "SRE_WEBHOOK_SECRET": SECRET, "SRE_FEED_KEY": FEED_KEY}
        self.settings = Settings.from_env({**base, **(env or {})})
        self.clock = HandClock()
        self.feed = parts.pop("feed", None) or Feed()
        self.spans = SpanLog()
        self.wakes: list[str] = []
        self.lifespans: list[str] = []
        self.state: dict[str, Any] = {"repository": "acme/market"}
        self.parts = WebParts(
            settings=self.settings,
            feed=self.feed,
            sinks={"/v1/traces": self.spans},
            wake=self.wakes.append,
            snapshot=lambda: self.state,
            clock=self.clock,
            lifespan=self._lifespan,
            started_s=NOW_S - 5,
            **parts,
        )
        self.app = build_app(self.parts)

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        self.lifespans.append("up")
        yield
        self.lifespans.append("down")

    def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str | bytes] | None = None,
        client: tuple[str, int] = ("127.0.0.1", 50_000),
        host: str = "127.0.0.1:8001",
    ) -> httpx.Response:
        async def story() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=client, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as http:
                given = {"Host": host, **(headers or {})}
                raw = [(name.encode(), value if isinstance(value, bytes) else value.encode("ascii")) for name, value in given.items()]
                return await http.request(method, path, content=content, headers=raw)

        return asyncio.run(story())


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The application on a free loopback port, in a thread; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    http = protocol_for(app.front) if isinstance(app, OtlpApp) else "auto"
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


def thought(text: str, at_s: float = NOW_S, **fields: Any) -> Event:
    return Event(at_s=at_s, agent=fields.pop("agent", "scout"), phase=Phase.OBSERVE, incident="12", text=text, **fields)
