"""Pages and API of the public service: forms and JSON, wrong input, escaping, buying once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.local.ports import free_port
from tests.userplane.world import RISK, serving
from userplane.common.dependency import url_variable
from userplane.common.manifest import load_manifest
from userplane.common.risk import InvalidRisk, parse_risk
from userplane.web.app import ENGINE, SERVICE, build
from userplane.web.store import CannotBuy, Quote, Store

OFFERS = [
    {"carrier": "one", "insurer": "<b>One</b>", "premium": 100.0},
    {"carrier": "two", "insurer": "Two & Co", "premium": 120.5},
]
ANSWER = {"premium": 90.0, "factors": {"age": 1.0}, "tariff_edition": 14, "offers": OFFERS}
JSON = {"accept": "application/json"}


def web(folder: Path, engine_url: str, clock: Callable[[], float], new_id: Callable[[], str]) -> ASGIApp:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    store = Store(folder / "web.sqlite")
    return build(load_manifest(SERVICE), {url_variable(ENGINE): engine_url}, (engine_url,), store, tracer, lambda: 0.0, clock, new_id)


def tell(story: Callable[[httpx.AsyncClient, list[float]], Awaitable[None]], folder: Path, answer: object = ANSWER) -> None:
    """The web service with a real store, calling a real service that answers `answer` in the engine's place."""

    async def told() -> None:
        async def quotes(_: Request) -> Response:
            return JSONResponse(answer)

        async def well(_: Request) -> Response:
            return JSONResponse({})

        routes = [Route("/quotes", quotes, methods=["POST"]), Route("/healthz", well)]
        async with serving(Starlette(routes=routes)) as engine:
            url = str(engine.base_url)
            now_s = [1_700_000_000.0]
            ids = (f"id{number}" for number in itertools.count())
            async with serving(web(folder, url, lambda: now_s[0], lambda: next(ids))) as client:
                await story(client, now_s)

    asyncio.run(told())


def test_person_fills_the_form_sees_offers_buys_one_and_finds_the_policy(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, now_s: list[float]) -> None:
        form = (await client.get("/")).text
        assert all(f'name="{field}"' in form for field in RISK)
        asked = await client.post("/quotes", data={name: str(value) for name, value in RISK.items()})
        assert asked.status_code == 303
        page = await client.get(asked.headers["location"])
        assert page.status_code == 200 and "&lt;b&gt;One&lt;/b&gt;" in page.text and "<b>One</b>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        quote_id = asked.headers["location"].rsplit("/", 1)[-1]
        bought = await client.post("/policies", data={"quote_id": quote_id, "carrier": "two"})
        assert bought.status_code == 303
        assert "Two &amp; Co" in (await client.get(bought.headers["location"])).text
        assert (await client.get("/healthz")).status_code == 200

    tell(story, tmp_path)


def test_wrong_answers_come_back_with_a_word_at_each_field(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, now_s: list[float]) -> None:
        page = await client.post("/quotes", data={**RISK, "driver_age": '"><script>', "vehicle": "tank"})
        assert page.status_code == 422 and "a whole number from 17 to 99" in page.text and "<script>" not in page.text
        refused = await client.post("/quotes", json={"driver_age": 12})
        assert refused.status_code == 422 and set(refused.json()["problems"]) == {"driver_age", "vehicle", "region", "cover"}
        for body in (b"[", b"[]", b"\xff"):
            answer = await client.post("/quotes", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400 and "error" in answer.json()
        assert (await client.post("/quotes", content=b"x" * 70_000)).status_code == 413
        assert (await client.get("/quotes/none")).status_code == 404
        assert (await client.put("/quotes")).status_code == 405

    tell(story, tmp_path)


def test_quote_is_bought_once_and_not_after_it_expired(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, now_s: list[float]) -> None:
        quote = (await client.post("/quotes", json=RISK)).json()
        order = {"quote_id": quote["id"], "carrier": "one"}
        assert (await client.post("/policies", json={**order, "carrier": "three"})).status_code == 404
        policy = (await client.post("/policies", json=order)).json()
        assert (await client.post("/policies", json=order)).json() == policy
        assert (await client.post("/policies", json={**order, "carrier": "two"})).status_code == 409
        late = (await client.post("/quotes", json=RISK)).json()
        now_s[0] += 3_601
        assert (await client.post("/policies", json={**order, "quote_id": late["id"]})).status_code == 410
        assert (await client.get("/policies", headers=JSON)).json() == {"policies": [policy]}

    tell(story, tmp_path)


def test_no_offers_is_a_failed_request_not_an_empty_quote(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, now_s: list[float]) -> None:
        assert (await client.post("/quotes", json=RISK)).status_code == 503
        page = await client.post("/quotes", data={name: str(value) for name, value in RISK.items()})
        assert page.status_code == 503 and "no offers at the moment" in page.text

    tell(story, tmp_path, {**ANSWER, "offers": []})


def test_store_forgets_unbought_quotes_that_expired(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path / "own" / "store.sqlite")
        await store.save_quote(Quote("bought", 0, 10, {}, dict(ANSWER)))
        await store.save_quote(Quote("left", 0, 10, {}, dict(ANSWER)))
        policy = await store.buy("p", "bought", "one", 5)
        await store.save_quote(Quote("new", 11, 20, {}, dict(ANSWER)))
        assert [await store.quote(name) is not None for name in ("bought", "left", "new")] == [True, False, True]
        assert await store.policies() == [policy]
        with pytest.raises(CannotBuy):
            await store.buy("q", "left", "one", 5)
        await store.close()

    asyncio.run(story())


def test_health_is_bad_while_a_service_of_the_deploy_does_not_answer(tmp_path: Path) -> None:
    async def story() -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        async with serving(web(tmp_path, nobody, lambda: 0.0, lambda: "id")) as client:
            answer = await client.get("/healthz")
        assert answer.status_code == 503 and answer.json()["not answering"] == [nobody]

    asyncio.run(story())


def test_risks_are_checked_field_by_field() -> None:
    assert parse_risk({**RISK, "driver_age": "41"}).driver_age == 41
    for wrong, field in (
        ({"driver_age": True}, "driver_age"),
        ({"driver_age": 41.5}, "driver_age"),
        ({"excess": 7}, "excess"),
        ({"licence_years": 30}, "licence_years"),
        ({"annual_km": "9" * 40}, "annual_km"),
        ({"cover": ["partial"]}, "cover"),
    ):
        with pytest.raises(InvalidRisk, match=field):
            parse_risk({**RISK, **wrong})
