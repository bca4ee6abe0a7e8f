"""HTTP of the quote engine: POST /quotes prices a risk, asks the carrier gateway for offers and answers them, cheapest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from userplane.common.answers import healthy, json_object, say_dependency_failed, say_internal_error, say_invalid, say_refused
from userplane.common.dependency import Dependency, DependencyFailed, dependency_url, new_http_client
from userplane.common.manifest import Manifest
from userplane.common.risk import InvalidRisk, Risk, parse_risk
from userplane.common.serving import observed
from userplane.common.telemetry import work
from userplane.engine.pricing import TARIFF_EDITION, Price, price

SERVICE = "quote-engine"
GATEWAY = "carrier-gateway"


def build(manifest: Manifest, environ: Mapping[str, str], tracer: Tracer, clock: Callable[[], float]) -> ASGIApp:
    """The service's ASGI app. Raises ValueError when the gateway's address is missing, ManifestError when its settings are."""
    url = dependency_url(GATEWAY, environ)
    http = new_http_client([url])
    gateway = Dependency(GATEWAY, url, manifest.dependency(GATEWAY), http, tracer, clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    async def quote(request: Request) -> Response:
        risk = parse_risk(await json_object(request))
        with work(tracer, "price risk") as span:
            span.set_attributes({"risk.cover": risk.cover, "risk.vehicle": risk.vehicle, "risk.region": risk.region})
            priced = price(risk)
        answer = await gateway.post("/rates", rate_request(risk, priced))
        offers = [] if answer is None else answer.get("offers", [])
        if not offers:
            raise HTTPException(503, "no insurer made an offer")
        with work(tracer, "rank offers"):
            ranked = sorted(offers, key=lambda offer: float(offer["premium"]))
        return JSONResponse(
            {"premium": priced.premium, "factors": dict(priced.factors), "tariff_edition": TARIFF_EDITION, "offers": ranked}
        )

    app = Starlette(
        routes=[Route("/quotes", quote, methods=["POST"]), Route("/healthz", healthy)],
        exception_handlers={
            InvalidRisk: say_invalid,
            DependencyFailed: say_dependency_failed,
            HTTPException: say_refused,
            Exception: say_internal_error,
        },
        lifespan=lifespan,
    )
    return observed(app, tracer, trust_parent=True)


def rate_request(risk: Risk, priced: Price) -> dict[str, Any]:
    """What insurers are told: our technical premium and the few facts that they have an appetite for or not."""
    return {
        "technical_premium": priced.premium,
        "cover": risk.cover,
        "vehicle": risk.vehicle,
        "region": risk.region,
        "driver_age": risk.driver_age,
        "excess": risk.excess,
    }
