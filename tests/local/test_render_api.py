"""Stories of Render's API on the embedded Render, raw and through our Platform adapter."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from bot.adapters.render import RenderPlatform
from bot.errors import Missing, Refused, Retry
from tests.local.render_world import API_KEY, SERVICE, World, tell

WELCOME = SERVICE.replace('"hello"', '"welcome"')


async def greeting(world: World) -> str:
    async with httpx.AsyncClient(verify=False) as client:
        return str((await client.get(world.render.urls["shop"])).json()["greeting"])


async def service_id(api: httpx.AsyncClient) -> str:
    return str((await api.get("/services", params={"name": "shop"})).json()[0]["service"]["id"])


def test_without_the_key_nothing_is_told_and_nothing_done(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        async with world.api() as api:
            path = f"/services/{await service_id(api)}"
            for key in ("", "Bearer wrong", API_KEY):
                headers = {"authorization": key}
                for method, where in (("GET", "/services"), ("GET", path), ("POST", f"{path}/deploys"), ("POST", f"{path}/rollback")):
                    assert (await api.request(method, where, headers=headers)).status_code == 401
        assert len(world.render.deploys("shop")) == 1

    tell(World(tmp_path), story)


def test_services_and_deploys_have_renders_shapes(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        async with world.api() as api:
            listed = (await api.get("/services")).json()
            service = listed[0]["service"]
            assert service["id"].startswith("srv-") and service["type"] == "web_service" and service["autoDeploy"] == "yes"
            assert service["serviceDetails"]["url"] == world.render.urls["shop"]
            assert (await api.get(f"/services/{service['id']}")).json() == service
            assert (await api.get("/services", params={"name": "other"})).json() == []
            [item] = (await api.get(f"/services/{service['id']}/deploys", params={"limit": 1})).json()
            deploy = item["deploy"]
            assert deploy["id"].startswith("dep-") and deploy["status"] == "live" and deploy["trigger"] == "blueprint_sync"
            assert deploy["commit"]["id"] == world.first_commit and deploy["commit"]["message"] == "first"
            assert deploy["createdAt"].endswith("Z") and deploy["createdAt"] <= deploy["updatedAt"] == deploy["finishedAt"]
            assert (await api.get(f"/services/{service['id']}/deploys/{deploy['id']}")).json() == deploy

    tell(World(tmp_path), story)


def test_deploys_are_listed_page_by_page_newest_first(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        async with world.api() as api:
            path = f"/services/{await service_id(api)}/deploys"
            for _ in range(2):
                assert (await api.post(path)).status_code == 201
                await world.render.idle()
            first = (await api.get(path, params={"limit": 2})).json()
            rest = (await api.get(path, params={"limit": 2, "cursor": first[-1]["cursor"]})).json()
            ids = [item["deploy"]["id"] for item in first + rest]
            assert ids == [d.id for d in world.render.deploys("shop")] and len(ids) == 3
            assert [i["deploy"]["status"] for i in (await api.get(path, params={"status": "live"})).json()] == ["live"]

    tell(World(tmp_path), story)


BAD_REQUESTS = [
    ("GET", "/services/srv-unknown", None, 404),
    ("GET", "/services/{id}/deploys/dep-unknown", None, 404),
    ("GET", "/services/{id}/deploys?limit=0", None, 400),
    ("GET", "/services/{id}/deploys?limit=many", None, 400),
    ("POST", "/services/{id}/deploys", b'{"commitId": "--output=/tmp/x"}', 400),
    ("POST", "/services/{id}/deploys", b'{"commitId": 3}', 400),
    ("POST", "/services/{id}/deploys", b"{", 400),
    ("POST", "/services/{id}/deploys", b"[]", 400),
    ("POST", "/services/{id}/deploys", b" " * 70_000, 413),
    ("POST", "/services/{id}/rollback", b"{}", 400),
    ("POST", "/services/{id}/rollback", b'{"deployId": "dep-unknown"}', 404),
    ("PATCH", "/services/{id}", b'{"autoDeploy": true}', 400),
    ("PATCH", "/services/{id}", b'{"plan": "pro"}', 400),
]


def test_bad_requests_are_refused_and_change_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        async with world.api() as api:
            for method, path, body, status in BAD_REQUESTS:
                answer = await api.request(method, path.replace("{id}", await service_id(api)), content=body)
                assert (answer.status_code, bool(answer.json()["message"])) == (status, True), (method, path, body)
        assert [s for _, s in world.statuses()] == ["live"]

    tell(World(tmp_path), story)


def test_rollback_serves_the_old_commit_and_leaves_auto_deploy_on(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"app/serve.py": WELCOME})
        await world.render.idle()
        async with world.api() as api:
            path = f"/services/{await service_id(api)}"
            first = world.render.deploys("shop")[-1]
            answer = await api.post(f"{path}/rollback", json={"deployId": first.id})
            assert answer.status_code == 201 and answer.json()["trigger"] == "rollback"
            await world.render.idle()
            assert await greeting(world) == "hello"
            await world.repo.push({"app/serve.py": WELCOME + "# the next push brings it back"})
            await world.render.idle()
            assert await greeting(world) == "welcome"

    tell(World(tmp_path), story)


def test_failed_deploy_cannot_be_rolled_back_to(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"app/serve.py": "raise SystemExit(1)"})
        await world.render.idle()
        async with world.api() as api:
            failed = world.render.deploys("shop")[0]
            answer = await api.post(f"/services/{await service_id(api)}/rollback", json={"deployId": failed.id})
            assert answer.status_code == 400 and "update_failed" in answer.json()["message"]

    tell(World(tmp_path), story)


def told(story: Callable[[World, RenderPlatform], Awaitable[None]]) -> Callable[[World], Awaitable[None]]:
    """The story with our adapter on the embedded API."""

    async def with_adapter(world: World) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(world.render.app)) as client:
            await story(world, RenderPlatform(client, base_url="http://render/v1", api_key=API_KEY))

    return with_adapter


def test_adapter_sees_what_is_live_and_what_failed(tmp_path: Path) -> None:
    async def story(world: World, platform: RenderPlatform) -> None:
        started_s = time.time()
        bad = await world.repo.push({"app/serve.py": "raise SystemExit(1)"})
        under_way, serving = await platform.deploys("shop")
        assert under_way.state in {"waiting", "building"} and under_way.finished_at_s is None and serving.state == "live"
        await world.render.idle()
        failed, live = await platform.deploys("shop")
        assert (failed.service, failed.commit, failed.state) == ("shop", bad, "failed")
        assert (live.commit, live.state) == (world.first_commit, "live")
        assert failed.finished_at_s is not None and started_s <= failed.created_at_s <= failed.finished_at_s <= time.time()
        assert len(await platform.deploys("shop", limit=1)) == 1

    tell(World(tmp_path), told(story))


def test_adapter_rolls_back_once_however_often_it_is_asked(tmp_path: Path) -> None:
    async def story(world: World, platform: RenderPlatform) -> None:
        await world.repo.push({"app/serve.py": WELCOME})
        await world.render.idle()
        await platform.roll_back("shop", world.first_commit)
        await platform.roll_back("shop", world.first_commit)  # on its way
        await world.render.idle()
        await platform.roll_back("shop", world.first_commit)  # serving
        await world.render.idle()
        assert await greeting(world) == "hello"
        assert [d.trigger for d in world.render.deploys("shop")] == ["rollback", "new_commit", "blueprint_sync"]

    tell(World(tmp_path), told(story))


def test_adapter_does_not_roll_back_to_what_was_never_live(tmp_path: Path) -> None:
    async def story(world: World, platform: RenderPlatform) -> None:
        bad = await world.repo.push({"app/serve.py": "raise SystemExit(1)"})
        await world.render.idle()
        with pytest.raises(Refused, match="no successful deploy of"):
            await platform.roll_back("shop", bad)
        assert await greeting(world) == "hello"

    tell(World(tmp_path), told(story))


def test_locked_service_ignores_pushes_until_it_is_unlocked(tmp_path: Path) -> None:
    async def story(world: World, platform: RenderPlatform) -> None:
        await platform.set_auto_deploy("shop", False)
        await world.repo.push({"app/serve.py": WELCOME})
        await world.render.idle()
        assert await greeting(world) == "hello"
        await platform.set_auto_deploy("shop", True)
        await world.repo.push({"app/serve.py": WELCOME + "#"})
        await world.render.idle()
        assert await greeting(world) == "welcome"

    tell(World(tmp_path), told(story))


def test_adapter_says_what_to_do_about_a_wrong_name_or_key(tmp_path: Path) -> None:
    async def story(world: World, platform: RenderPlatform) -> None:
        with pytest.raises(Missing, match="no service named ghost"):
            await platform.deploys("ghost")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(world.render.app)) as client:
            with pytest.raises(Refused, match="set RENDER_API_KEY"):
                await RenderPlatform(client, base_url="http://render/v1", api_key="wrong").deploys("shop")

    tell(World(tmp_path), told(story))


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (httpx.Response(503), Retry, "503"),
        (httpx.Response(429, headers={"retry-after": "7"}), Retry, "rate limit"),
        (httpx.Response(403), Refused, "set RENDER_API_KEY"),
        (httpx.Response(404), Missing, "knows nothing"),
        (httpx.Response(400, text="bad name"), Refused, "bad name"),
        (httpx.Response(200, text="<html>"), Refused, "not Render's API"),
        (httpx.Response(200, json={"services": []}), Refused, "not a list of services"),
        (httpx.ConnectTimeout("slow"), Retry, "did not answer"),
        (httpx.ConnectError("refused"), Retry, "did not answer"),
    ],
)
def test_adapter_turns_every_failure_into_retry_or_refused(
    answer: httpx.Response | httpx.TransportError, error: type[Exception], says: str
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            await RenderPlatform(client, base_url="https://api.render.com/v1", api_key="k").deploys("shop")

    with pytest.raises(error, match=says) as caught:
        asyncio.run(story())
    if isinstance(caught.value, Retry) and "rate limit" in says:
        assert caught.value.after_s == 7


def test_adapter_reads_what_render_itself_answers() -> None:
    """Render's own shapes: nanoseconds in times, a deploy of a container image, states that the laptop never has."""
    services = [
        {"cursor": "x", "service": {"id": "srv-1", "name": "shop-old"}},
        {"cursor": "y", "service": {"id": "srv-2", "name": "shop"}},
    ]
    deploys = [
        {
            "cursor": "a",
            "deploy": {"id": "dep-3", "status": "pre_deploy_in_progress", "createdAt": "2026-05-20T11:00:23.620137123Z", "image": {}},
        },
        {
            "cursor": "b",
            "deploy": {
                "id": "dep-2",
                "commit": {"id": "abc", "message": "m", "createdAt": "2026-05-20T08:16:22Z"},
                "status": "deactivated",
                "createdAt": "2026-05-20T11:00:23Z",
                "finishedAt": "2026-05-20T11:04:50.667727Z",
            },
        },
    ]
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path} {request.headers['authorization']}")
        return httpx.Response(200, content=json.dumps(deploys if request.url.path.endswith("/deploys") else services))

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            platform = RenderPlatform(client, base_url="https://api.render.com/v1/", api_key="k")
            building, gone = await platform.deploys("shop")
            await platform.deploys("shop")
        assert (building.state, building.commit, building.finished_at_s) == ("building", "", None)
        assert (gone.state, gone.commit, gone.created_at_s) == ("gone", "abc", 1779274823.0)

    asyncio.run(story())
    assert asked == ["GET /v1/services Bearer k", "GET /v1/services/srv-2/deploys Bearer k", "GET /v1/services/srv-2/deploys Bearer k"]
