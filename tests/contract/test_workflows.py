"""The Forge contract: starting workflows and finding their runs again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.errors import Missing, Refused
from tests.contract.grounds import OpenGround, on_every_forge, tip


@on_every_forge
def test_a_dispatched_run_is_found_by_what_it_is_called(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            assert list(await g.forge.runs("diagnose.yml")) == []
            first = await g.forge.dispatch("diagnose.yml", ref="main", inputs={"issue": "7"})
            old = await tip(g.forge)
            new = await g.push("main", {"README.md": "moved on\n"})
            second = await g.forge.dispatch("diagnose.yml", ref="main", inputs={"issue": "8"})
            runs = await g.forge.runs("diagnose.yml")
            assert [(r.id, r.title, r.head_sha, r.event) for r in runs] == [
                (second, "diagnose #8", new, "workflow_dispatch"),
                (first, "diagnose #7", old, "workflow_dispatch"),
            ]
            assert {(r.path, r.status, r.conclusion, r.attempt) for r in runs} == {(".github/workflows/diagnose.yml", "queued", "", 1)}
            assert [r.id for r in await g.forge.runs("diagnose.yml", head_sha=old)] == [first]
            assert [r.id for r in await g.forge.runs("diagnose.yml", head_sha=old, event="push")] == []
            assert list(await g.forge.runs("guardrail.yml")) == [], "a workflow that is not there has no runs"

    asyncio.run(story())


@on_every_forge
def test_a_run_is_run_again_under_the_same_id_once_it_ended(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            run_id = await g.forge.dispatch("diagnose.yml", ref="main", inputs={"issue": "7"})
            with pytest.raises(Refused):
                await g.forge.rerun(run_id)
            await g.finish(run_id, "failure")
            (ended,) = await g.forge.runs("diagnose.yml")
            assert (ended.status, ended.conclusion) == ("completed", "failure")
            await g.forge.rerun(run_id)
            (again,) = await g.forge.runs("diagnose.yml")
            assert (again.id, again.attempt, again.status, again.conclusion) == (run_id, 2, "queued", "")

    asyncio.run(story())


@on_every_forge
def test_what_cannot_be_started_says_so(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            with pytest.raises(Missing):
                await g.forge.dispatch("nothing.yml", ref="main", inputs={"issue": "7"})
            with pytest.raises(Refused):
                await g.forge.dispatch("diagnose.yml", ref="nowhere", inputs={"issue": "7"})
            with pytest.raises(Refused):
                await g.forge.dispatch("../../issues", ref="main", inputs={"issue": "7"})
            assert list(await g.forge.runs("diagnose.yml")) == []

    asyncio.run(story())


@on_every_forge
def test_the_newest_hundred_runs_are_told(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            started = [await g.forge.dispatch("diagnose.yml", ref="main", inputs={"issue": str(n)}) for n in range(103)]
            assert [r.id for r in await g.forge.runs("diagnose.yml")] == started[:2:-1]

    asyncio.run(story())
