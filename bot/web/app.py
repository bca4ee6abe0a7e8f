"""The HTTP application of the always-on process: every route in one table."""

from __future__ import annotations

import psutil
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.web.answers import Declined, Endpoint, on_crash, on_declined, on_http_exception
from bot.web.demo import inject_endpoint
from bot.web.guard import Guard
from bot.web.ingest import SIGNALS, Front
from bot.web.job_events import job_events_endpoint
from bot.web.otlp_asgi import OtlpApp
from bot.web.own_metrics import metrics_endpoint
from bot.web.page import page_routes
from bot.web.parts import WebParts
from bot.web.stream import feed_endpoint
from bot.web.webhooks import webhook_endpoint


def build_app(parts: WebParts) -> OtlpApp:
    """OTLP in front, everything else behind it; nothing is opened or started before the lifespan.

    Raises Refused when the monitor page is missing.
    """
    app = Starlette(
        routes=[
            *(Route(path, _only_post, methods=["POST"]) for path in SIGNALS),
            Route("/webhooks/github", webhook_endpoint(parts), methods=["POST"]),
            Route("/api/events", job_events_endpoint(parts), methods=["POST"]),
            Route("/feed", feed_endpoint(parts)),
            Route("/api/state", _state_endpoint(parts)),
            Route("/healthz", _health_endpoint(parts)),
            Route("/metrics", metrics_endpoint(parts)),
            *([Route("/demo/inject-failure", inject_endpoint(parts), methods=["POST"])] if parts.settings.demo else []),
            *page_routes(parts.monitor_dir),
        ],
        exception_handlers={Declined: on_declined, HTTPException: on_http_exception, Exception: on_crash},
        middleware=[Middleware(Guard, settings=parts.settings)],
        lifespan=lambda app: parts.lifespan(),
    )
    app.router.redirect_slashes = False
    return OtlpApp(app, Front(parts))


async def _only_post(request: Request) -> Response:
    """Never reached, since OtlpApp takes POSTs: makes other methods 405 and not 404."""
    raise HTTPException(500)


def _state_endpoint(parts: WebParts) -> Endpoint:
    async def state(request: Request) -> Response:
        return JSONResponse(parts.snapshot())

    return state


def _health_endpoint(parts: WebParts) -> Endpoint:
    process = psutil.Process()

    async def health(request: Request) -> Response:
        rss_mib = round(process.memory_info().rss / 1024 / 1024, 1)
        return JSONResponse({"status": "ok", "rss_mib": rss_mib, "uptime_s": round(parts.clock.now() - parts.started_s, 1)})

    return health
