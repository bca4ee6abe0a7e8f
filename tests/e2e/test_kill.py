"""The control plane is killed after every single step, verification included, and the incident still heals once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.journal import AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord
from bot.local.contracts import RepoEvent
from bot.local.world import World
from tests.e2e.stage import Seen, all_incidents, play, until, wait_until_well

pytestmark = pytest.mark.e2e(turn=1)

HEALED_WITHIN_S = 150.0


class Reaper:
    """Kills the control plane (SIGKILL) after each write of the bot, and starts it again; `steps` names what it was killed after."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: list[str] = []
        self._last = "nothing"
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def heard(self, event: RepoEvent) -> None:
        if event.sender != self.world.bot_login or event.name in ("workflow_run", "check_run"):
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

    async def rest(self) -> None:
        await asyncio.gather(*self._tasks)


def test_killed_after_every_step_it_still_heals_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await wait_until_well(world)
        reaper = Reaper(world)
        world.github.subscribe(reaper.heard)
        await world.chaos.inject("500")

        async def merged() -> bool:
            return any(p.state == "merged" for one in await all_incidents(world) for p in one.pulls)

        await until(world, merged, HEALED_WITHIN_S, "a fix is merged")
        for _ in range(2):  # and while it verifies
            await asyncio.sleep(3.0)
            await reaper.reap()

        async def remembered() -> bool:
            return any(one.count(PostMortemRecord) for one in await all_incidents(world))

        await until(world, remembered, HEALED_WITHIN_S, "it is healed and remembered")
        await reaper.rest()
        await until(world, remembered, 10.0, "and stays so")
        _check(await all_incidents(world))
        assert len(reaper.steps) >= 8, reaper.steps
        assert any("edited" in step for step in reaper.steps), reaper.steps
        assert {"issues opened", "pull_request opened", "pull_request closed", "issues closed", "push"} <= set(reaper.steps)

        print(f"killed after {len(reaper.steps)} writes: {', '.join(reaper.steps)}")

    play(tmp_path, story)


def _check(seen: list[Seen]) -> None:
    assert len(seen) == 1, "one incident, one issue"
    one = seen[0]
    assert one.issue.state == "closed"
    assert [p.state for p in one.pulls] == ["merged"]
    assert [one.count(kind) for kind in (AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord)] == [1, 1, 1, 1]
    outcomes = [e.record for e in one.entries if isinstance(e.record, OutcomeRecord)]
    assert outcomes[0].outcome == "healed"
