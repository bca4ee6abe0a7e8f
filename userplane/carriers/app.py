"""HTTP of one insurer: POST /rate answers a premium after a moment; engineering controls can make it slow on purpose."""

from __future__ import annotations

import asyncio
import hmac
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from userplane.common.answers import healthy, json_object, say_internal_error, say_refused
from userplane.common.serving import observed

MAX_LATENCY_S = 120.0
MAX_PREMIUM_EUR = 10_000_000
CONTROLS_PATH = "/controls/latency"


@dataclass(frozen=True)
class Insurer:
    """How an insurer turns a technical premium into its own, and how long that takes in the median."""

    title: str
    margin: float
    appetite: Mapping[str, float]  # a factor for each cover, region or vehicle that it likes less or more than others
    median_s: float


INSURERS: Mapping[str, Insurer] = {
    "carrier-alder": Insurer("Alder Mutual", 1.09, {"city": 1.05, "country": 0.93, "sports": 1.2}, 0.13),
    "carrier-birch": Insurer("Birch & Daughters", 1.12, {"comprehensive": 0.92, "van": 0.95, "mountain": 1.04}, 0.11),
    "carrier-cedar": Insurer("Cedar Direct", 1.06, {"coast": 1.12, "electric": 0.9, "liability": 1.03}, 0.15),
}


def insurer(name: str) -> Insurer:
    """The insurer called `name`. Raises ValueError naming those that exist."""
    if name not in INSURERS:
        raise ValueError(f"no insurer is called {name!r}; choose one of {', '.join(INSURERS)}")
    return INSURERS[name]


def premium(of: Insurer, question: Mapping[str, object]) -> float:
    """The insurer's premium in euros a year. Raises HTTPException 422 when the question has no technical premium."""
    technical = question.get("technical_premium")
    if isinstance(technical, bool) or not isinstance(technical, int | float) or not 0 < technical <= MAX_PREMIUM_EUR:
        raise HTTPException(422, "technical_premium: expected an amount above 0")
    amount = technical * of.margin
    for fact in ("cover", "region", "vehicle"):
        amount *= of.appetite.get(str(question.get(fact)), 1.0)
    return round(amount, 2)


def usual_latency_s(of: Insurer, rng: random.Random) -> float:
    """A log-normal time around the insurer's median, between 0.08 and 0.3 s."""
    return min(0.3, max(0.08, of.median_s * math.exp(rng.gauss(0.0, 0.18))))


class LatencyControl:
    """The engineering control: while on, every rate takes `seconds`."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.seconds: float | None = None

    def authorize(self, request: Request) -> None:
        """Raises HTTPException 401 without a bearer token, 403 with a wrong one."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not credentials:
            raise HTTPException(401, "engineering controls need a bearer token", {"WWW-Authenticate": "Bearer"})
        if not hmac.compare_digest(credentials.strip().encode(), self._token.encode()):
            raise HTTPException(403, "this token does not open the engineering controls")

    async def switch_on(self, request: Request) -> Response:
        """POST {"seconds": 20}."""
        self.authorize(request)
        seconds = (await json_object(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_LATENCY_S:
            raise HTTPException(422, f"seconds: expected a number above 0 and at most {MAX_LATENCY_S:g}")
        self.seconds = float(seconds)
        return JSONResponse({"seconds": self.seconds})

    async def switch_off(self, request: Request) -> Response:
        """DELETE."""
        self.authorize(request)
        self.seconds = None
        return JSONResponse({"seconds": None})


def control_routes(control: LatencyControl, token: str) -> list[Route]:
    """The controls' routes; none, hence 404, when no token is set."""
    if not token:
        return []
    on, off = Route(CONTROLS_PATH, control.switch_on, methods=["POST"]), Route(CONTROLS_PATH, control.switch_off, methods=["DELETE"])
    return [on, off]


def build(name: str, token: str, tracer: Tracer, rng: random.Random) -> ASGIApp:
    """The ASGI app of the insurer `name`; an empty `token` means no engineering controls."""
    this = insurer(name)
    control = LatencyControl(token)

    async def rate(request: Request) -> Response:
        question = await json_object(request)
        amount = premium(this, question)
        await asyncio.sleep(usual_latency_s(this, rng) if control.seconds is None else control.seconds)
        return JSONResponse({"insurer": this.title, "premium": amount})

    app = Starlette(
        routes=[Route("/rate", rate, methods=["POST"]), Route("/healthz", healthy), *control_routes(control, token)],
        exception_handlers={HTTPException: say_refused, Exception: say_internal_error},
    )
    return observed(app, tracer, trust_parent=True, untraced=("/healthz", CONTROLS_PATH))
