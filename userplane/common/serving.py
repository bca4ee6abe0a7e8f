"""Run one service's ASGI app on a bound socket until it is told to stop, and give it a quick, orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Collection, Iterator, Mapping

import uvicorn
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer
from starlette.types import ASGIApp

from userplane.common.disconnect import CancelOnDisconnect
from userplane.common.telemetry import flush
from userplane.common.tracing import ServerSpans

GRACE_S = 1
FLUSH_LIMIT_S = 0.5


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def listen_address(environ: Mapping[str, str]) -> tuple[str, int]:
    """HOST (default 127.0.0.1) and PORT (required). Raises ValueError when PORT is no port number."""
    port = environ.get("PORT", "")
    if not port.isdigit() or int(port) > 65535:
        raise ValueError(f"PORT: expected a port number from 0 to 65535, found {port!r}")
    return environ.get("HOST", "") or "127.0.0.1", int(port)


def observed(app: ASGIApp, tracer: Tracer, *, trust_parent: bool, untraced: Collection[str] = ("/healthz",)) -> ASGIApp:
    """`app` with one SERVER span a request, and with its work cancelled when the client leaves."""
    return ServerSpans(CancelOnDisconnect(app), tracer, trust_parent=trust_parent, untraced=untraced)


def run(app: ASGIApp, listener: socket.socket, provider: TracerProvider, lifeline: int | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of `lifeline`; then give requests GRACE_S, end all others, send the last spans.

    `lifeline` is the reading end of a pipe whose other end a parent process holds: when the parent is gone, so are we.
    """
    asyncio.run(_serve(app, listener, lifeline))
    flush(provider, FLUSH_LIMIT_S)


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: they would raise the signal again before the last spans are sent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(app: ASGIApp, listener: socket.socket, lifeline: int | None) -> None:
    config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=GRACE_S, ws="none")
    server = _Server(config)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if lifeline is not None:

        def parent_gone() -> None:
            if not os.read(lifeline, 1):
                loop.remove_reader(lifeline)
                stop()

        loop.add_reader(lifeline, parent_gone)
    await server.serve(sockets=[listener])
    unfinished = [task for task in server.server_state.tasks if not task.done()]
    if unfinished:  # cancelled by uvicorn; their spans end when they do
        await asyncio.wait(unfinished, timeout=0.2)
