"""OTLP inside uvicorn's connection: a plain export request is answered as soon as its last byte is there, without an ASGI task.

For bodies of a hundred spans, parsing headers and starting an ASGI application cost more than reading the spans does. Only what is plain
is taken: a small POST of a known form whose answer can be given at once. All else is handed to uvicorn byte for byte, as if this were
not here, and reaches the same `Front` through bot/web/otlp_asgi.py: refusals, large, slow and chunked bodies, HTTP/1.0, requests that
are pipelined behind an unfinished one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bot.web.answers import Declined
from bot.web.body import READ_TIMEOUT_S
from bot.web.ingest import SIGNALS, Admitted, Answer, Front
from bot.web.otlp_head import Head, parse_head

SMALL_BODY_BYTES: Final = 256 * 1024  # as sent; of larger ones the work lies in the spans, not in the request
HEADS: Final = 3  # remembered of one connection: an exporter of each signal
MAX_KEPT_BYTES: Final = 64 * 1024  # of one head or trailer
_HEAD_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_POST: Final = b"POST /v1/"
_PATHS: Final = {path.encode(): path for path in SIGNALS}


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
        read_timeout_s: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._front = front
        self._read_timeout_s = read_timeout_s
        self._known: list[tuple[Head, Admitted]] = []  # heads that were admitted on this connection, the latest first
        self._between = True  # uvicorn's parser is at the end of a request
        self._waiting: list[bytes] = []  # the beginning of a plain request whose body is arriving
        self._reserved_bytes = 0  # of the front's room for bodies
        self._missing_bytes = 0
        self._kept_bytes = 0  # that uvicorn's parser was given since it last handed something on
        self._due_s = 0.0  # when, by the loop's time, nothing more is expected
        self._last: tuple[object, Answer, bytes] | None = None  # an answer as it is sent; exporters get the same one again and again

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._give_up_in(self._read_timeout_s)

    def data_received(self, data: bytes) -> None:
        if self._waiting:
            self._waiting.append(data)
            self._missing_bytes -= len(data)
            if self._missing_bytes > 0:
                return
            data = self._waited()
        while data and (rest := self._take(data)) is not None:
            data = rest
        if data and not self._waiting:
            self._hand_over(data)

    def _hand_over(self, data: bytes) -> None:
        """To uvicorn, which has no bound on a head or a trailer, nor on how long it takes to come."""
        begun_s = None if self._between else self._due_s
        self._kept_bytes += len(data)
        super().data_received(data)
        if self._kept_bytes > MAX_KEPT_BYTES and not self.transport.is_closing():
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()
        elif self.timeout_keep_alive_task is None and self._is_idle() and not self.transport.is_closing():
            self._give_up_in(self._read_timeout_s if begun_s is None else max(0.0, begun_s - self.loop.time()))

    def _take(self, data: bytes) -> bytes | None:
        """What comes behind the plain request that `data` begins with; None when it does not, or has not arrived whole."""
        if not self._is_free() or (found := self._head(data)) is None:
            return None
        admitted, begin, length = found
        end = begin + length
        if end > len(data):
            self._wait(data, end)
            return None
        answer = self._front.at_once(admitted, data[begin:end])
        if answer is None:
            return None
        self.transport.write(self._encoded(answer))
        self.server_state.total_requests += 1
        if answer.close:
            self.transport.close()
            return b""
        self._give_up_in(self.timeout_keep_alive)
        return data[end:]

    def _is_idle(self) -> bool:
        """Whether uvicorn owes no answer."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr] # None before the first request

    def _is_free(self) -> bool:
        """Whether an answer given now is the one that the sender expects next, and there is room for it."""
        owed = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr] # as in _is_idle
        if owed or not self._between or self.flow.write_paused or self.transport.is_closing():
            return False
        return self.limit_concurrency is None or len(self.connections) < self.limit_concurrency

    def _head(self, data: bytes) -> tuple[Admitted, int, int] | None:
        """(what was admitted, where its body begins, the body's length) of a plain and small request."""
        for head, admitted in self._known:
            if (at := head.match(data)) is not None:
                return (admitted, *at) if at[1] <= SMALL_BODY_BYTES else None
        return self._new_head(data)

    def _new_head(self, data: bytes) -> tuple[Admitted, int, int] | None:
        if not data.startswith(_POST) or (head := parse_head(data)) is None or head.path not in _PATHS:
            return None
        try:
            admitted = self._front.admit(_PATHS[head.path], dict(head.headers), self.client[0] if self.client else None)
        except Declined:
            return None  # told and counted on the long way
        self._known = [(head, admitted), *self._known[: HEADS - 1]]
        return self._head(data)

    def _encoded(self, answer: Answer) -> bytes:
        defaults = self.server_state.default_headers  # a new list each second, with the date
        if self._last is None or self._last[0] is not defaults or self._last[1] is not answer:
            self._last = (defaults, answer, encoded(answer, defaults))
        return self._last[2]

    def _wait(self, data: bytes, size_bytes: int) -> None:
        if self._front.reserve(size_bytes):
            self._waiting, self._reserved_bytes, self._missing_bytes = [data], size_bytes, size_bytes - len(data)
            self._give_up_in(self.timeout_keep_alive)

    def _waited(self) -> bytes:
        """What has arrived; from now on nothing is waited for here."""
        data = b"".join(self._waiting)
        self._front.release(self._reserved_bytes)
        self._waiting, self._reserved_bytes = [], 0
        return data

    def _give_up_in(self, seconds: float) -> None:
        """One timer for many requests: when it ends it looks whether something has come since it was set."""
        self._due_s = self.loop.time() + seconds
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        left_s = self._due_s - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.timeout_keep_alive_handler)
        elif self._waiting:
            self._hand_over(self._waited())  # a slow body: waited for, and answered, on the long way
        else:
            super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._kept_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._kept_bytes = 0
        super().on_message_complete()
        self._between = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._due_s = self.loop.time() + self.timeout_keep_alive

    def shutdown(self) -> None:
        if self._waiting:
            self._hand_over(self._waited())  # which then is one of the requests that uvicorn lets end
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waited()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)


def protocol_for(front: Front, read_timeout_s: float = READ_TIMEOUT_S) -> type[asyncio.Protocol]:
    """What uvicorn's `http` setting takes. `read_timeout_s`: how long the head of a request may take to come."""
    return partial(OtlpProtocol, front=front, read_timeout_s=read_timeout_s)  # type: ignore[return-value] # uvicorn only calls it


def encoded(answer: Answer, defaults: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer as it is sent. `defaults`: the server's own headers."""
    lines = [b"HTTP/1.1 %d %s" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
    lines += [b"%s: %s" % header for header in (*defaults, *answer.headers)]
    lines.append(b"content-length: %d\r\n\r\n" % len(answer.body))
    return b"\r\n".join(lines) + answer.body
