"""A service's one stable port: a TCP forwarder on loopback to whichever instance is live.

A connection stays with its instance, except that the next request on a kept-alive HTTP connection goes to the new
instance once the old one has answered; so a switch costs no client a failed request.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter

_CHUNK_BYTES = 65_536
_REQUEST_START = re.compile(rb"[A-Z]{3,12} [!-~]+ HTTP/1\.[01]\r\n")
_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 20\r\nConnection: close\r\n\r\nno instance is live\n"
)


class Forwarder:
    """Listens on 127.0.0.1 (`port`, chosen at `open()`), forwards to `switch()`'s port; 502 while there is none."""

    def __init__(self) -> None:
        self.port = 0
        self._target: int | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: Counter[int] = Counter()  # connections by instance port
        self._unused: dict[int, asyncio.Event] = {}

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def switch(self, port: int | None) -> None:
        """New requests go to this port of an instance from now on."""
        self._target = port

    async def drain(self, port: int, limit_s: float) -> None:
        """Waits until no connection uses the instance at `port` any more, at most `limit_s`."""
        if not self._open[port]:
            return
        unused = self._unused.setdefault(port, asyncio.Event())
        try:
            async with asyncio.timeout(limit_s):
                await unused.wait()
        except TimeoutError:
            pass  # the instance is told to stop, and answers or cuts what is left
        finally:
            del self._unused[port]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or we are closing: either way there is nobody left to tell
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(_CHUNK_BYTES)
        while data:
            port = self._target
            if port is None:
                writer.write(_BAD_GATEWAY)
                return
            self._open[port] += 1
            try:
                data = await self._relay(port, data, reader, writer)
            finally:
                self._leave(port)

    def _leave(self, port: int) -> None:
        self._open[port] -= 1
        if not self._open[port]:
            del self._open[port]
            if port in self._unused:
                self._unused[port].set()

    async def _relay(self, port: int, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """One connection to one instance. Returns the start of a request that belongs to a newer instance, else b''."""
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.write(_BAD_GATEWAY)
            return b""
        answered = False

        async def answers() -> None:
            nonlocal answered
            while chunk := await up_reader.read(_CHUNK_BYTES):
                answered = True
                writer.write(chunk)
                await writer.drain()

        async def requests() -> bytes:
            nonlocal answered
            while chunk := await reader.read(_CHUNK_BYTES):
                if answered and port != self._target and _REQUEST_START.match(chunk):
                    return chunk
                answered = False
                up_writer.write(chunk)
                await up_writer.drain()
            up_writer.write_eof()
            return b""

        up_writer.write(data)
        answering, requesting = asyncio.create_task(answers()), asyncio.create_task(requests())
        try:
            await asyncio.wait({answering, requesting}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() or (left := requesting.result()):
                return b"" if answering.done() else left
            await answering
            return b""
        finally:
            up_writer.close()
            for task in (answering, requesting):
                task.cancel()
            await asyncio.gather(answering, requesting, return_exceptions=True)
