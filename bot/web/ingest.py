"""OTLP/HTTP: `POST /v1/traces` in protobuf or JSON, plain or gzip, answered as the OTLP specification says."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.errors import Refused, Retry
from bot.setting_values import is_loopback
from bot.web.answers import Declined, problem
from bot.web.body import inflate, read_body
from bot.web.parts import WebParts

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_INFLATED_BYTES = 32 * 1024 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


def traces_endpoint(parts: WebParts) -> Endpoint:
    async def traces(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        try:
            return await _take(parts, request, content_type)
        except Declined as declined:
            return _failure(content_type, declined)

    return traces


async def not_taken(request: Request) -> Response:
    return problem(404, "only traces are taken", "send spans to /v1/traces; set OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none")


async def _take(parts: WebParts, request: Request, content_type: str) -> Response:
    _authorize(parts.settings.ingest_token, request)
    if content_type not in (PROTOBUF, JSON):
        raise Declined(415, "this content type is not OTLP/HTTP", f"send {PROTOBUF} or {JSON}")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Declined(415, "this content encoding is not understood", "send gzip or no content encoding")
    body = await read_body(request, MAX_BODY_BYTES)
    if encoding == "gzip":
        body = inflate(body, MAX_INFLATED_BYTES)
    try:
        _, rejected, reason = parts.spans.accept(body, content_type)
    except Refused as refused:
        raise Declined(400, str(refused), "send an ExportTraceServiceRequest") from refused
    except Retry as retry:
        raise Declined(503, str(retry), "send it again later", {"Retry-After": str(max(1, round(retry.after_s)))}) from retry
    return _success(content_type, rejected, reason)


def _authorize(token: str, request: Request) -> None:
    """With a token: exactly it. Without: only this machine, and nothing that a proxy on this machine hands on."""
    if not token:
        near = request.client is not None and is_loopback(request.client.host)
        if near and not any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
            return
        raise Declined(401, "telemetry is only taken from this machine", "set SRE_INGEST_TOKEN here and send it as a bearer token")
    given = request.headers.get("authorization", "")
    scheme, _, credentials = given.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(credentials.strip().encode("utf-8", "replace"), token.encode()):
        raise Declined(
            401,
            "the bearer token is missing or wrong",
            "set OTEL_EXPORTER_OTLP_HEADERS to authorization=Bearer%20<SRE_INGEST_TOKEN>",
            {"WWW-Authenticate": "Bearer"},
        )


def _success(content_type: str, rejected: int, reason: str) -> Response:
    """ExportTraceServiceResponse; `partial_success` stands in it only when there is something to say."""
    if content_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": reason}} if rejected or reason else {}
        return JSONResponse(partial)
    partial_success = (_varint_field(1, rejected) if rejected else b"") + (_bytes_field(2, reason.encode()) if reason else b"")
    return Response(_bytes_field(1, partial_success) if partial_success else b"", media_type=PROTOBUF)


def _failure(content_type: str, declined: Declined) -> Response:
    """google.rpc.Status for those who speak protobuf, as OTLP wants it; else JSON (`message` is Status' field)."""
    if content_type == PROTOBUF:
        message = f"{declined.error}: {declined.do}".encode()
        return Response(_bytes_field(2, message), declined.status, declined.headers, PROTOBUF)
    content = {"error": declined.error, "do": declined.do, "message": declined.error}
    return JSONResponse(content, declined.status, declined.headers)


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
