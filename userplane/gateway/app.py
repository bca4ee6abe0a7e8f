"""HTTP of the carrier gateway: POST /rates asks every insurer of the manifest at the same time and answers their offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from userplane.common.answers import healthy, json_object, say_dependency_failed, say_internal_error, say_refused
from userplane.common.dependency import Dependency, DependencyFailed, dependency_url, new_http_client
from userplane.common.manifest import Manifest
from userplane.common.serving import observed

SERVICE = "carrier-gateway"


def build(manifest: Manifest, environ: Mapping[str, str], tracer: Tracer, clock: Callable[[], float]) -> ASGIApp:
    """The service's ASGI app; its insurers are the manifest's dependencies. Raises ValueError when an address is missing."""
    urls = {name: dependency_url(name, environ) for name in manifest.dependencies}
    http = new_http_client(urls.values())
    carriers = [Dependency(name, urls[name], policy, http, tracer, clock) for name, policy in manifest.dependencies.items()]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    async def rates(request: Request) -> Response:
        answers = await ask_all(carriers, await json_object(request))
        offers = [offer(name, answer) for name, answer in answers.items() if answer is not None]
        if not offers:
            raise HTTPException(503, "no insurer answered")
        return JSONResponse({"offers": offers, "asked": len(answers)})

    app = Starlette(
        routes=[Route("/rates", rates, methods=["POST"]), Route("/healthz", healthy)],
        exception_handlers={DependencyFailed: say_dependency_failed, HTTPException: say_refused, Exception: say_internal_error},
        lifespan=lifespan,
    )
    return observed(app, tracer, trust_parent=True)


async def ask_all(carriers: Sequence[Dependency], question: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Each carrier's answer by its name, None where it failed and may be left out.

    Raises DependencyFailed of the first carrier that failed and may not; the calls to the others are then cancelled.
    """
    try:
        async with asyncio.TaskGroup() as group:
            asked = {carrier.name: group.create_task(carrier.post("/rate", question)) for carrier in carriers}
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return {name: task.result() for name, task in asked.items()}


def offer(carrier: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A carrier's answer as an offer. Raises DependencyFailed when it names no premium."""
    premium = answer.get("premium")
    if isinstance(premium, bool) or not isinstance(premium, int | float) or not premium > 0:
        raise DependencyFailed(carrier, "invalid_answer", 502, "answered without a premium")
    return {"carrier": carrier, "insurer": str(answer.get("insurer", carrier))[:80], "premium": round(float(premium), 2)}
