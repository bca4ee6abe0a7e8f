"""What every answer has: the security headers, and for errors JSON that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Endpoint = Callable[[Request], Awaitable[Response]]

# What the page needs: its own files, its own server, and GitHub's public API when the link is lost.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self' https://api.github.com",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Declined(Exception):
    """Ends a request with `status` and `{"error": …, "do": …}`."""

    def __init__(self, status: int, error: str, do: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.do = do
        self.headers = dict(headers or {})


def problem(status: int, error: str, do: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "do": do}, status_code=status, headers=headers)


async def on_declined(request: Request, declined: Exception) -> Response:
    assert isinstance(declined, Declined)
    return problem(declined.status, declined.error, declined.do, declined.headers)


async def on_http_exception(request: Request, exception: Exception) -> Response:
    assert isinstance(exception, HTTPException)
    status = exception.status_code
    if status == 404:
        return problem(404, "there is nothing at this address", "see GET / for the monitor and the README for the addresses")
    if status == 405:
        allowed = (exception.headers or {}).get("Allow", "another method")
        return problem(405, "this address does not take this method", f"use {allowed}", exception.headers)
    return problem(status, exception.detail, "correct the request", exception.headers)


async def on_crash(request: Request, exception: Exception) -> Response:
    return problem(500, "something failed inside", "look at this process's log", SECURITY_HEADERS)
