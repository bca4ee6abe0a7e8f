"""ASGI middleware that gives every request one SERVER span, following OpenTelemetry's HTTP semantic conventions."""

from __future__ import annotations

from collections.abc import Collection

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from userplane.common.disconnect import ClientDisconnected

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
CLIENT_CLOSED_REQUEST = 499  # nginx's code for a client that did not wait


class ServerSpans:
    """Traces `app`, except paths in `untraced`. With `trust_parent` False a caller's trace context is not continued (the public edge)."""

    def __init__(self, app: ASGIApp, tracer: Tracer, *, trust_parent: bool, untraced: Collection[str] = ("/healthz",)) -> None:
        self._app = app
        self._tracer = tracer
        self._trust_parent = trust_parent
        self._untraced = frozenset(untraced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._untraced:
            await self._untraced_call(scope, receive, send)
            return
        status: int | None = None

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            _method(scope),
            context=self._parent(scope),
            kind=SpanKind.SERVER,
            attributes=_request_attributes(scope),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._app(scope, receive, note_status)
            except ClientDisconnected:
                status = CLIENT_CLOSED_REQUEST
                span.set_attribute("error.type", "client disconnected")
            except Exception as error:
                status = 500
                span.record_exception(error)
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR, str(error)))
                raise
            finally:
                _conclude(span, scope, status)

    async def _untraced_call(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnected:
            return

    def _parent(self, scope: Scope) -> Context:
        if not self._trust_parent:
            return Context()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return TraceContextTextMapPropagator().extract(headers, context=Context())


def _conclude(span: Span, scope: Scope, status: int | None) -> None:
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.update_name(f"{_method(scope)} {route}")
        span.set_attribute("http.route", route)
    if status is None:  # stopped while it ran: the process is going away
        span.set_attribute("error.type", "cancelled")
        return
    span.set_attribute("http.response.status_code", status)
    if status >= 500 and "error.type" not in (getattr(span, "attributes", None) or {}):
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "HTTP"


def _request_attributes(scope: Scope) -> dict[str, str | int]:
    method = scope["method"]
    attributes: dict[str, str | int] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": scope["scheme"],
        "url.path": scope["path"],
        "network.protocol.version": scope["http_version"],
    }
    if scope.get("server"):
        attributes["server.address"] = scope["server"][0]
        if scope["server"][1]:
            attributes["server.port"] = scope["server"][1]
    return attributes
