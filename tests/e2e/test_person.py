"""When it is not sure enough it asks: two thoughts, a pull request that waits, and a person whose word counts for exactly that head."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.journal import Call, CommandRecord, EscalationRecord, OutcomeRecord, PostMortemRecord
from bot.local.demo.story import wait_until_well
from bot.local.world import DEVELOPER, World
from tests.e2e.stage import Seen, all_incidents, play, until

pytestmark = pytest.mark.e2e(turn=3)


def ask_always(tree: Path) -> None:
    """A team that wants to approve everything: no confidence is high enough."""
    policy = tree / "policies" / "autonomy.yaml"
    text = policy.read_text(encoding="utf-8")
    assert "confidence_above: 0.90" in text
    policy.write_text(text.replace("confidence_above: 0.90", "confidence_above: 0.999"), encoding="utf-8")


def test_a_person_approves_what_the_bot_was_not_sure_enough_of(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.github.add_user("mallory", "read")
        mallory = await world.forge_of("mallory")
        await wait_until_well(world)
        await world.chaos.inject("dependency-timeout")

        async def one() -> Seen:
            return (await all_incidents(world))[0]

        async def asked() -> bool:
            return any(seen.count(EscalationRecord) for seen in await all_incidents(world))

        await until(world, asked, 120.0, "a person is asked")
        seen = await one()
        assert [e.record.call for e in seen.entries if isinstance(e.record, EscalationRecord)] == [Call.ASK]
        assert "sre:needs-human" in (await world.owner.issue(seen.issue.number)).labels
        assert [p.state for p in seen.pulls] == ["open"]
        pull = seen.pulls[0]

        await mallory.create_comment(pull.number, "/sre approve")
        refused = await _answer(world, pull.number, "mallory")
        assert not refused.accepted
        await world.developer.create_comment(pull.number, "looks right to me\n\n/sre approve")
        approved = await _answer(world, pull.number, DEVELOPER)
        assert (approved.accepted, approved.sha) == (True, pull.head_sha)

        async def remembered() -> bool:
            return bool((await one()).count(PostMortemRecord))

        await until(world, remembered, 90.0, "it is merged, healed and remembered")
        seen = await one()
        assert [p.state for p in seen.pulls] == ["merged"]
        assert [e.record.outcome for e in seen.entries if isinstance(e.record, OutcomeRecord)] == ["healed"]
        reactions = {(r.content, r.author) for c in await world.owner.comments(pull.number) for r in await world.owner.reactions(c.id)}
        assert {("eyes", world.bot_login), ("rocket", world.bot_login), ("confused", world.bot_login)} <= reactions

    play(tmp_path, story, change_tree=ask_always)


async def _answer(world: World, number: int, by: str) -> CommandRecord:
    """The bot's record of what it did with that person's command."""
    found: list[CommandRecord] = []

    async def answered() -> bool:
        comments = await world.owner.comments(number)
        records = [r for c in comments if c.author == world.bot_login for r in world.keyring.read(c.body, number)]
        found[:] = [r for r in records if isinstance(r, CommandRecord) and r.by == by]
        return bool(found)

    await until(world, answered, 40.0, f"{by} is answered")
    return found[0]
