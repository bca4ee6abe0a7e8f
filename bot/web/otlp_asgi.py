"""OTLP in front of the application's routes and middleware, for any ASGI server: whatever bot/web/otlp_protocol.py does not take itself."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.web.body import READ_TIMEOUT_S
from bot.web.ingest import SIGNALS, Answer, Delivery, Front


class OtlpApp:
    """POSTs to the paths of SIGNALS go to `front`, everything else to `app`. `read_timeout_s`: how long a body may take to come."""

    def __init__(self, app: ASGIApp, front: Front, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self._app = app
        self._read_timeout_s = read_timeout_s
        self.front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in SIGNALS:
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        opened = self.front.open(scope["path"], scope["headers"], client[0] if client else None)
        answer = await self._read(opened, receive) if isinstance(opened, Delivery) else opened
        if answer is not None:
            length = (b"content-length", str(len(answer.body)).encode())
            await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
            await send({"type": "http.response.body", "body": answer.body})

    async def _read(self, delivery: Delivery, receive: Receive) -> Answer | None:
        """None when the sender has gone."""
        try:
            async with asyncio.timeout(self._read_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        self.front.abandon(delivery)
                        return None
                    ended = self.front.feed(delivery, message.get("body", b""))
                    if ended is not None:
                        return ended
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            return self.front.late(delivery)
        except asyncio.CancelledError:
            self.front.abandon(delivery)
            raise
        return await self.front.finish(delivery)
