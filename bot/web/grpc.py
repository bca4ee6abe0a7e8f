"""OTLP/gRPC, the extra `sre-space[grpc]`: the Export methods of traces, metrics and logs, to the same sinks and within the same limits.

https://opentelemetry.io/docs/specs/otlp/#otlpgrpc. Messages are taken as bytes and read by the sinks: no generated stubs. Loaded only when
SRE_GRPC_PORT is set. In clear, as the HTTP port: where it crosses a network, a proxy in front of it ends TLS.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse

from bot.errors import Refused, Retry
from bot.setting_values import is_loopback
from bot.web.answers import Declined
from bot.web.body import inflate
from bot.web.ingest import BUSY_RETRY_S, MAX_BODY_BYTES, MAX_INFLATED_BYTES, PROTOBUF
from bot.web.parts import Sink, WebParts

SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "/v1/traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "/v1/metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "/v1/logs",
}
CONCURRENT: Final = 16  # each holds a message of at most MAX_BODY_BYTES; who comes beyond them is asked to come again
BACKSTOP: Final = 8 * CONCURRENT  # grpcio refuses what comes beyond this by itself, and does not say when to come again
GZIP: Final = b"\x1f\x8b"  # no protobuf message begins so: it would be a field of a wire type that does not exist
IDENTITY_AND_GZIP: Final = 0b101  # grpc_compression_algorithm: bit 0 identity, 1 deflate, 2 gzip
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.per_message_decompression", 0),  # ours knows its limit before it inflates, whatever the version of grpcio
    ("grpc.compression_enabled_algorithms_bitset", IDENTITY_AND_GZIP),
    ("grpc.so_reuseport", 0),  # a port that is taken is an error
)
STATUS: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,  # without RetryInfo: the same message is not sent again
}

Context = Any  # grpc.aio.ServicerContext: grpcio has no types
Export = Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]


@dataclass(slots=True)
class Room:
    """Calls that are inside, of all signals together."""

    taken: int = 0


@asynccontextmanager
async def serving_grpc(parts: WebParts, host: str, port: int, grace_s: float = 1.0) -> AsyncIterator[int]:
    """The server, as long as the context lasts; yields its port (`port` 0: any free one). Raises Refused when it cannot be had."""
    server = aio.server(options=OPTIONS, maximum_concurrent_rpcs=BACKSTOP)
    room = Room()
    server.add_generic_rpc_handlers([_service(name, path, parts, room) for name, path in SERVICES.items() if path in parts.sinks])
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as problem:
        raise Refused(f"gRPC cannot listen on {host}:{port}: {problem}; set SRE_GRPC_PORT to a free port") from problem
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(grace_s)


def _service(name: str, path: str, parts: WebParts, room: Room) -> object:
    """As a stream of requests, which is the same on the wire: so a call is asked to come again before its message is read."""
    export = _export(path, parts.sinks[path], parts, room)
    return grpc.method_handlers_generic_handler(name, {"Export": grpc.stream_unary_rpc_method_handler(export)})


def _export(path: str, sink: Sink, parts: WebParts, room: Room) -> Export:
    token = parts.settings.ingest_token.encode()

    async def fail(context: Context, code: grpc.StatusCode, message: str, retry: Retry | None = None) -> NoReturn:
        parts.counters.add("requests_refused", f"grpc {path} {code.name}")
        await context.abort(code, message, _retry_details(code, message, retry) if retry else ())
        raise AssertionError("abort raises")

    async def export(messages: AsyncIterator[bytes], context: Context) -> bytes:
        if room.taken >= CONCURRENT:
            busy = Retry("too much is arriving at the same time: send it again later", after_s=BUSY_RETRY_S)
            await fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(busy), busy)
        room.taken += 1
        try:
            return await take(messages, context)
        finally:
            room.taken -= 1

    async def take(messages: AsyncIterator[bytes], context: Context) -> bytes:
        try:
            _authorize(token, context)
            message = await anext(messages, None)
            if message is None:  # grpcio ends such a call itself, with the same status; here it is counted
                raise Declined(413, f"the message is larger than max {MAX_BODY_BYTES} bytes, or did not arrive", "send less at once")
            body = inflate(message, MAX_INFLATED_BYTES) if message.startswith(GZIP) else message
            _, rejected, reason = await sink.accept_in_turns(body, PROTOBUF)
        except Declined as declined:
            await fail(context, STATUS[declined.status], f"{declined.error}: {declined.do}")
        except Refused as refused:
            await fail(context, grpc.StatusCode.INVALID_ARGUMENT, str(refused))
        except Retry as retry:
            await fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(retry), retry)
        return _response(rejected, reason)

    return export


def _authorize(token: bytes, context: Context) -> None:
    """As bot/web/ingest.py: with a token exactly it, else only this machine."""
    given = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    if not token:
        if is_near(context.peer()) and "forwarded" not in given and "x-forwarded-for" not in given:
            return
        raise Declined(401, "telemetry is only taken from this machine", "set SRE_INGEST_TOKEN here and send it as a bearer token")
    scheme, _, credentials = given.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(credentials.strip().encode(), token):
        raise Declined(401, "the bearer token is missing or wrong", "send the metadata authorization: Bearer <SRE_INGEST_TOKEN>")


def is_near(peer: str) -> bool:
    """Whether a peer as gRPC writes it (`ipv4:127.0.0.1:50000`, `ipv6:[::1]:50000`, escaped) is this machine."""
    family, _, address = peer.partition(":")
    host = address.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")
    return family in ("ipv4", "ipv6") and is_loopback(host)


def _response(rejected: int, reason: str) -> bytes:
    """The partial success has the same fields in the response of each signal."""
    if not rejected and not reason:
        return b""
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=reason)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def _retry_details(code: grpc.StatusCode, message: str, retry: Retry) -> tuple[tuple[str, bytes], ...]:
    """What makes RESOURCE_EXHAUSTED worth another try: google.rpc.RetryInfo among the status' details, and alone for OpenTelemetry's
    Python exporter, which looks for it there."""
    info = RetryInfo(retry_delay=Duration(seconds=max(1, math.ceil(retry.after_s))))
    packed = AnyMessage()
    packed.Pack(info)
    status = Status(code=code.value[0], message=message, details=[packed])
    return ("grpc-status-details-bin", status.SerializeToString()), ("google.rpc.retryinfo-bin", info.SerializeToString())
