"""The whole loop on real processes: each fault is found, blamed rightly, fixed by a merged pull request, measured healed and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.journal import AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord
from bot.local.world import World
from tests.e2e.stage import Quiet, all_incidents, break_and_watch, play, wait_until_well

RSS_LIMIT_MIB = 120.0

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("fault", ["dependency-timeout", "500"])
def test_a_fault_is_healed_and_the_second_time_from_memory(tmp_path: Path, fault: str) -> None:
    async def story(world: World) -> None:
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
        taken = [(r.seconds()["diagnose"] or 0.0) + (r.seconds()["decide"] or 0.0) for r in (first, second)]
        assert taken[1] < taken[0]
        assert world.serve.sample_memory() <= RSS_LIMIT_MIB
        seen = await all_incidents(world)
        assert len(seen) == 2
        for one in seen:
            assert one.issue.state == "closed"
            assert [p.state for p in one.pulls] == ["merged"]
            assert [one.count(kind) for kind in (AttemptRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord)] == [1, 1, 1, 1]
            body = one.pulls[0].body.lower()
            assert f"refs #{one.issue.number}" in body
            assert not any(word in body for word in ("closes #", "fixes #", "resolves #"))

    play(tmp_path, story)
