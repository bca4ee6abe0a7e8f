"""OTLP inside uvicorn's connection: a POST to the paths of SIGNALS is answered as soon as its last byte is parsed, without a task.

For bodies of a hundred spans, starting an ASGI application costs more than reading the spans does. Everything else, and a request that
is pipelined behind an unfinished one, goes uvicorn's own way.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bot.web.body import READ_TIMEOUT_S
from bot.web.ingest import SIGNALS, Answer, Delivery, Front

_LOGGER = logging.getLogger(__name__)
_PATHS = {path.encode(): path for path in SIGNALS}
_CRASHED = Answer(
    500, ((b"content-type", b"application/json"),), b'{"error": "something failed inside", "do": "look at the log"}', close=True
)


class OtlpProtocol(HttpToolsProtocol):
    """One connection. `uvicorn.Config(http=protocol_for(front))`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        front: Front,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._front = front
        self._otlp = False  # the request that is being parsed is ours
        self._delivery: Delivery | None = None  # its body, as long as there is something to expect
        self._timeout: asyncio.TimerHandle | None = None

    def on_headers_complete(self) -> None:
        path = _PATHS.get(self.url)
        self._otlp = path is not None and self.parser.get_method() == b"POST" and self._is_idle() and not self._is_crowded()
        if path is None or not self._otlp:
            super().on_headers_complete()
            return
        if self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        opened = self._front.open(path, self.headers, self.client[0] if self.client else None)
        if isinstance(opened, Delivery):
            self._delivery = opened
            self._timeout = self.loop.call_later(READ_TIMEOUT_S, self._late)
        else:
            self._answer(opened, early=True)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr] # None before the first request

    def _is_crowded(self) -> bool:
        return self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency

    def on_body(self, body: bytes) -> None:
        if not self._otlp:
            super().on_body(body)
        elif self._delivery is not None:
            ended = self._front.feed(self._delivery, body)
            if ended is not None:
                self._answer(ended, early=True)

    def on_message_complete(self) -> None:
        if not self._otlp:
            super().on_message_complete()
            return
        self._otlp = False
        if self._delivery is not None:
            try:
                answer = self._front.finish(self._delivery)
            except Exception:  # a bug of ours must not leave the exporter without an answer
                _LOGGER.exception("an OTLP request failed")
                answer = _CRASHED
            self._answer(answer)

    def _late(self) -> None:
        if self._delivery is not None:
            self._answer(self._front.late(self._delivery), early=True)

    def _answer(self, answer: Answer, *, early: bool = False) -> None:
        """`early`: the body has not been read to its end, and what comes next on this connection may be the rest of it."""
        self._delivery = None
        self._unset_timeout()
        if self.transport.is_closing():
            return
        close = answer.close or early or not self.parser.should_keep_alive()
        self.transport.write(_encoded(answer, close))
        self.server_state.total_requests += 1
        if close:
            self.transport.close()
        else:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _unset_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def shutdown(self) -> None:
        if self._delivery is None:
            super().shutdown()
        else:
            self.loop.call_later(0.1, self.shutdown)  # the server's own time-out for a graceful end still holds

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_timeout()
        if self._delivery is not None:
            self._front.abandon(self._delivery)
            self._delivery = None
        super().connection_lost(exc)


def protocol_for(front: Front) -> type[asyncio.Protocol]:
    """What uvicorn's `http` setting takes."""
    return partial(OtlpProtocol, front=front)  # type: ignore[return-value] # uvicorn only calls it


def _encoded(answer: Answer, close: bool) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
    lines += [b"%s: %s" % header for header in answer.headers if header[0] != b"connection"]
    if close:
        lines.append(b"connection: close")
    lines.append(b"content-length: %d\r\n\r\n" % len(answer.body))
    return b"\r\n".join(lines) + answer.body
