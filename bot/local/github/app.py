"""The web application: tokens, rights, limits and ETags around the handlers, and the pages beside them. Loopback only."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.local.github.access import Right, actor_of, require
from bot.local.github.hub import Actor, Hub
from bot.local.github.rest import ApiError, Call, Reply, not_found
from bot.local.github.webhooks import Announcer

Handler = Callable[[Call], Reply] | Callable[[Call], Awaitable[Reply]]
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_BODY_LIMIT: Final = 40_000_000
RATE_LIMIT: Final = 5_000  # requests an hour and token, as GitHub's; conditional requests answered 304 do not count
_HOUR_S: Final = 3_600


@dataclass(frozen=True)
class Operation:
    """One route of the REST API. `path` is below the repository unless it begins with "!"."""

    method: str
    path: str
    handler: Handler
    right: Right


def operation(method: str, path: str, handler: Handler, level: str, *scopes: str) -> Operation:
    return Operation(method, path, handler, Right(scopes, level))


class RateMeter:
    """Counts requests for each token in windows of an hour."""

    def __init__(self, hub: Hub, limit: int) -> None:
        self._hub = hub
        self.limit = limit
        self._used: dict[tuple[str, int], int] = {}

    def headers(self, login: str, spent: int) -> dict[str, str]:
        window = int(self._hub.clock()) // _HOUR_S
        used = self._used.get((login, window), 0) + spent
        self._used = {key: count for key, count in self._used.items() if key[1] == window} | {(login, window): used}
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - used, 0)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str((window + 1) * _HOUR_S),
            "X-RateLimit-Resource": "core",
        }

    def exhausted(self, login: str) -> bool:
        return self._used.get((login, int(self._hub.clock()) // _HOUR_S), 0) >= self.limit


async def _body(request: Request) -> Any:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT:
            raise ApiError(413, "The request is too large.")
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "Problems parsing JSON") from error


def _endpoint(hub: Hub, announcer: Announcer, meter: RateMeter, wanted: Operation) -> Callable[[Request], Awaitable[Response]]:
    is_async = inspect.iscoroutinefunction(wanted.handler)

    async def answer(request: Request) -> Response:
        actor = Actor(None)
        try:
            actor = actor_of(hub, request.headers.get("authorization"))
            if meter.exhausted(actor.login):
                raise ApiError(403, f"API rate limit exceeded for {actor.login or 'anonymous requests'}.")
            _check_repository(hub, request)
            require(actor, wanted.right)
            call = Call(
                hub,
                actor,
                request.url.path,
                request.path_params,
                dict(request.query_params),
                await _body(request),
                request.headers.get("accept", ""),
            )
            reply = await _run(hub, wanted.handler, call, is_async)
        except ApiError as error:
            reply = Reply(error.body(), error.status)
        announcer.kick()
        return _response(request, reply, lambda spent: meter.headers(actor.login, spent))

    return answer


async def _run(hub: Hub, handler: Any, call: Call, is_async: bool) -> Reply:
    if is_async:
        awaited: Reply = await handler(call)
        return awaited

    def locked() -> Reply:
        with hub.lock:
            reply: Reply = handler(call)
        return reply

    return await asyncio.to_thread(locked)


def _check_repository(hub: Hub, request: Request) -> None:
    owner, repo = request.path_params.get("owner"), request.path_params.get("repo")
    if owner is not None and f"{owner}/{repo}".lower() != hub.full_name.lower():
        raise not_found()


def _response(request: Request, reply: Reply, rate: Callable[[int], dict[str, str]]) -> Response:
    body = reply.body
    if body is None:
        content = b""
    else:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {**reply.headers, "X-GitHub-Media-Type": "github.v3; format=json", "Vary": "Accept, Authorization"}
    if request.method == "GET" and reply.status == 200:
        tag = f'W/"{hashlib.sha256(content + headers.get("Link", "").encode()).hexdigest()}"'
        headers |= {"ETag": tag, "Cache-Control": "private, max-age=60, s-maxage=60"}
        if tag.removeprefix("W/") in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={**headers, **rate(0)})
    media_type = reply.media_type if content else None
    return Response(content, status_code=reply.status, headers={**headers, **rate(1)}, media_type=media_type)


def api_routes(hub: Hub, announcer: Announcer, operations: Sequence[Operation], rate_limit: int) -> list[BaseRoute]:
    meter = RateMeter(hub, rate_limit)
    routes: list[BaseRoute] = []
    for wanted in operations:
        path = wanted.path[1:] if wanted.path.startswith("!") else f"/repos/{{owner}}/{{repo}}{wanted.path}"
        routes.append(Route(f"/api/v3{path}", _endpoint(hub, announcer, meter, wanted), methods=[wanted.method]))

    async def unknown(request: Request) -> Response:
        error = ApiError(404, f"Not Found: the embedded GitHub has no {request.method} {request.url.path}")
        return _response(request, Reply(error.body(), 404), lambda spent: meter.headers("", 0))

    routes.append(Route("/api/v3/{rest:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    return routes


class LocalOnly:
    """Refuses a Host header that is not this machine's own name, so that a web page elsewhere cannot reach in by DNS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name.lower() not in _LOCAL_NAMES:
                await PlainTextResponse("This server answers only to 127.0.0.1 and localhost.\n", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def build_app(routes: Sequence[BaseRoute]) -> Starlette:
    app = Starlette(routes=list(routes))
    app.add_middleware(LocalOnly)
    return app
