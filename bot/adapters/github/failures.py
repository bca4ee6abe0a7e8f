"""GitHub's refusals as our errors: what is worth asking again and when (`Retry`), and what is not (`Refused` and its kinds)."""

from __future__ import annotations

from typing import Any

from bot.errors import Conflict, Missing, Refused, Retry
from bot.lean_httpx import httpx

UNREACHABLE_WAIT_S = 5.0
LIMITED_WAIT_S = 60.0  # GitHub's advice for a rate limit that does not say how long
LONGEST_WAIT_S = 3600.0  # the window of the primary rate limit
_MESSAGE_CHARACTERS = 300


class RateLimited(Retry):
    """GitHub asks us to be quiet for `after_s`, with every request."""


def failure(method: str, path: str, response: httpx.Response, now_s: float) -> Retry | Refused:
    """What an answer of 400 or more means."""
    status, said = response.status_code, _said(response)
    text = f"GitHub answered {status} to {method} {path}: {said[:_MESSAGE_CHARACTERS] or 'no message'}"
    limited_s = _limited_s(response, said, now_s)
    if limited_s is not None:
        return RateLimited(f"{text} (nothing is asked for {limited_s:.0f} s)", limited_s)
    if status >= 500 or status == 408:
        return Retry(text, _seconds(response.headers.get("retry-after"), UNREACHABLE_WAIT_S))
    if status in (404, 410):
        return Missing(f"{text} (does it exist, and may the token see it?)")
    if status in (405, 409) or (status == 422 and "already exists" in said):
        return Conflict(text)
    if status == 401:
        return Refused(f"{text} (is the token valid?)")
    if status == 403:
        return Refused(f"{text} (if the token lacks a right, give it that right)")
    return Refused(text)


def unreachable(method: str, path: str, cause: BaseException) -> Retry | Refused:
    """What a request without an answer means. The cause's own words are told only where they cannot hold the token."""
    if isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return Retry(f"GitHub could not be reached for {method} {path}: {str(cause) or type(cause).__name__}", UNREACHABLE_WAIT_S)
    kind = type(cause).__name__
    return Refused(f"{method} {path} cannot be asked of GitHub: {kind} (do the token and GITHUB_API_URL hold stray characters?)")


def _limited_s(response: httpx.Response, said: str, now_s: float) -> float | None:
    """How long GitHub wants us to wait; None when the answer is no rate limit. In the order that GitHub documents."""
    if response.status_code not in (403, 429):
        return None
    headers = response.headers
    if "retry-after" in headers:
        return _seconds(headers["retry-after"], LIMITED_WAIT_S)
    if headers.get("x-ratelimit-remaining") == "0":
        reset_s = _number(headers.get("x-ratelimit-reset"))
        return LIMITED_WAIT_S if reset_s is None else _bounded(reset_s - now_s + 1.0)
    words = said.lower()
    if response.status_code == 429 or "rate limit" in words or "abuse detection" in words:
        return LIMITED_WAIT_S
    return None


def _said(response: httpx.Response) -> str:
    """GitHub's message with the entries of its `errors`, which alone say what a "Validation Failed" is about."""
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    entries = [_entry(error) for error in errors] if isinstance(errors, list) else []
    return "; ".join(part for part in (str(body.get("message") or ""), *entries) if part)


def _entry(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    if error.get("message"):
        return str(error["message"])
    return " ".join(str(error[key]).replace("_", " ") for key in ("resource", "field", "code") if error.get(key))


def _seconds(header: str | None, default_s: float) -> float:
    """A Retry-After in seconds; a date, which GitHub does not send, or nonsense is the default."""
    number = _number(header)
    return default_s if number is None else _bounded(number)


def _number(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdigit() else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), LONGEST_WAIT_S)
