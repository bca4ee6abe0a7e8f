"""ASGI middleware that cancels a request's work when its client hangs up, so that nobody works for a customer who has left."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024


class ClientDisconnected(Exception):
    """The client hung up before the answer was complete."""


class BodyTooLarge(Exception):
    """The request's body is larger than we read."""


class CancelOnDisconnect:
    """Reads the whole body (at most `max_body_bytes`, else 413), then runs `app` and watches the connection meanwhile.

    Raises ClientDisconnected when the client left; `app` has then been cancelled and has ended.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _read_body(receive, self._max_body_bytes)
        except BodyTooLarge:
            await PlainTextResponse("The request is too large.\n", status_code=413)(scope, receive, send)
            return
        await self._run(scope, body, receive, send)

    async def _run(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        answered = asyncio.Event()
        gone = asyncio.Event()
        handed_over = False

        async def replay() -> Message:
            nonlocal handed_over
            if not handed_over:
                handed_over = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def note_end(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                answered.set()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        working = asyncio.ensure_future(self._app(scope, replay, note_end))
        watching = asyncio.ensure_future(watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if gone.is_set() and not working.done() and not answered.is_set():
                raise ClientDisconnected
            await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)


async def _read_body(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
