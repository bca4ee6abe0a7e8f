"""A bad release is reverted, although the control plane is killed after every single step, verification included; it heals once.

Then it is landed again, and nobody is killed: memory knows what to do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.local.contracts import RepoEvent
from bot.local.demo.story import known_issues, wait_until_well, watch
from bot.local.world import World
from tests.e2e.stage import again_from_memory, all_incidents, check_record, play, remedies, until

HEALED_WITHIN_S = 150.0


class Reaper:
    """Kills the control plane (SIGKILL) after each write of the bot, and starts it again; `steps` names what it was killed after."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: list[str] = []
        self._last = "nothing"
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = False

    async def heard(self, event: RepoEvent) -> None:
        if self._gone or event.sender != self.world.bot_login or event.name in ("workflow_run", "check_run"):
            return
        step = f"{event.name} {event.action or ''}".strip()
        if event.action == "edited":  # the status comment, said anew after a step: killed after once for each step
            step = f"{step} after {self._last}"
            if step in self.steps:
                return
        else:
            self._last = step
        self.steps.append(step)
        task = asyncio.create_task(self.reap())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reap(self) -> None:
        async with self._turn:
            await self.world.serve.kill()
            await self.world.start_serve()

    async def leave(self) -> None:
        """Ends what it has begun, and nothing more is killed."""
        self._gone = True
        await asyncio.gather(*self._tasks)


@pytest.mark.e2e(turn=0)
def test_a_bad_release_is_reverted_once_whatever_is_killed_and_the_second_time_from_memory(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await wait_until_well(world)
        before, reaper = await known_issues(world), Reaper(world)
        world.github.subscribe(reaper.heard)
        injected = await world.chaos.inject("500")
        healing = asyncio.create_task(watch(world, injected, before))

        async def merged() -> bool:
            return any(p.state == "merged" for one in await all_incidents(world) for p in one.pulls)

        await until(world, merged, HEALED_WITHIN_S, "a fix is merged")
        for _ in range(2):  # and while it verifies
            await asyncio.sleep(3.0)
            await reaper.reap()
        first = await healing
        await reaper.leave()
        (one,) = await all_incidents(world)
        check_record(one)
        assert len(reaper.steps) >= 8, reaper.steps
        assert any("edited" in step for step in reaper.steps), reaper.steps
        assert {"issues opened", "pull_request opened", "pull_request closed", "issues closed", "push"} <= set(reaper.steps)
        print(f"killed after {len(reaper.steps)} writes: {', '.join(reaper.steps)}")

        second = await again_from_memory(world, first)
        assert await remedies(world) == [("revert", r.injected_culprit) for r in (first, second)]

    play(tmp_path, story)
