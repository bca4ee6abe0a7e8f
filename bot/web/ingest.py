"""OTLP/HTTP for all signals: who may send, what is taken, how it is answered; free of any HTTP server.

OpenTelemetry Protocol specification 1.x, section OTLP/HTTP. One `Front` serves both bot/web/otlp_protocol.py (plain requests, at once)
and bot/web/otlp_asgi.py (all others).
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.errors import Refused, Retry
from bot.setting_values import is_loopback
from bot.web.answers import SECURITY_HEADERS, Declined
from bot.web.body import TOO_LARGE, inflate, inflated_bytes
from bot.web.guard import crossing, host_is_allowed
from bot.web.parts import GzipSink, Taken, WebParts

_LOGGER = logging.getLogger(__name__)

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_INFLATED_BYTES: Final = 32 * 1024 * 1024
MAX_HELD_BYTES: Final = 32 * 1024 * 1024  # of all bodies that are arriving at the same time
BUSY_RETRY_S: Final = 2

Headers = Iterable[tuple[bytes, bytes]]  # names in lower case


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """How OTLP names things for one signal."""

    request: str
    rejected: str  # the partial success's count in JSON; in protobuf it is field 1 for every signal
    instead: str  # what to do where the signal is not taken


SIGNALS: Final[Mapping[str, SignalSpec]] = {
    "/v1/traces": SignalSpec("ExportTraceServiceRequest", "rejectedSpans", "set OTEL_TRACES_EXPORTER=none"),
    "/v1/metrics": SignalSpec("ExportMetricsServiceRequest", "rejectedDataPoints", "set OTEL_METRICS_EXPORTER=none"),
    "/v1/logs": SignalSpec("ExportLogsServiceRequest", "rejectedLogRecords", "set OTEL_LOGS_EXPORTER=none"),
}


_CLOSE: Final = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `headers` without Content-Length."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def close(self) -> bool:
        """Whether the connection must not be used again."""
        return _CLOSE in self.headers


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the headers of an acceptable request say of its body."""

    path: str
    content_type: str
    gzip: bool


@dataclass(slots=True)
class Delivery:
    """An admitted request whose body is arriving."""

    admitted: Admitted
    body: bytearray = field(default_factory=bytearray)


