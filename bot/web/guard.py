"""The door: Host and Origin are checked before any route runs, and every answer carries the security headers."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import Settings
from bot.web.answers import SECURITY_HEADERS, problem

READABLE_FROM_ELSEWHERE = ("/feed", "/api/state")
ANY_HOST = ("/healthz",)  # a platform's health check addresses the process by a number that nobody can list beforehand
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded_send = self._with_headers(scope, headers, send)
        refusal = self._refusal(scope["method"], scope["path"], headers)
        app = problem(*refusal) if refusal else self._app
        await app(scope, receive, guarded_send)

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "").lower()
        if path not in ANY_HOST and not host_is_allowed(host, self._settings.allowed_hosts):
            return 421, "this process is not known by that name", "add the name to SRE_ALLOWED_HOSTS if it is yours"
        if method not in _SAFE_METHODS and crosses_origins(headers, host):
            return 403, "a page of another origin may not send this", "send it from the monitor's own page or from a command line"
        return None

    def _with_headers(self, scope: Scope, headers: Headers, send: Send) -> Send:
        origin = headers.get("origin", "").lower()
        readable = scope["path"] in READABLE_FROM_ELSEWHERE and scope["method"] in ("GET", "HEAD")

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    answer.setdefault(name, value)
                answer.setdefault("Cache-Control", "no-store")
                if readable:
                    answer.add_vary_header("Origin")
                    if origin in self._settings.allowed_origins:
                        answer["Access-Control-Allow-Origin"] = origin
            await send(message)

        return guarded_send


def host_is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """`host` as in the Host header, lower case; its port does not matter."""
    match = _HOST.fullmatch(host)
    return match is not None and match["name"].rstrip(".") in allowed


def crosses_origins(headers: Headers, host: str) -> bool:
    """Whether a browser says that a page of another origin sends this. No Origin and no Sec-Fetch-Site: not a browser."""
    return crossing(headers.get("sec-fetch-site", "none"), headers.get("origin"), host)


def crossing(fetch_site: str, origin: str | None, host: str) -> bool:
    """The same by the values of Sec-Fetch-Site ("none" when it is absent), Origin (None) and Host.

    The scheme is not compared: behind a proxy that ends TLS we are spoken to by http.
    """
    if fetch_site.lower() not in ("none", "same-origin"):
        return True
    return origin is not None and urlsplit(origin.lower()).netloc != host
