"""Insurers and their engineering controls: who may switch them, what they do, and that they exist only with a token."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.userplane.world import serving
from userplane.carriers.app import INSURERS, build, insurer, usual_latency_s

QUESTION = {"technical_premium": 500.0, "cover": "partial", "vehicle": "small", "region": "suburb"}
OPEN = {"Authorization": "Bearer secret"}


def tell(story: Callable[[httpx.AsyncClient, InMemorySpanExporter], Awaitable[None]], token: str = "secret") -> None:
    async def told() -> None:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        app = build(next(iter(INSURERS)), token, provider.get_tracer("test"), random.Random(1))
        async with serving(app) as client:
            await story(client, exporter)

    asyncio.run(told())


def test_rate_is_answered_with_a_premium_near_the_technical_one() -> None:
    async def story(client: httpx.AsyncClient, _: InMemorySpanExporter) -> None:
        premium = (await client.post("/rate", json=QUESTION)).json()["premium"]
        assert 450 < premium < 650
        for wrong in (None, 0, -1, "500", True, 1e300):
            assert (await client.post("/rate", json={**QUESTION, "technical_premium": wrong})).status_code == 422

    tell(story)


def test_control_makes_rates_slow_until_it_is_taken_back_and_leaves_no_span() -> None:
    async def story(client: httpx.AsyncClient, exporter: InMemorySpanExporter) -> None:
        assert (await client.post("/controls/latency", json={"seconds": 1.5}, headers=OPEN)).json() == {"seconds": 1.5}
        started_s = time.monotonic()
        await client.post("/rate", json=QUESTION)
        assert time.monotonic() - started_s >= 1.5
        assert (await client.delete("/controls/latency", headers=OPEN)).status_code == 200
        started_s = time.monotonic()
        await client.post("/rate", json=QUESTION)
        assert time.monotonic() - started_s < 1.4
        assert {span.name for span in exporter.get_finished_spans()} == {"POST /rate"}

    tell(story)


def test_controls_need_the_token_and_sensible_seconds() -> None:
    async def story(client: httpx.AsyncClient, _: InMemorySpanExporter) -> None:
        slow = {"seconds": 20}
        assert (await client.post("/controls/latency", json=slow)).status_code == 401
        assert (await client.delete("/controls/latency", headers={"Authorization": "Basic secret"})).status_code == 401
        assert (await client.post("/controls/latency", json=slow, headers={"Authorization": "Bearer guess"})).status_code == 403
        for seconds in (0, -1, 121, "20", True, None):
            assert (await client.post("/controls/latency", json={"seconds": seconds}, headers=OPEN)).status_code == 422

    tell(story)


def test_without_a_token_there_are_no_controls() -> None:
    async def story(client: httpx.AsyncClient, _: InMemorySpanExporter) -> None:
        for authorization in ("Bearer", "Bearer secret"):
            answer = await client.post("/controls/latency", json={"seconds": 20}, headers={"Authorization": authorization})
            assert answer.status_code == 404

    tell(story, token="")


def test_usual_latency_is_short_and_an_unknown_insurer_is_named() -> None:
    rng = random.Random(3)
    for name in INSURERS:
        times_s = [usual_latency_s(insurer(name), rng) for _ in range(500)]
        assert min(times_s) >= 0.08 and max(times_s) <= 0.3 and 0.1 < sum(times_s) / 500 < 0.2
    with pytest.raises(ValueError, match="no insurer is called 'oak'"):
        insurer("oak")
