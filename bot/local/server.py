"""An ASGI application on a loopback port inside this process, without taking over the process's signals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from bot.local.ports import HOST


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C belongs to the command, which stops everything in order


class LoopbackServer:
    """`await start()`, then `url`; `await stop()` closes it. `port` 0 or a taken one: any free port."""

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        self._socket = bind(port)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the server ended before it began")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


def bind(port: int) -> socket.socket:
    """A socket that listens on `port`, or on any free one when that is taken. Until it listens, somebody else could bind it as well."""
    for wanted in (port, 0):
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on: 40 ms a call
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, wanted))
            server.listen()
        except OSError:
            server.close()
            if wanted == 0:
                raise
        else:
            return server
    raise AssertionError("unreachable")
