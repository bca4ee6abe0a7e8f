"""One request to GitHub: paced, conditional, and with every failure turned into Retry or one of the Refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bot.adapters.github.answers import Answer, AnswerCache
from bot.adapters.github.failures import LIMITED_WAIT_S, UNREACHABLE_WAIT_S, RateLimited, failure, unreachable
from bot.errors import Missing, Refused, Retry
from bot.lean_httpx import httpx
from bot.leaner import without
from bot.ports import Clock
from bot.tls import trusted

with without("redis"):  # githubkit's cache, which we do not use, has a store in Redis: 10 MiB and a sixth of a second for every process
    from githubkit import GitHub, TokenAuthStrategy
    from githubkit.exception import RequestError, RequestFailed, RequestTimeout

PAGE = 100
PAGES_LIMIT = 100
PATH_LIMIT = 16_000  # far beyond any name that GitHub takes
TIMEOUT_S = 20.0


class Transport:
    """Serial writes, at least `write_interval_s` apart (GitHub limits content creation); reads as they come.

    While GitHub wants us to wait, every request is a `Retry` without being sent: asking on is what gets tokens blocked.
    """

    def __init__(self, *, token: str, api_url: str, clock: Clock, write_interval_s: float) -> None:
        self._github = GitHub(
            TokenAuthStrategy(token),
            base_url=api_url.rstrip("/") + "/",
            timeout=TIMEOUT_S,
            auto_retry=False,  # retrying is decided by the loop, which looks again first
            http_cache=False,
            trust_env=False,
            ssl_verify=trusted(api_url),
            user_agent="sre-space",
        )
        self._clock = clock
        self._write_interval_s = write_interval_s
        self._writing = asyncio.Lock()
        self._next_write_s = 0.0
        self._quiet_until_s = 0.0
        self._answers = AnswerCache()

    async def __aenter__(self) -> Transport:
        await self._github.__aenter__()  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._github.__aexit__(None, None, None)

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The decoded JSON. Asks conditionally when it has an answer already."""
        return (await self._get(path, params))[0]

    async def pages(self, path: str, params: Mapping[str, str | int] | None = None, *, inside: str = "") -> list[Any]:
        """All items of a list; `inside` names the key that holds them. Raises Refused past 10,000 items rather than leave some out."""
        return (await self.first_and_pages(path, params, inside=inside))[1]

    async def first_and_pages(self, path: str, params: Mapping[str, str | int] | None = None, *, inside: str = "") -> tuple[Any, list[Any]]:
        """The first page's whole body, and all items as `pages` gives them."""
        first: Any = None
        items: list[Any] = []
        before: list[Any] | None = None
        for page in range(1, PAGES_LIMIT + 1):
            body, more = await self._get(path, {**(params or {}), "per_page": PAGE, "page": page})
            found = body
            if inside:
                found = (body.get(inside) or []) if isinstance(body, dict) else None
            if not isinstance(found, list):
                raise Refused(f"GitHub's answer to GET {path} holds no list: is GITHUB_API_URL GitHub's REST API?")
            first = body if page == 1 else first
            if found == before:
                return first, items  # this list takes no page: it came whole, twice
            items += found
            before = found
            if not more and len(found) != PAGE:  # a full page may have got a successor since its ETag was made
                return first, items
        raise Refused(f"GET {path} lists more than {PAGE * PAGES_LIMIT} items: more than can be read")

    async def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A write; its decoded answer, None when there is none."""
        options: dict[str, Any] = {}
        if body is not None:  # half a surrogate pair, which JSON telemetry can bring, has no UTF-8
            options["content"] = json.dumps(dict(body), ensure_ascii=False).encode("utf-8", "replace")
            options["headers"] = {"Content-Type": "application/json"}
        async with self._writing:
            await self._clock.sleep(max(0.0, self._next_write_s - self._clock.now()))
            self._next_write_s = self._clock.now() + self._write_interval_s
            response = await self._send(method, path, **options)
        return _decoded(method, path, response.content) if response.content else None

    async def _get(self, path: str, params: Mapping[str, str | int] | None) -> tuple[Any, bool]:
        """The decoded answer, and whether there is a next page."""
        url = f"{path}?{urlencode(sorted((params or {}).items()))}"
        known = self._answers.get(url)
        headers = {"If-None-Match": known.etag} if known else {}
        response = await self._send("GET", path, params=dict(params or {}), headers=headers)
        if response.status_code == 304 and known:
            return _decoded("GET", path, known.content), known.more or "next" in response.links
        answer = Answer(response.headers.get("etag", ""), response.content, "next" in response.links)
        body = _decoded("GET", path, answer.content)
        self._answers.put(url, answer)
        return body, answer.more

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        _check(path)
        if (wait_s := self._quiet_until_s - self._clock.now()) > 0:
            raise RateLimited(f"GitHub's rate limit is used up for {wait_s:.0f} s", wait_s)
        try:
            return (await self._github.arequest(method, path, **options)).raw_response
        except RequestFailed as problem:
            told = failure(method, path, problem.response.raw_response, self._clock.now())
            if isinstance(told, RateLimited):
                self._quiet_until_s = self._clock.now() + told.after_s
            raise told from problem
        except RequestTimeout as problem:
            raise Retry(f"GitHub did not answer {method} {path} within {TIMEOUT_S:.0f} s", UNREACHABLE_WAIT_S) from problem
        except RequestError as problem:
            raise unreachable(method, path, problem.exc) from None
        except ValueError as problem:  # githubkit reads a rate limit's headers as numbers
            raise Retry(f"GitHub's rate limit for {method} {path} is not readable", LIMITED_WAIT_S) from problem


def _check(path: str) -> None:
    """Clients resolve dot segments: a name that is one would address another endpoint. Raises Missing, for no such name exists."""
    if len(path) > PATH_LIMIT or any(part in ("", ".", "..") for part in path.removesuffix("/").split("/")):
        raise Missing(f"GitHub has no {path[:200]!r}: a name in it is empty, too long, «.» or «..»")


def _decoded(method: str, path: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as problem:
        raise Retry(f"GitHub's answer to {method} {path} is not JSON", UNREACHABLE_WAIT_S) from problem
