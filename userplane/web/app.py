"""HTTP of the marketplace's public service: pages for people, JSON for programs, the same addresses for both."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from userplane.common.answers import json_object, say_invalid
from userplane.common.dependency import Dependency, DependencyFailed, dependency_url, new_http_client
from userplane.common.manifest import Manifest
from userplane.common.risk import InvalidRisk, parse_risk
from userplane.common.serving import observed
from userplane.common.telemetry import work
from userplane.web import pages
from userplane.web.store import CannotBuy, Quote, Store

SERVICE = "marketplace-web"
ENGINE = "quote-engine"
QUOTE_VALID_S = 3600.0
HEALTH_TIMEOUT_S = 1.0
MAX_FORM_FIELDS = 50
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[Request], Awaitable[Response]]


class Web:
    """The handlers. `clock` is Unix time in seconds, `new_id` makes an identifier that nobody guesses."""

    def __init__(
        self,
        store: Store,
        engine: Dependency,
        http: httpx.AsyncClient,
        needed: tuple[str, ...],
        tracer: Tracer,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._engine = engine
        self._http = http
        self._needed = needed
        self._tracer = tracer
        self._clock = clock
        self._new_id = new_id

    async def home(self, _: Request) -> Response:
        """GET /: the form."""
        return _page(pages.form_page())

    async def request_quote(self, request: Request) -> Response:
        """POST /quotes: from a form (then on to the quote's page) or as JSON (then 201 and the quote)."""
        from_form = _is_form(request)
        fields: Mapping[str, Any] = await _form(request) if from_form else await json_object(request)
        try:
            risk = parse_risk(fields)
        except InvalidRisk as invalid:
            if not from_form:
                raise
            return _page(pages.form_page(fields, invalid.problems), 422)
        answer = await self._engine.post("/quotes", risk.as_json())
        if answer is None or not answer.get("offers"):
            raise HTTPException(503, "no offers at the moment")
        now_s = self._clock()
        quote = Quote(self._new_id(), now_s, now_s + QUOTE_VALID_S, risk.as_json(), answer)
        with work(self._tracer, "save quote"):
            await self._store.save_quote(quote)
        address = f"/quotes/{quote.id}"
        if from_form:
            return RedirectResponse(address, 303)
        return JSONResponse(dataclasses.asdict(quote), 201, headers={"Location": address})

    async def show_quote(self, request: Request) -> Response:
        """GET /quotes/{id}: a page, or JSON when asked for."""
        quote = await self._store.quote(request.path_params["id"])
        if quote is None:
            raise HTTPException(404, "there is no such quote")
        return JSONResponse(dataclasses.asdict(quote)) if _wants_json(request) else _page(pages.quote_page(quote, self._clock()))

    async def buy(self, request: Request) -> Response:
        """POST /policies {"quote_id", "carrier"}: buy one offer of a quote."""
        from_form = _is_form(request)
        fields: Mapping[str, Any] = await _form(request) if from_form else await json_object(request)
        quote_id, carrier = fields.get("quote_id"), fields.get("carrier")
        if not isinstance(quote_id, str) or not isinstance(carrier, str):
            raise HTTPException(422, "quote_id and carrier are needed")
        with work(self._tracer, "save policy"):
            policy = await self._buy(quote_id, carrier)
        if from_form:
            return RedirectResponse("/policies", 303)
        return JSONResponse(dataclasses.asdict(policy), 201)

    async def _buy(self, quote_id: str, carrier: str) -> Any:
        try:
            return await self._store.buy(self._new_id(), quote_id, carrier, self._clock())
        except CannotBuy as refused:
            raise HTTPException(refused.status, str(refused)) from refused

    async def show_policies(self, request: Request) -> Response:
        """GET /policies: a page, or JSON when asked for."""
        policies = await self._store.policies()
        if _wants_json(request):
            return JSONResponse({"policies": [dataclasses.asdict(policy) for policy in policies]})
        return _page(pages.policies_page(policies))

    async def health(self, _: Request) -> Response:
        """GET /healthz: 200 when every service of this deploy answers its own, else 503 and which do not."""
        states = await asyncio.gather(*(self._is_well(url) for url in self._needed))
        unwell = [url for url, well in zip(self._needed, states, strict=True) if not well]
        return JSONResponse({"status": "unwell", "not answering": unwell}, 503) if unwell else JSONResponse({"status": "ok"})

    async def _is_well(self, url: str) -> bool:
        try:
            response = await self._http.get(f"{url}/healthz", timeout=HEALTH_TIMEOUT_S)
        except httpx.HTTPError:
            return False
        return response.status_code == httpx.codes.OK


def build(
    manifest: Manifest,
    environ: Mapping[str, str],
    needed: tuple[str, ...],
    store: Store,
    tracer: Tracer,
    steady_clock: Callable[[], float],
    clock: Callable[[], float],
    new_id: Callable[[], str],
) -> ASGIApp:
    """The service's ASGI app. `needed` are base URLs of the services that must be well for it to be well.

    Raises ValueError when the engine's address is missing, ManifestError when its settings are.
    """
    url = dependency_url(ENGINE, environ)
    http = new_http_client([url, *needed])
    engine = Dependency(ENGINE, url, manifest.dependency(ENGINE), http, tracer, steady_clock)
    web = Web(store, engine, http, needed, tracer, clock, new_id)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()
        await store.close()

    app = Starlette(
        routes=[
            Route("/", web.home),
            Route("/quotes", web.request_quote, methods=["POST"]),
            Route("/quotes/{id}", web.show_quote),
            Route("/policies", web.buy, methods=["POST"]),
            Route("/policies", web.show_policies),
            Route("/healthz", web.health),
        ],
        exception_handlers={
            InvalidRisk: say_invalid,
            DependencyFailed: _say_unavailable,
            HTTPException: _say_refused,
            Exception: _say_broken,
        },
        lifespan=lifespan,
    )
    return observed(app, tracer, trust_parent=False)


async def _say_unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, DependencyFailed)
    return _say(request, error.status if error.status >= 500 else 502, "We could not get your offers. Please try again in a moment.")


async def _say_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(request, error.status_code, str(error.detail))


async def _say_broken(request: Request, _: Exception) -> Response:
    return _say(request, 500, "Something broke on our side. Please try again in a moment.")


def _say(request: Request, status: int, text: str) -> Response:
    if _wants_json(request) or request.headers.get("content-type", "").startswith("application/json"):
        return JSONResponse({"error": text}, status)
    return _page(pages.message_page("That did not work", text), status)


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=PAGE_HEADERS)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


async def _form(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
    except ValueError as error:
        raise HTTPException(400, "the form could not be read") from error