class Front:
    """Checks headers (`open`), collects the body within limits (`feed`), hands it to its sink (`finish`). Every way ends in an Answer.

    A delivery that is given up half-way has to be told by `abandon`, for the bound on all bodies together. Whoever collects a body
    elsewhere asks `admit`, takes room for it by `reserve`, and calls `at_once`.
    """

    def __init__(self, parts: WebParts) -> None:
        self._token = parts.settings.ingest_token.encode()
        self._allowed_hosts = parts.settings.allowed_hosts
        self._sinks = parts.sinks
        self._gzip_sinks = {path: sink for path, sink in parts.sinks.items() if isinstance(sink, GzipSink)}
        self._counters = parts.counters
        self._held_bytes = 0

    def open(self, path: str, headers: Headers, client_host: str | None) -> Delivery | Answer:
        """`path` must be one of SIGNALS."""
        given = dict(headers)
        try:
            return Delivery(self.admit(path, given, client_host))
        except Declined as declined:
            return self._failure(Admitted(path, _content_type(given), False), declined)

    def admit(self, path: str, given: Mapping[bytes, bytes], client_host: str | None) -> Admitted:
        """Raises Declined; counts nothing. Depends on nothing but what is given, and of Content-Length only on whether it is too large."""
        self._guard(given)
        if path not in self._sinks:
            raise Declined(404, f"nothing is taken at {path}", f"{SIGNALS[path].instead}; taken is: {', '.join(sorted(self._sinks))}")
        self._authorize(given, client_host)
        content_type = _content_type(given)
        if content_type not in (PROTOBUF, JSON):
            raise Declined(415, "this content type is not OTLP/HTTP", f"send {PROTOBUF} or {JSON}")
        encoding = given.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b"gzip"):
            raise Declined(415, "this content encoding is not understood", "send gzip or no content encoding")
        announced = given.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            raise _too_large()
        return Admitted(path, content_type, encoding == b"gzip")

    def _guard(self, given: Mapping[bytes, bytes]) -> None:
        """As bot/web/guard.py does for everything else; who knows the token may call this process by any name."""
        host = given.get(b"host", b"").decode("latin-1").lower()
        if not self._token and not host_is_allowed(host, self._allowed_hosts):
            raise Declined(421, "this process is not known by that name", "add the name to SRE_ALLOWED_HOSTS if it is yours")
        origin = given[b"origin"].decode("latin-1") if b"origin" in given else None
        if crossing(given.get(b"sec-fetch-site", b"none").decode("latin-1"), origin, host):
            raise Declined(403, "a page of another origin may not send this", "send it from an exporter")

    def _authorize(self, given: Mapping[bytes, bytes], client_host: str | None) -> None:
        """With a token: exactly it. Without: only this machine, and nothing that a proxy on this machine hands on."""
        if not self._token:
            if client_host is not None and is_loopback(client_host) and b"forwarded" not in given and b"x-forwarded-for" not in given:
                return
            raise Declined(401, "telemetry is only taken from this machine", "set SRE_INGEST_TOKEN here and send it as a bearer token")
        scheme, _, credentials = given.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(credentials.strip(), self._token):
            raise Declined(
                401,
                "the bearer token is missing or wrong",
                "set OTEL_EXPORTER_OTLP_HEADERS to authorization=Bearer%20<SRE_INGEST_TOKEN>",
                {"WWW-Authenticate": "Bearer"},
            )

    def reserve(self, size_bytes: int) -> bool:
        """Takes room for a body that is collected elsewhere, until `release`; False when there is none."""
        if self._held_bytes + size_bytes > MAX_HELD_BYTES:
            return False
        self._held_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes

    def feed(self, delivery: Delivery, chunk: bytes) -> Answer | None:
        """Adds to the body. An Answer ends the request at once: nothing more of it needs to be read."""
        if len(delivery.body) + len(chunk) > MAX_BODY_BYTES:
            return self._end(delivery, _too_large())
        if not self.reserve(len(chunk)):
            busy = {"Retry-After": str(BUSY_RETRY_S), "Connection": "close"}
            return self._end(delivery, Declined(503, "too much is arriving at the same time", "send it again later", busy))
        delivery.body += chunk
        return None

    def late(self, delivery: Delivery) -> Answer:
        """The answer when the body does not arrive in time."""
        return self._end(delivery, Declined(408, "the body did not arrive in time", "send it again", {"Connection": "close"}))

    def abandon(self, delivery: Delivery) -> None:
        self.release(len(delivery.body))
        delivery.body = bytearray()

    def at_once(self, admitted: Admitted, body: bytes) -> Answer | None:
        """The answer to a whole request; None when it is more than its sink reads at once, and has to go by `finish`."""
        sink = self._sinks[admitted.path]
        limit = sink.at_once_bytes
        if not limit or len(body) > limit:
            return None
        try:
            taken = None
            if admitted.gzip:
                size_bytes = inflated_bytes(body)
                if size_bytes > limit:
                    return None
                if admitted.content_type == PROTOBUF and (inflating := self._gzip_sinks.get(admitted.path)) is not None:
                    taken = inflating.accept_gzip(body, size_bytes)
                if taken is None:
                    body = inflate(body, limit)
            return self._answer(admitted, sink.accept(body, admitted.content_type) if taken is None else taken)
        except (Declined, Refused, Retry) as problem:
            too_large = isinstance(problem, Declined) and problem.status == TOO_LARGE
            return None if too_large else self._failed(admitted, problem)
        except Exception:
            _LOGGER.exception("an OTLP request failed")
            return self._failure(admitted, _crashed())

    async def finish(self, delivery: Delivery) -> Answer:
        """The whole body has arrived. Others have their turn meanwhile."""
        admitted, held_bytes = delivery.admitted, len(delivery.body)
        body = bytes(delivery.body)
        delivery.body = bytearray()
        try:
            if admitted.gzip:
                body = inflate(body, MAX_INFLATED_BYTES)
            return self._answer(admitted, await self._sinks[admitted.path].accept_in_turns(body, admitted.content_type))
        except (Declined, Refused, Retry) as problem:
            return self._failed(admitted, problem)
        except Exception:
            _LOGGER.exception("an OTLP request failed")
            return self._failure(admitted, _crashed())
        finally:
            self.release(held_bytes)

    def _answer(self, admitted: Admitted, taken: Taken) -> Answer:
        _, rejected, reason = taken
        return _partial_success(admitted, rejected, reason) if rejected or reason else _SUCCESS[admitted.content_type]

    def _failed(self, admitted: Admitted, problem: Declined | Refused | Retry) -> Answer:
        match problem:
            case Declined():
                return self._failure(admitted, problem)
            case Refused():
                return self._failure(admitted, Declined(400, str(problem), f"send an {SIGNALS[admitted.path].request}"))
            case Retry():
                after = {"Retry-After": str(max(1, round(problem.after_s)))}
                return self._failure(admitted, Declined(503, str(problem), "send it again later", after))

    def _end(self, delivery: Delivery, declined: Declined) -> Answer:
        self.abandon(delivery)
        return self._failure(delivery.admitted, declined)

    def _failure(self, asked: Admitted, declined: Declined) -> Answer:
        """google.rpc.Status for those who speak protobuf, as OTLP wants it; else JSON (`message` is Status' field)."""
        self._counters.add("requests_refused", f"{asked.path} {declined.status}")
        content_type = PROTOBUF if asked.content_type == PROTOBUF else JSON
        if content_type == PROTOBUF:
            body = _bytes_field(2, f"{declined.error}: {declined.do}".encode())
        else:
            body = json.dumps({"error": declined.error, "do": declined.do, "message": declined.error}).encode()
        extra = tuple((name.lower().encode(), value.encode()) for name, value in declined.headers.items())
        return Answer(declined.status, (*_headers(content_type), *extra), body)


def _content_type(given: Mapping[bytes, bytes]) -> str:
    return given.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _crashed() -> Declined:
    """A bug of ours must not leave the exporter without an answer."""
    return Declined(500, "something failed inside", "look at this process's log", {"Connection": "close"})


def _too_large() -> Declined:
    return Declined(TOO_LARGE, f"the body is larger than {MAX_BODY_BYTES} bytes", "send less at once", {"Connection": "close"})


def _headers(content_type: str) -> tuple[tuple[bytes, bytes], ...]:
    always = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Content-Type": content_type}
    return tuple((name.lower().encode(), value.encode()) for name, value in always.items())


def _partial_success(admitted: Admitted, rejected: int, reason: str) -> Answer:
    """Export…ServiceResponse with a `partial_success`; without anything to say it is empty (_SUCCESS)."""
    if admitted.content_type == JSON:
        told = {"partialSuccess": {SIGNALS[admitted.path].rejected: str(rejected), "errorMessage": reason}}
        return Answer(200, _headers(JSON), json.dumps(told).encode())
    inner = (_varint_field(1, rejected) if rejected else b"") + (_bytes_field(2, reason.encode()) if reason else b"")
    return Answer(200, _headers(PROTOBUF), _bytes_field(1, inner))


_SUCCESS: Final = {PROTOBUF: Answer(200, _headers(PROTOBUF), b""), JSON: Answer(200, _headers(JSON), b"{}")}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value
