"""When it is not sure enough it asks: two thoughts, a pull request that waits, and a person whose word counts for exactly that head.

That word is no merge either: the team's own check has to be green, whatever our judgement says. And strangers have no effect at all.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bot.journal import Call, CommandRecord, EscalationRecord, OutcomeRecord, PostMortemRecord, VerdictRecord
from bot.local.demo.story import wait_until_well
from bot.local.world import DEVELOPER, World
from bot.model import Decision
from tests.e2e.stage import Seen, all_incidents, play, until

FREEZE = "freeze"


def ask_always_and_respect_freezes(tree: Path) -> None:
    """A team that wants to approve everything (no confidence is high enough), and whose check is red while a pull request is frozen."""
    _change(tree / "policies" / "autonomy.yaml", "confidence_above: 0.90", "confidence_above: 0.999")
    judging = 'run: python -m bot gate --pull "$PULL"'
    frozen = f"${{{{ contains(github.event.pull_request.labels.*.name, '{FREEZE}') }}}}"
    _change(tree / ".github" / "workflows" / "guardrail.yml", judging, f'{judging} && test "{frozen}" = false')


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.e2e(turn=3)
def test_a_person_approves_what_the_bot_was_not_sure_enough_of_and_a_red_check_stops_it_all_the_same(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.github.add_user("mallory", "read")
        mallory = await world.forge_of("mallory")
        await wait_until_well(world)
        await _ask_for_an_unknown_fault(world)
        await world.chaos.inject("dependency-timeout")

        seen = await _called(world, [Call.ASK])
        assert "sre:needs-human" in (await world.owner.issue(seen.issue.number)).labels
        (pull,) = seen.pulls
        assert pull.state == "open"

        await mallory.create_comment(pull.number, "/sre approve")
        refused = await _answer(world, pull.number, "mallory")
        assert not refused.accepted
        await world.developer.add_labels(pull.number, [FREEZE])
        await world.developer.create_comment(pull.number, "looks right to me\n\n/sre approve")
        approved = await _answer(world, pull.number, DEVELOPER)
        assert (approved.accepted, approved.sha) == (True, pull.head_sha)

        seen = await _called(world, [Call.ASK, Call.DISAGREE])
        assert [p.state for p in seen.pulls] == ["open"], "our own judgement allows, the check is red"
        assert await _last_decision(world, pull.number) is Decision.ALLOW
        await _forge_an_incident(world, seen.issue.body)
        assert len(await all_incidents(world)) == 1, "a copied marker under another name is nobody's incident"

        await world.developer.remove_label(pull.number, FREEZE)

        async def remembered() -> bool:
            return any(one.count(PostMortemRecord) for one in await all_incidents(world))

        await until(world, remembered, 90.0, "it is merged, healed and remembered")
        (seen,) = await all_incidents(world)
        assert [p.state for p in seen.pulls] == ["merged"]
        assert [e.record.outcome for e in seen.entries if isinstance(e.record, OutcomeRecord)] == ["healed"]
        reactions = {(r.content, r.author) for c in await world.owner.comments(pull.number) for r in await world.owner.reactions(c.id)}
        assert {("eyes", world.bot_login), ("rocket", world.bot_login), ("confused", world.bot_login)} <= reactions

    play(tmp_path, story, change_tree=ask_always_and_respect_freezes)


async def _ask_for_an_unknown_fault(world: World) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
        unknown = await client.post(f"{world.url}/demo/inject-failure?type=meteor")
    assert unknown.status_code == 422
    assert "dependency-timeout" in unknown.text
    assert world.chaos.done == []


async def _called(world: World, calls: list[Call]) -> Seen:
    """The one incident, as soon as a person was called that often; and for these reasons."""
    found: list[Seen] = []

    async def enough() -> bool:
        found[:] = await all_incidents(world)
        return any(one.count(EscalationRecord) >= len(calls) for one in found)

    await until(world, enough, 120.0, f"a person is called: {', '.join(calls)}")
    (one,) = found
    assert [e.record.call for e in one.entries if isinstance(e.record, EscalationRecord)] == calls
    return one


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


async def _last_decision(world: World, number: int) -> Decision:
    comments = await world.owner.comments(number)
    found = [r for c in comments if c.author == world.bot_login for r in world.keyring.read(c.body, number)]
    return [r.verdict.decision for r in found if isinstance(r, VerdictRecord)][-1]


async def _forge_an_incident(world: World, body: str) -> None:
    """A developer opens an issue with the bot's own text, marker and label, and the control plane takes a few looks."""
    forged = await world.developer.create_issue("Look here", body, ["sre:incident"])
    assert forged.author == DEVELOPER
    await world.clock.sleep(3.0)
