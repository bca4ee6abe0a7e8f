"""`GET /feed`: the thoughts as server-sent events, resumable by id, with a heartbeat; readers that do not read are dropped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.codec import to_json
from bot.model import Event
from bot.web.answers import Declined, Endpoint
from bot.web.feed import Backlog, Feed
from bot.web.parts import WebParts

_MAX_ID = 2**53  # the largest that JavaScript tells apart
CHUNK_CHARACTERS = 64 * 1024


def feed_endpoint(parts: WebParts) -> Endpoint:
    async def feed(request: Request) -> Response:
        after = _after(request)
        if parts.feed.followers >= parts.max_followers:
            raise Declined(503, "too many readers follow the feed already", "try again later", {"Retry-After": "30"})
        return FeedResponse(parts.feed, after, heartbeat_s=parts.heartbeat_s, write_timeout_s=parts.write_timeout_s)

    return feed


def _after(request: Request) -> int:
    """Last-Event-ID (what a browser sends when it reconnects) before `?after=`; 0 without either."""
    text = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) < _MAX_ID):
        raise Declined(400, "Last-Event-ID or after is not an id of this feed", "leave it out to read from the oldest event kept")
    return int(text)


def event_json(event: Event) -> dict[str, object]:
    """An event as the page reads it: every field, `data` as an object."""
    return {**to_json(event), "data": dict(event.data)}


def frame(event: Event) -> str:
    return f"id: {event.id}\nevent: thought\ndata: {json.dumps(event_json(event), ensure_ascii=False, allow_nan=False)}\n\n"


def gap_frame(after: int, backlog: Backlog) -> str:
    oldest = backlog.events[0].id if backlog.events else None
    return f"event: gap\ndata: {json.dumps({'after': after, 'oldest': oldest})}\n\n"


def chunks(texts: Sequence[str], limit: int = CHUNK_CHARACTERS) -> Iterator[str]:
    """Texts joined up to about `limit` characters: what a reader that stopped reading can make us hold."""
    pending: list[str] = []
    size = 0
    for text in texts:
        pending.append(text)
        size += len(text)
        if size >= limit:
            yield "".join(pending)
            pending, size = [], 0
    if pending:
        yield "".join(pending)


class FeedResponse(Response):
    """Streams until the reader leaves, the feed closes, or a write takes longer than `write_timeout_s`."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, after: int, *, heartbeat_s: float, write_timeout_s: float) -> None:
        super().__init__(headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._after = after
        self._heartbeat_s = heartbeat_s
        self._write_timeout_s = write_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        leaving = asyncio.create_task(_left(receive))
        streaming = asyncio.create_task(self._stream(send))
        try:
            done, _ = await asyncio.wait({leaving, streaming}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (leaving, streaming):
                task.cancel()
            await asyncio.gather(leaving, streaming, return_exceptions=True)

    async def _stream(self, send: Send) -> None:
        position = self._after
        with self._feed.follow() as news:
            alive = await self._write(send, "retry: 1000\n\n")
            while alive and not self._feed.closed:
                news.clear()
                backlog = self._feed.since(position)
                texts = [frame(event) for event in backlog.events]
                if backlog.gap:
                    texts.insert(0, gap_frame(position, backlog))
                    position = 0
                if backlog.events:
                    position = backlog.events[-1].id
                for text in chunks(texts):
                    alive = alive and await self._write(send, text)
                if alive and not await self._heard(news):
                    alive = await self._write(send, ": still here\n\n")
        if alive:
            await send({"type": "http.response.body", "body": b""})

    async def _heard(self, news: asyncio.Event) -> bool:
        """Whether there was news before proxies might think us dead."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await news.wait()
        except TimeoutError:
            return False
        return True

    async def _write(self, send: Send, text: str) -> bool:
        """Whether the reader took it in time."""
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})
        except TimeoutError:
            return False
        return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
