"""The stage of the end-to-end tests: the laptop's world in a temporary folder, real processes, and a story told on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.ensure import Entry, incidents, read_entries
from bot.forge import Issue, Pull
from bot.journal import AttemptRecord, DiagnosisRecord, IncidentRecord, OutcomeRecord, PostMortemRecord
from bot.local.demo.follow import Follower
from bot.local.demo.report import Report
from bot.local.demo.screen import Quiet
from bot.local.demo.story import break_and_watch, wait_until_well
from bot.local.world import World, WorldSettings
from bot.model import Event
from bot.names import parse_branch

Story = Callable[[World], Awaitable[None]]
RSS_LIMIT_MIB = 120.0
POLL_S = 0.5
RPS = 5.0  # fewer customers than in a demo: two worlds share two processors with other tests


def play(
    folder: Path, story: Story, *, bot_is_owner: bool = False, change_tree: Callable[[Path], None] | None = None, seed: int = 7
) -> None:
    """Brings a world up, tells the story, takes the world down and checks that no process is left behind."""

    async def whole() -> None:
        settings = WorldSettings(folder, port=0, github_port=0, seed=seed, rps=RPS, bot_is_owner=bot_is_owner, change_tree=change_tree)
        world = World(settings)
        await world.start(lambda line: None)
        follower = Follower(world.url, lambda event: None)
        following = asyncio.create_task(follower.run())
        try:
            await story(world)
        except BaseException as failure:
            failure.add_note(_told(world, follower.events))
            raise
        finally:
            following.cancel()
            await world.stop()

    asyncio.run(whole())
    left = [p.pid for p in psutil.Process(os.getpid()).children(recursive=True) if _works_in(p, folder)]
    assert not left, f"processes left behind: {left}"


def _told(world: World, events: Sequence[Event]) -> str:
    """What was thought, and the control plane's log: so that a failure can be understood from its report."""
    thoughts = "\n".join(f"{e.at_s - events[0].at_s:7.1f}s {e.agent:10} {e.text}" for e in events[-60:])
    log = world.serve.log.read_text(errors="replace")[-3000:] if world.serve.log.exists() else ""
    return f"--- thoughts\n{thoughts}\n--- log of the control plane\n{log}"


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in process.cwd()
    except psutil.Error:
        return False


@dataclass(frozen=True)
class Seen:
    """One incident as GitHub records it."""

    issue: Issue
    incident: IncidentRecord
    entries: tuple[Entry, ...]
    pulls: tuple[Pull, ...]

    def count(self, kind: type) -> int:
        return sum(isinstance(entry.record, kind) for entry in self.entries)


async def all_incidents(world: World) -> list[Seen]:
    pulls = [(parse_branch(pull.branch), pull) for pull in reversed(await world.owner.recent_pulls())]
    found = []
    for issue, incident in await incidents(world.owner, world.keyring, world.bot_login, "all"):
        entries = await read_entries(world.owner, world.keyring, issue.number, world.bot_login)
        own = tuple(pull for branch, pull in pulls if branch and (branch.issue, branch.fingerprint) == (issue.number, incident.fingerprint))
        found.append(Seen(issue, incident, entries, own))
    return found


async def again_from_memory(world: World, first: Report) -> Report:
    """Breaks it once more in the same way, after `first` was healed by Brain, and checks what holds for every fault."""
    assert first.well, first
    assert (first.answered_by, first.verdict, first.attempts) == ("brain", "allow", 1)
    assert first.confidence is not None
    assert first.confidence > 0.90
    await wait_until_well(world)
    second = await break_and_watch(world, first.fault, Quiet())
    assert second.well, second
    assert (second.answered_by, second.attempts) == ("cag", 1)
    assert second.injected_culprit != first.injected_culprit
    thought_s, remembered_s = (r.seconds()["diagnose"] for r in (first, second))
    assert thought_s is not None and remembered_s is not None
    assert remembered_s < thought_s / 2, "what comes after it, the guardrail's job, memory makes no shorter"
    assert world.serve.sample_memory() <= RSS_LIMIT_MIB
    seen = await all_incidents(world)
    assert len(seen) == 2
    for one in seen:
        check_record(one)
    return second


async def remedies(world: World) -> list[tuple[str, str]]:
    """(kind, what it is about) of each incident's remedy as it is recorded on GitHub, oldest incident first."""
    found = [e.record.diagnosis.remedy for one in await all_incidents(world) for e in one.entries if isinstance(e.record, DiagnosisRecord)]
    return [(remedy.kind, remedy.commit or remedy.dependency) for remedy in found if remedy]


def check_record(one: Seen) -> None:
    """One attempt, one diagnosis, one pull request, one outcome, one post-mortem: what a healed incident leaves behind."""
    assert one.issue.state == "closed"
    assert [p.state for p in one.pulls] == ["merged"]
    assert [one.count(kind) for kind in (AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord)] == [1, 1, 1, 1]
    body = one.pulls[0].body.lower()
    assert f"refs #{one.issue.number}" in body
    assert not any(word in body for word in ("closes #", "fixes #", "resolves #"))


async def until(world: World, holds: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    deadline_s = world.clock.now() + within_s
    while not await holds():
        assert world.clock.now() < deadline_s, f"{what}: not within {within_s:.0f} s; logs in {world.settings.workdir / 'logs'}"
        await asyncio.sleep(POLL_S)
