"""A server on loopback behind a real front, and the raw bytes to send it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from bot.web.ingest import Front
from bot.web.otlp_asgi import OtlpApp
from bot.web.otlp_protocol import protocol_for
from tests.web.web_world import World

PATIENCE_S = 5.0


class Counting(OtlpApp):
    """The application, counting the requests that reach it. `GET /slow` waits until it is let go."""

    asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked += 1
            if scope["path"] == "/slow":
                await asyncio.sleep(0.1)
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
                await send({"type": "http.response.body", "body": b"slow"})
                return
        await super().__call__(scope, receive, send)


class Door:
    """A server on loopback with a real front; raw bytes in, raw bytes out."""

    def __init__(self, world: World, read_timeout_s: float = PATIENCE_S, **config: float) -> None:
        self.world = world
        self.front = Front(world.parts)
        self.app = Counting(world.app, self.front, read_timeout_s)
        self.listener = socket.create_server(("127.0.0.1", 0))
        protocol = protocol_for(self.front, read_timeout_s)
        self.server = uvicorn.Server(
            uvicorn.Config(self.app, http=protocol, log_level="critical", timeout_graceful_shutdown=2, **config)  # type: ignore[arg-type]
        )

    @contextmanager
    def open(self) -> Iterator[Door]:
        thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        thread.start()
        while not self.server.started and thread.is_alive():
            time.sleep(0.002)
        try:
            yield self
        finally:
            self.server.should_exit = True
            thread.join(5)
            self.listener.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), PATIENCE_S)

    def bodies(self) -> list[bytes]:
        return [body for body, _ in self.world.spans.bodies]


def export(body: bytes, *headers: str, path: str = "/v1/traces", version: str = "1.1") -> bytes:
    lines = (f"POST {path} HTTP/{version}", "Host: 127.0.0.1", "Content-Type: application/x-protobuf", *headers)
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


def answers(connection: socket.socket, count: int = 0) -> list[tuple[int, bytes]]:
    """(status, body) of the next `count` answers; with 0 of all until the server closes."""
    found: list[tuple[int, bytes]] = []
    data = b""
    while not count or len(found) < count:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        informational = head.startswith(b"HTTP/1.1 1")
        if end and (informational or (length and len(rest) >= int(length[1]))):
            size = 0 if informational or not length else int(length[1])
            found.append((int(head[9:12]), rest[:size]))
            data = rest[size:]
            continue
        try:
            more = connection.recv(65536)
        except ConnectionResetError:  # it closed without reading all that came
            more = b""
        if not more:
            assert not count, f"closed after {found}, with {data!r}"
            return found
        data += more
    assert not data
    return found


def ask(door: Door, data: bytes, count: int = 0) -> list[tuple[int, bytes]]:
    with door.connect() as connection:
        connection.sendall(data)
        if not count:
            connection.shutdown(socket.SHUT_WR)
        return answers(connection, count)


CHUNKED = (
    b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nspa\r\n2;x=y\r\nns\r\n0\r\nTrailer: x\r\n\r\n"
)
