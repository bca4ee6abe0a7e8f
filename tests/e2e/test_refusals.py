"""What must not happen: a merge without a green check, an unknown fault doing something, a stranger's marker being believed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bot.journal import Call, EscalationRecord, VerdictRecord
from bot.local.demo.story import wait_until_well
from bot.local.world import DEVELOPER, World
from tests.e2e.stage import all_incidents, play, until

pytestmark = pytest.mark.e2e(turn=2)


def fail_the_check(tree: Path) -> None:
    """The guardrail job judges as ever, and then ends red."""
    workflow = tree / ".github" / "workflows" / "guardrail.yml"
    text = workflow.read_text(encoding="utf-8")
    before = 'run: python -m bot gate --pull "$PULL"'
    assert before in text
    workflow.write_text(text.replace(before, f"{before} && exit 1"), encoding="utf-8")


def test_a_red_check_stops_the_merge_although_our_own_judgement_allows(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await wait_until_well(world)
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            unknown = await client.post(f"{world.url}/demo/inject-failure?type=meteor")
        assert unknown.status_code == 422
        assert "dependency-timeout" in unknown.text
        assert world.chaos.done == []

        await world.chaos.inject("dependency-timeout")

        async def called() -> bool:
            return any(one.count(EscalationRecord) for one in await all_incidents(world))

        await until(world, called, 120.0, "a person is called")
        (one,) = await all_incidents(world)
        assert [e.record.call for e in one.entries if isinstance(e.record, EscalationRecord)] == [Call.DISAGREE]
        assert [p.state for p in one.pulls] == ["open"]
        verdicts = await _verdicts(world, one.pulls[0].number)
        assert set(verdicts) == {"allow"}
        await _forge_an_incident(world, one.issue.body)
        assert len(await all_incidents(world)) == 1, "a copied marker under another name is nobody's incident"

    play(tmp_path, story, change_tree=fail_the_check)


async def _verdicts(world: World, number: int) -> list[str]:
    comments = await world.owner.comments(number)
    found = [record for c in comments for record in world.keyring.read(c.body, number)]
    return [str(r.verdict.decision) for r in found if isinstance(r, VerdictRecord)]


async def _forge_an_incident(world: World, body: str) -> None:
    """A developer opens an issue with the bot's own text, marker and label, and the control plane takes a few looks."""
    forged = await world.developer.create_issue("Look here", body, ["sre:incident"])
    assert forged.author == DEVELOPER
    await world.clock.sleep(3.0)
