"""Stories of deploys: a push goes live without a failed request, a bad one leaves the old instance, only the newest waits."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import httpx
import pytest

from bot.errors import Refused
from bot.local.ports import free_port
from bot.local.render.health import wait_until_healthy
from bot.local.render.host import Limits
from tests.local.render_world import BLUEPRINT, SERVICE, World, eventually, groups_below, start, tell

BROKEN_HEALTH = SERVICE.replace("STATUS = 200", "STATUS = 503")


async def ask(url: str) -> dict[str, object]:
    async with httpx.AsyncClient(verify=False) as client:
        answer: dict[str, object] = (await client.get(url)).raise_for_status().json()
        return answer


def test_push_is_served_at_the_same_address_without_a_failed_request(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        url = world.render.urls["shop"]
        seen: list[tuple[float, str]] = []  # (when it was asked, what was answered)
        done = asyncio.Event()

        async def customer(client: httpx.AsyncClient) -> None:
            while not done.is_set():
                asked_s = time.monotonic()
                answer = await client.get(url)
                assert answer.status_code == 200
                seen.append((asked_s, answer.json()["greeting"]))

        async with (
            httpx.AsyncClient(verify=False) as keeps_alive,
            httpx.AsyncClient(verify=False, limits=httpx.Limits(max_keepalive_connections=0)) as reconnects,
        ):
            customers = [asyncio.create_task(customer(c)) for c in (keeps_alive, keeps_alive, reconnects)]
            await world.repo.push({"app/serve.py": SERVICE.replace('"hello"', '"welcome"')})
            await world.render.idle()
            switched_s = time.monotonic()
            await eventually(lambda: len(groups_below(world.workdir)) == 1)  # the old instance is gone
            await asyncio.sleep(0.1)
            done.set()
            await asyncio.gather(*customers)
        assert seen[0][1] == "hello"
        assert {greeting for asked_s, greeting in seen if asked_s >= switched_s} == {"welcome"}
        assert world.render.urls["shop"] == url
        assert [s for _, s in world.statuses()] == ["live", "deactivated"]

    tell(World(tmp_path), story)


def test_request_in_flight_at_the_switch_is_answered_by_the_instance_that_took_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        slow = asyncio.create_task(ask(world.render.urls["shop"] + "/slow"))
        await world.repo.push({"app/serve.py": SERVICE.replace('"hello"', '"welcome"')})
        await world.render.idle()
        assert (await ask(world.render.urls["shop"]))["greeting"] == "welcome"
        assert (await slow)["greeting"] == "hello"

    tell(World(tmp_path), story)


def test_unhealthy_release_leaves_the_old_one_serving(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        bad = await world.repo.push({"app/serve.py": BROKEN_HEALTH})
        await world.render.idle()
        assert world.statuses() == [(bad[:7], "update_failed"), (world.first_commit[:7], "live")]
        assert (await ask(world.render.urls["shop"]))["greeting"] == "hello"
        assert "/healthz was not healthy within 0.6 s" in world.render.log("shop")
        assert len(groups_below(world.workdir)) == 1
        assert len(list((world.workdir / "shop" / "deploys").iterdir())) == 1

    tell(World(tmp_path, limits=Limits(healthy_s=0.6, shutdown_s=1)), story)


def test_release_that_exits_at_once_fails_without_waiting_for_the_health_check(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        started_s = time.monotonic()
        await world.repo.push({"app/serve.py": "raise SystemExit('no configuration')"})
        await world.render.idle()
        assert time.monotonic() - started_s < 3
        assert world.statuses()[0][1] == "update_failed"
        assert "no configuration" in world.render.log("shop")
        assert "exited with 1 before it was healthy" in world.render.log("shop")

    tell(World(tmp_path), story)


def test_failing_build_is_a_failed_deploy_and_leaves_no_process(tmp_path: Path) -> None:
    build = BLUEPRINT.replace('"true"', '"sh app/build.sh"')

    async def story(world: World) -> None:
        await world.repo.push({"app/build.sh": "sleep 60 & echo no compiler >&2; exit 7"})
        await world.render.idle()
        assert world.statuses()[0][1] == "build_failed"
        assert "no compiler" in world.render.log("shop") and "Build command exited with 7" in world.render.log("shop")
        assert (await ask(world.render.urls["shop"]))["greeting"] == "hello"
        assert len(groups_below(world.workdir)) == 1  # the sleeping child of the build is gone too

    tell(World(tmp_path, blueprint=build, files={"app/build.sh": "exit 0"}), story)


def test_build_that_never_ends_is_stopped(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"app/build.sh": "sleep 60"})
        await world.render.idle()
        assert world.statuses()[0][1] == "build_failed"
        assert "did not end within 0.3 s" in world.render.log("shop")

    build = BLUEPRINT.replace('"true"', '"sh app/build.sh"')
    tell(World(tmp_path, blueprint=build, files={"app/build.sh": "exit 0"}, limits=Limits(build_s=0.3)), story)


def test_only_pushes_that_change_the_services_paths_deploy_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"README.md": "other"})
        await world.repo.push({"app/notes.md": "ignored by ignoredPaths"})
        await world.repo.push({"app/serve.py": SERVICE + "# 1"}, "tidy [skip render]")
        await world.repo.push({"app/serve.py": SERVICE + "# 2"}, branch="feature")
        await world.render.idle()
        assert world.statuses() == [(world.first_commit[:7], "live")]
        wanted = await world.repo.push({"app/serve.py": SERVICE + "# 3", "README.md": "both"})
        await world.render.idle()
        assert world.statuses()[0] == (wanted[:7], "live")

    tell(World(tmp_path), story)


def test_only_the_newest_of_the_waiting_pushes_is_deployed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        shas = [await world.repo.push({"app/serve.py": SERVICE + f"# {n}"}) for n in range(4)]
        waiting = dict(world.statuses())
        assert waiting[shas[0][:7]] in {"build_in_progress", "update_in_progress"} and waiting[shas[3][:7]] == "queued"
        await world.render.idle()
        after = [status for _, status in world.statuses()]
        assert after == ["live", "canceled", "canceled", "deactivated", "deactivated"]
        answer = await ask(world.render.urls["shop"])
        assert isinstance(answer["env"], dict) and answer["env"]["RENDER_GIT_COMMIT"] == shas[3]

    tell(World(tmp_path), story)


def test_crashed_instance_is_started_again_at_the_same_address(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        url = world.render.urls["shop"]
        before = (await ask(url))["pid"]
        with pytest.raises(httpx.TransportError):
            await ask(url + "/crash")
        deadline_s = time.monotonic() + 5
        while True:
            try:
                after = (await ask(url))["pid"]
                break
            except httpx.HTTPError:  # 502 or a closed connection until it is back
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.02)
        assert after != before
        assert [s for _, s in world.statuses()] == ["live"]

    tell(World(tmp_path), story)


def test_stop_in_the_middle_of_a_deploy_leaves_no_process_and_no_checkout(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"app/serve.py": "import time\nprint('up', flush=True)\ntime.sleep(60)"})
        await eventually(lambda: "up\n" in world.render.log("shop"))
        assert len(groups_below(world.workdir)) == 2
        await world.render.stop()
        assert groups_below(world.workdir) == set()
        assert not (world.workdir / "shop" / "deploys").exists()
        await world.repo.push({"app/serve.py": SERVICE})
        assert len(world.statuses()) == 2  # a stopped Render no longer listens

    tell(World(tmp_path), story)


def test_service_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = SERVICE.replace('GREETING = "hello"', 'GREETING = "deaf"\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)')
    world = World(tmp_path, files={"app/serve.py": deaf}, limits=Limits(shutdown_s=0.2))

    async def story(world: World) -> None:
        assert (await ask(world.render.urls["shop"]))["greeting"] == "deaf"

    tell(world, story)  # tell() asserts that nothing is left


def test_first_deploy_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, files={"app/serve.py": "raise SystemExit('DATABASE_URL is missing')"})
    with pytest.raises(Refused, match=r"first deploy of shop ended as update_failed(.|\n)*DATABASE_URL is missing"):
        start(world)
    assert groups_below(world.workdir) == set()


def test_deploy_takes_less_than_300_ms_more_than_the_service_itself(tmp_path: Path) -> None:
    async def own_start_s() -> float:
        """The same service started by hand, until it is healthy."""
        (tmp_path / "serve.py").write_text(SERVICE, encoding="utf-8")
        port = free_port()
        env = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "RENDER_SERVICE_NAME": "shop"}
        started_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(sys.executable, tmp_path / "serve.py", env=env, stdout=asyncio.subprocess.DEVNULL)
        try:
            assert await wait_until_healthy(port, "/healthz", limit_s=5)
            return time.monotonic() - started_s
        finally:
            process.kill()
            await process.wait()

    async def story(world: World) -> None:
        overheads_s = []
        for n in range(3):
            alone_s = await own_start_s()
            await world.repo.push({"app/serve.py": SERVICE + f"# {n}"})
            await world.render.idle()
            newest = world.render.deploys("shop")[0]
            assert newest.finished_at_s is not None
            overheads_s.append(newest.finished_at_s - newest.created_at_s - alone_s)
        print(f"overhead of a deploy: {', '.join(f'{s * 1000:.0f} ms' for s in overheads_s)}")
        assert min(overheads_s) < 0.3, overheads_s

    tell(World(tmp_path / "world"), story)
