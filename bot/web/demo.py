"""`POST /demo/inject-failure`: hands the query on to the engineering controls unread. The control plane never learns what was injected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.tls import trusted
from bot.web.answers import Declined, Endpoint
from bot.web.parts import WebParts

if TYPE_CHECKING:
    from bot.lean_httpx import httpx

TIMEOUT_S = 150.0  # the controls answer when the fault is in, and landing a release means waiting for its checks
MAX_QUERY_BYTES = 1024
MAX_ANSWER_BYTES = 64 * 1024


def inject_endpoint(parts: WebParts) -> Endpoint:
    settings = parts.settings

    async def inject(request: Request) -> Response:
        query: bytes = request.scope["query_string"]
        if len(query) > MAX_QUERY_BYTES:
            raise Declined(414, "the query is too long", "see the README for the faults that can be injected")
        from bot.lean_httpx import httpx  # not before it is needed: its import alone takes a tenth of a second of the start

        url = httpx.URL(settings.demo_controls_url + "/inject-failure").copy_with(query=query)
        status, content = await _post(url, settings.demo_controls_token)
        return JSONResponse(content, status)

    return inject


async def _post(url: httpx.URL, token: str) -> tuple[int, object]:
    from bot.lean_httpx import httpx

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    unusable = Declined(502, "the engineering controls gave an unusable answer", "look at their log")
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=trusted(str(url))) as client,
            client.stream("POST", url, headers=headers) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise unusable
    except httpx.TimeoutException:
        raise Declined(504, "the engineering controls did not answer in time", "look whether they run, then try again") from None
    except httpx.HTTPError:
        raise Declined(
            502, "the engineering controls cannot be reached", "look whether they run and whether SRE_DEMO_CONTROLS_URL is right"
        ) from None
    if 300 <= answer.status_code < 400:
        raise unusable
    try:
        return answer.status_code, json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise unusable from None
