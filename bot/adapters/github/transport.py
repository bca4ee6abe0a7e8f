"""One request to GitHub: paced, conditional, and with every failure turned into Retry or one of the Refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import GitHubException, RateLimitExceeded, RequestError, RequestFailed, RequestTimeout

from bot.errors import Conflict, Missing, Refused, Retry
from bot.ports import Clock

PAGE = 100
PAGES_LIMIT = 20  # 2,000 items: more than any list that we read
TIMEOUT_S = 20.0


class Transport:
    """Serial writes, at least `write_interval_s` apart (GitHub limits content creation); reads as they come."""

    def __init__(self, *, token: str, api_url: str, clock: Clock, write_interval_s: float) -> None:
        self._github = GitHub(
            TokenAuthStrategy(token),
            base_url=api_url.rstrip("/") + "/",
            timeout=TIMEOUT_S,
            auto_retry=False,  # retrying is decided by the loop, which looks again first
            http_cache=False,
            trust_env=False,
            user_agent="sre-space",
        )
        self._clock = clock
        self._write_interval_s = write_interval_s
        self._writing = asyncio.Lock()
        self._next_write_s = 0.0
        self._etags: dict[str, tuple[str, Any]] = {}

    async def __aenter__(self) -> Transport:
        await self._github.__aenter__()  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._github.__aexit__(None, None, None)

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, *, accept: str | None = None) -> Any:
        """The decoded JSON (or text, with a raw `accept`). Asks conditionally when it has an answer already: a 304 costs no rate limit."""
        key = f"{path}?{sorted((params or {}).items())}#{accept}"
        known = self._etags.get(key)
        headers = {"Accept": accept} if accept else {}
        if known:
            headers["If-None-Match"] = known[0]
        response = await self._send("GET", path, params=dict(params or {}), headers=headers)
        if response.status_code == 304 and known:
            return known[1]
        body = response.text if accept else response.json()
        if etag := response.headers.get("etag"):
            if len(self._etags) >= 500:
                self._etags.pop(next(iter(self._etags)))
            self._etags[key] = (etag, body)
        return body

    async def pages(self, path: str, params: Mapping[str, str | int] | None = None, *, inside: str = "") -> list[Any]:
        """All items of a list; `inside` names the key that holds them."""
        items: list[Any] = []
        for page in range(1, PAGES_LIMIT + 1):
            body = await self.get(path, {**(params or {}), "per_page": PAGE, "page": page})
            found = body[inside] if inside else body
            items += found
            if len(found) < PAGE:
                break
        return items

    async def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A write; its decoded answer, None when there is none."""
        async with self._writing:
            await self._clock.sleep(max(0.0, self._next_write_s - self._clock.now()))
            self._next_write_s = self._clock.now() + self._write_interval_s
            response = await self._send(method, path, json=dict(body) if body is not None else None)
        return response.json() if response.content else None

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            return (await self._github.arequest(method, path, **options)).raw_response
        except RateLimitExceeded as problem:
            after_s = problem.retry_after.total_seconds()
            raise Retry(f"GitHub's rate limit is used up for {after_s:.0f} s", after_s) from problem
        except RequestFailed as problem:
            if problem.response.status_code == 304:
                return problem.response.raw_response
            raise _failure(method, path, problem) from problem
        except RequestTimeout as problem:
            raise Retry(f"GitHub did not answer {method} {path} within {TIMEOUT_S:.0f} s", 5.0) from problem
        except (RequestError, GitHubException) as problem:
            raise Retry(f"GitHub could not be reached for {method} {path}: {problem}", 5.0) from problem


def _failure(method: str, path: str, problem: RequestFailed) -> Retry | Refused:
    response = problem.response
    status = response.status_code
    try:
        message = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        message = ""
    text = f"GitHub answered {status} to {method} {path}: {message[:300] or 'no message'}"
    if status >= 500 or status == 429:
        return Retry(text, float(response.headers.get("retry-after", 5)))
    if status == 404:
        return Missing(f"{text} (does it exist, and may the token see it?)")
    if status in (405, 409) or (status == 422 and "already exists" in str(response.text)):
        return Conflict(text)
    if status == 401:
        return Refused(f"{text} (is the token valid?)")
    if status == 403:
        return Refused(f"{text} (the token lacks a right: see `docs/real-repository.md`)")
    return Refused(text)
