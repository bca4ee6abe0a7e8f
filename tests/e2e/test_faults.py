"""The whole loop on real processes: each fault is found, blamed rightly, fixed by a merged pull request, measured healed and remembered.

The second time the same kind of cause is answered from memory. Nothing depends on names: the second world is a renamed marketplace.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.journal import AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord
from bot.local.demo.report import Report
from bot.local.world import World
from tests.e2e.rename import rename
from tests.e2e.stage import Quiet, Seen, all_incidents, break_and_watch, play, wait_until_well

RSS_LIMIT_MIB = 120.0


async def heal_twice(world: World, fault: str) -> tuple[Report, Report]:
    """Breaks it twice in the same way, and checks what holds for every fault."""
    await wait_until_well(world)
    first = await break_and_watch(world, fault, Quiet())
    assert first.well, first
    assert (first.answered_by, first.verdict, first.attempts) == ("brain", "allow", 1)
    assert first.confidence is not None
    assert first.confidence > 0.90
    await wait_until_well(world)
    second = await break_and_watch(world, fault, Quiet())
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
    return first, second


async def remedies(world: World) -> list[tuple[str, str]]:
    """(kind, what it is about) of each incident's remedy as it is recorded on GitHub, oldest incident first."""
    found = [e.record.diagnosis.remedy for one in await all_incidents(world) for e in one.entries if isinstance(e.record, DiagnosisRecord)]
    return [(remedy.kind, remedy.commit or remedy.dependency) for remedy in found if remedy]


def check_record(one: Seen) -> None:
    assert one.issue.state == "closed"
    assert [p.state for p in one.pulls] == ["merged"]
    assert [one.count(kind) for kind in (AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord)] == [1, 1, 1, 1]
    body = one.pulls[0].body.lower()
    assert f"refs #{one.issue.number}" in body
    assert not any(word in body for word in ("closes #", "fixes #", "resolves #"))


@pytest.mark.e2e(turn=0)
def test_a_bad_release_is_reverted_and_the_second_time_from_memory(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        first, second = await heal_twice(world, "500")
        assert await remedies(world) == [("revert", r.injected_culprit) for r in (first, second)]

    play(tmp_path, story)


@pytest.mark.e2e(turn=2)
def test_a_hanging_dependency_is_bounded_whatever_it_is_called_and_with_the_owners_own_token(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        assert world.bot_login == (await world.owner.me()).login
        first, second = await heal_twice(world, "dependency-timeout")
        assert await remedies(world) == [("bound-dependency", r.injected_culprit) for r in (first, second)]
        assert first.culprit.startswith("partner-")
        assert second.culprit.startswith("partner-")
        for one in await all_incidents(world):
            assert one.incident.signal.operation == "POST /offers"
            comments = await world.owner.comments(one.issue.number)
            assert not [c for c in comments if "no command" in c.body.lower()], "its own words are never commands"

    play(tmp_path, story, bot_is_owner=True, change_tree=rename, seed=3)
