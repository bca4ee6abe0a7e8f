"""What only a real git repository behind HTTP shows: file modes, bytes that are no text, conditional requests, an exhausted rate limit."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.errors import Refused, Retry
from tests.contract.grounds import BOT, GitHubGround, SimulatedClock, commit, connect, open_github, tip
from tests.local.github_world import world


async def add(g: GitHubGround, path: str, mode: str, content: str, encoding: str = "utf-8") -> None:
    """A file of that mode on main, as a person would push it."""
    w = g.world
    blob = await w.do("alice", "POST", "/git/blobs", {"content": content, "encoding": encoding})
    base = await w.do("alice", "GET", f"/git/commits/{await w.tip()}")
    entry = {"path": path, "mode": mode, "type": "blob", "sha": blob["sha"]}
    tree = await w.do("alice", "POST", "/git/trees", {"base_tree": base["tree"]["sha"], "tree": [entry]})
    made = await w.do("alice", "POST", "/git/commits", {"message": path, "tree": tree["sha"], "parents": [base["sha"]]})
    await w.do("alice", "PATCH", "/git/refs/heads/main", {"sha": made["sha"]})


async def modes(g: GitHubGround, sha: str) -> dict[str, str]:
    tree = await g.world.do("alice", "GET", f"/git/trees/{sha}?recursive=1")
    return {item["path"]: item["mode"] for item in tree["tree"] if item["type"] == "blob"}


def test_a_script_stays_executable_when_its_text_changes(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_github(tmp_path) as g:
            await add(g, "bin/start.sh", "100755", "#!/bin/sh\n")
            sha = await commit(g.forge, await tip(g.forge), {"bin/start.sh": "#!/bin/sh\nset -e\n", "bin/new.sh": "x\n"})
            after = await modes(g, sha)
            assert (after["bin/start.sh"], after["bin/new.sh"], after["README.md"]) == ("100755", "100644", "100644")
            assert await g.forge.read_file("bin/start.sh", sha) == "#!/bin/sh\nset -e\n"

    asyncio.run(story())


def test_a_link_is_not_overwritten_with_a_text(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_github(tmp_path) as g:
            await add(g, "config.yaml", "120000", "/etc/passwd")
            with pytest.raises(Refused, match="not a plain file"):
                await commit(g.forge, await tip(g.forge), {"config.yaml": "timeout_s: 1\n"})

    asyncio.run(story())


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_github(tmp_path) as g:
            await add(g, "logo.png", "100644", "iVBORw0KGgoAAAD/", "base64")
            with pytest.raises(Refused, match="not UTF-8"):
                await g.forge.read_file("logo.png", "main")

    asyncio.run(story())


def test_half_a_surrogate_pair_from_telemetry_does_not_stop_a_comment(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_github(tmp_path) as g:
            number = (await g.forge.create_issue("slow \ud83d", "before \udc00 after", [])).number
            await g.forge.create_comment(number, "whole 🙂, half \ud83d")
            assert (await g.forge.issue(number)).body == "before ? after"
            assert [c.body for c in await g.forge.comments(number)] == ["whole 🙂, half ?"]
            assert await g.forge.branch_sha("half-\ud83d") is None and await g.forge.read_file("half-\ud83d", "main") is None

    asyncio.run(story())


def test_asking_again_costs_no_rate_limit_until_something_changes(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_github(tmp_path) as g:
            number = (await g.forge.create_issue("slow", "", [])).number

            async def used() -> int:
                answer = await g.world.ask(BOT, "GET", "")
                return int(answer.headers["x-ratelimit-used"])

            await g.forge.comments(number)
            before = await used()
            for _ in range(5):
                assert await g.forge.comments(number) == []
            assert await used() == before + 1, "only our own look at the meter was counted"
            await g.forge.create_comment(number, "news")
            assert [c.body for c in await g.forge.comments(number)] == ["news"]

    asyncio.run(story())


def test_when_the_rate_limit_is_used_up_nothing_more_is_asked_until_it_is_reset(tmp_path: Path) -> None:
    async def story() -> None:
        clock = SimulatedClock(1_790_000_000.0)  # 2,800 s before the hour ends
        async with world(tmp_path, clock=clock.now, rate_limit=2) as w, AsyncExitStack() as stack:
            forge = await connect(w, BOT, stack, clock)
            assert [await forge.permission(login) for login in ("alice", "wendy")] == ["admin", "write"]
            with pytest.raises(Retry, match="rate limit exceeded") as told:
                await forge.permission("rita")
            assert told.value.after_s == 2801.0
            await clock.sleep(100.0)
            with pytest.raises(Retry, match="used up for 2701 s"):
                await forge.create_issue("slow", "", [])
            await clock.sleep(2701.0)
            assert await forge.permission("rita") == "read"

    asyncio.run(story())
