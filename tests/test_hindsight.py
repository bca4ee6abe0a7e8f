"""People correct what is remembered at any time: under any closed incident, under its pull request, and by closing a fix."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from bot.chronicle import REMEMBERED_INCIDENTS, TOUCHED_INCIDENTS, Chronicle
from bot.hindsight import ANSWERS_A_SWEEP, LAG_S, PLACES_A_SWEEP
from bot.journal import CommandRecord, EscalationRecord, OutcomeRecord, PostMortemRecord
from bot.loop import RECENTLY_CLOSED_S
from bot.model import OutcomeKind, UseResult
from bot.names import CURATOR_WORKFLOW, DIAGNOSE_WORKFLOW, HOLD_LABEL
from bot.topics import WAKE
from tests.diagnosis.test_lessons import diagnosed
from tests.hindsight_world import BOT, KEYRING, Room

POSTGRES = "/sre correct cause=postgres it ran out of connections"
THEIRS = "postgres. it ran out of connections"
Story = Callable[[Room], Coroutine[Any, Any, None]]


def play(story: Story) -> None:
    asyncio.run(story(Room()))


async def settle(room: Room) -> None:
    """The process has looked everywhere, and nothing has changed for a while."""
    for _ in range(6):
        await room.sweep(later_s=LAG_S)


# --- what is said


def test_what_is_said_under_the_oldest_incident_is_answered_once_and_remembered() -> None:
    async def story(room: Room) -> None:
        oldest, *_ = [await room.healed() for _ in range(12)]
        await settle(room)
        assert (await room.lesson(oldest)).uses[0].result is UseResult.HEALED
        comment = await room.say("ann", oldest, POSTGRES)
        await room.sweep()
        (answer,) = await room.answers(oldest)
        assert (answer.comment_id, answer.verb, answer.by, answer.accepted) == (comment, "correct", "ann", True)
        assert await room.reactions(comment) == ["eyes", "rocket"]
        lesson = await room.lesson(oldest)
        assert (lesson.cause, lesson.uses[0].result) == (THEIRS, UseResult.CORRECTED)
        before = room.forge.hub.tables.copy()
        await settle(room)
        assert room.forge.hub.tables == before

    play(story)


def test_a_webhook_is_enough_no_sweep_is_waited_for() -> None:
    async def story(room: Room) -> None:
        number = await room.healed()
        await settle(room)
        running = asyncio.create_task(room.loop.run())  # its clock stands still: after the first one no sweep is due
        await asyncio.sleep(0.05)
        await room.say("ann", number, POSTGRES)
        room.bus.publish(WAKE, "webhook issue_comment.created")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if await room.answers(number):
                break
        running.cancel()
        assert len(await room.answers(number)) == 1

    play(story)


def test_a_lost_webhook_and_a_restart_only_delay_it_and_a_sweep_looks_at_a_few_places_only() -> None:
    async def story(room: Room) -> None:
        oldest, *others = [await room.healed() for _ in range(12)]
        await settle(room)
        await room.say("ann", oldest, POSTGRES)
        for number in others:  # whatever else has changed meanwhile
            room.clock.now_s += LAG_S
            await room.say("ann", number, "thanks")
        room.clock.now_s += 86_400.0
        room.start()
        for _ in range(2):  # twelve places, the ones that changed last first
            looked = room.forge.asked
            await room.sweep()
            assert room.forge.asked - looked == PLACES_A_SWEEP and await room.answers(oldest) == []
        await room.sweep()
        assert len(await room.answers(oldest)) == 1
        await settle(room)
        looked = room.forge.asked
        await settle(room)
        assert room.forge.asked == looked, "where nothing changes, nothing is read"

    play(story)


def test_a_list_of_comments_that_is_late_hides_nothing() -> None:
    async def story(room: Room) -> None:
        number = await room.healed()
        await settle(room)
        before = room.forge.hub.tables.copy()
        await room.say("ann", number, POSTGRES)
        now = room.forge.hub.tables
        room.forge.show(replace(now, comments=before.comments))
        await room.sweep()
        assert await room.answers(number) == []
        room.forge.show(None)
        await room.sweep()
        assert len(await room.answers(number)) == 1

    play(story)


def test_many_commands_are_answered_a_few_a_sweep() -> None:
    async def story(room: Room) -> None:
        number, other = await room.healed(), await room.healed()
        await room.say("ann", other, POSTGRES)
        room.clock.now_s += 5.0
        for _ in range(2 * ANSWERS_A_SWEEP):
            await room.say("rita", number, "/sre help")
        for sweep in (1, 2):
            await room.sweep()
            assert len(await room.answers(number)) == sweep * ANSWERS_A_SWEEP and await room.answers(other) == []
        await room.sweep()
        assert len(await room.answers(other)) == 1

    play(story)


def test_without_the_right_to_write_nothing_is_corrected_and_that_is_said() -> None:
    async def story(room: Room) -> None:
        number = await room.healed()
        comment = await room.say("rita", number, POSTGRES)
        await room.sweep()
        (answer,) = await room.answers(number)
        assert not answer.accepted and await room.reactions(comment) == ["eyes", "confused"]
        assert "needs write permission" in (await room.forge.comments(number))[-1].body
        assert (await room.lesson(number)).uses[0].result is UseResult.HEALED

    play(story)


def test_a_correction_under_the_pull_request_of_a_fix_is_answered_there_and_remembered_of_its_incident() -> None:
    async def story(room: Room) -> None:
        await room.healed()
        number = await room.incident()
        await room.sweep()
        pull = await room.pull()
        await room.forge.as_user("ann").merge(pull.number, sha=pull.head_sha, title="t", message="m")
        await room.record(number, OutcomeRecord(1, OutcomeKind.HEALED, "well again", room.clock.now_s))
        await room.learn(number)
        await room.forge.update_issue(number, state="closed")
        room.clock.now_s += 2 * RECENTLY_CLOSED_S
        await settle(room)
        comment = await room.say("ann", pull.number, POSTGRES)
        await room.sweep()
        assert await room.reactions(comment) == ["eyes", "rocket"]
        assert len(await room.answers(pull.number)) == len(await room.answers(number)) == 1
        assert (await room.lesson(number)).cause == THEIRS
        before = room.forge.hub.tables.copy()
        await settle(room)
        assert room.forge.hub.tables == before

    play(story)


def test_a_correction_under_a_pull_request_is_answered_there_also_when_the_process_died_in_between() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        pull = await room.pull()
        await room.say("ann", pull.number, POSTGRES)
        room.forge.locked = pull.number
        await room.sweep()
        assert len(await room.answers(number)) == 1 and await room.answers(pull.number) == []
        room.forge.locked = 0
        room.start()
        await room.sweep()
        assert len(await room.answers(number)) == len(await room.answers(pull.number)) == 1

    play(story)


def test_of_an_incident_in_which_nothing_was_tried_what_a_person_says_is_the_lesson() -> None:
    async def story(room: Room) -> None:
        number = await room.incident()
        await room.forge.as_user("ann").update_issue(number, state="closed")
        assert (await room.remembered()).lessons == ()
        room.clock.now_s += 2 * RECENTLY_CLOSED_S
        await room.say("ann", number, POSTGRES)
        await room.sweep()
        (lesson,) = (await room.remembered()).lessons
        assert (lesson.issue, lesson.cause, lesson.uses) == (number, THEIRS, ()) and THEIRS in lesson.text

    play(story)


def test_a_correction_of_one_that_is_older_than_what_is_remembered_reaches_memory_too() -> None:
    async def story(room: Room) -> None:
        oldest, second, *_ = [await room.healed() for _ in range(REMEMBERED_INCIDENTS + TOUCHED_INCIDENTS + 2)]
        for number in range(second + 1, second + 1 + TOUCHED_INCIDENTS):  # of the older ones all but these two
            await room.say("ann", number, "thanks")
        known = {one.issue for one in (await room.remembered()).lessons}
        assert oldest not in known and second not in known and len(known) == REMEMBERED_INCIDENTS + TOUCHED_INCIDENTS
        room.clock.now_s += 1.0
        await room.say("ann", oldest, POSTGRES)
        await room.sweep()
        assert (await room.lesson(oldest)).cause == THEIRS

    play(story)


def test_a_place_that_refuses_an_answer_does_not_keep_the_others_from_theirs() -> None:
    async def story(room: Room) -> None:
        locked, other = await room.healed(), await room.healed()
        await room.say("ann", other, POSTGRES)
        room.clock.now_s += 5.0
        await room.say("ann", locked, POSTGRES)
        room.forge.locked = locked
        await room.sweep()
        assert len(await room.answers(other)) == 1 and any(
            text.startswith(f"could not answer under #{locked}: ") for text in room.heard.texts
        )

    play(story)


def test_a_correction_without_words_is_no_correction() -> None:
    async def story(room: Room) -> None:
        number = await room.healed()
        comment = await room.say("ann", number, "/sre correct")
        await room.sweep()
        assert await room.reactions(comment) == ["eyes", "confused"] and "What was it?" in (await room.forge.comments(number))[-1].body
        assert (await room.lesson(number)).uses[0].result is UseResult.HEALED

    play(story)


def test_a_running_process_notices_what_is_said_under_an_incident_that_it_has_read_before() -> None:
    async def story(room: Room) -> None:
        number = await room.healed()
        chronicle = Chronicle(KEYRING, BOT)
        (before,) = await chronicle.past(room.forge)
        assert [use.result for use in before.uses] == [UseResult.HEALED]
        await room.record(number, CommandRecord(77, "correct", "ann", True, argument="cause=postgres"))
        (after,) = await chronicle.past(room.forge)
        assert [use.result for use in after.uses] == [UseResult.CORRECTED]

    play(story)


def test_a_post_mortem_that_somebody_copied_or_forged_is_not_remembered() -> None:
    async def story(room: Room) -> None:
        number, second = await room.healed(), await room.incident()
        (real,) = [r for r in await room.records(number) if isinstance(r, PostMortemRecord)]
        for text in (KEYRING.seal(real, number), KEYRING.seal(real, second)):
            await room.say("ann", second, f"### Post-mortem\n\n{text}")
        await room.forge.as_user("ann").update_issue(second, state="closed")
        assert [one.issue for one in (await room.remembered()).lessons] == [number]

    play(story)


# --- what is done


async def proposed(room: Room) -> int:
    """An incident whose fix CAG remembered and that waits as a pull request."""
    await room.healed()
    number = await room.incident()
    await room.sweep()
    (found,) = await room.diagnoses(number)
    assert found.diagnosis.answered_by == "cag" and (await room.pull()).state == "open"
    return number


async def answered_from_memory(room: Room) -> bool:
    """Whether the next incident of this kind is answered by CAG; else Brain is started."""
    number = await room.incident()
    await room.sweep()
    found = await room.diagnoses(number)
    assert bool(found) is not any(run.title == f"diagnose #{number} attempt 1" for run in await room.forge.runs(DIAGNOSE_WORKFLOW))
    return bool(found)


def test_a_fix_that_a_person_refused_is_not_offered_to_the_next_incident_though_the_first_is_still_open() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        await room.forge.as_user("ann").update_pull((await room.pull()).number, state="closed")
        assert not await answered_from_memory(room)
        assert (await room.forge.issue(number)).state == "open"

    play(story)


DENIED = "it is denied by a command, and we close it with its incident"


@pytest.mark.parametrize("then", ["nothing", "the incident is on hold", "the incident is closed", DENIED])
def test_a_refusal_counts_before_anybody_has_written_it_down(then: str) -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        pull, ann = await room.pull(), room.forge.as_user("ann")
        if then in ("the incident is on hold", DENIED):
            await ann.add_labels(number, [HOLD_LABEL])
        if then == DENIED:
            await room.say("ann", number, "/sre deny")
            await room.sweep()
            await ann.remove_label(number, HOLD_LABEL)
        else:
            await ann.update_pull(pull.number, state="closed")
        if then in ("the incident is closed", DENIED):
            room.clock.now_s += 5.0
            await ann.update_issue(number, state="closed")
        if then == DENIED:
            await room.sweep()
            assert (await room.pull()).state == "closed"
        (refused,) = [one for one in (await room.remembered()).pending if one.issue == number]
        assert [(use.result, use.signature, use.pull) for use in refused.uses] == [
            (UseResult.REFUSED, refused.signature, pull.number),
        ]
        assert not await answered_from_memory(room)

    play(story)


def test_a_pull_request_that_is_opened_again_is_no_refusal_any_more() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        pull, ann = await room.pull(), room.forge.as_user("ann")
        await ann.update_pull(pull.number, state="closed")
        await room.sweep()
        assert any(isinstance(r, EscalationRecord) for r in await room.records(number))
        await ann.update_pull(pull.number, state="open")
        assert (await room.remembered()).pending == () and await answered_from_memory(room)

    play(story)


def test_what_we_close_ourselves_is_no_refusal() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        await room.forge.as_user("ann").update_issue(number, state="closed")
        await room.sweep()
        assert (await room.pull()).state == "closed" and (await room.remembered()).pending == ()
        await settle(room)
        assert await room.forge.runs(CURATOR_WORKFLOW) == [], "there is nothing to learn"

    play(story)


def test_a_curator_that_was_lost_is_started_again_also_when_all_that_happened_is_a_refusal() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        pull, ann = await room.pull(), room.forge.as_user("ann")
        await ann.update_pull(pull.number, state="closed")
        room.clock.now_s += 5.0
        await ann.update_issue(number, state="closed")
        await settle(room)
        assert {run.title for run in await room.forge.runs(CURATOR_WORKFLOW)} == {f"curate #{number}"}

    play(story)


def test_a_fix_that_did_not_heal_is_not_offered_again_while_its_incident_goes_on() -> None:
    async def story(room: Room) -> None:
        number = await proposed(room)
        await room.record(number, OutcomeRecord(1, OutcomeKind.FAILED, "still broken", room.clock.now_s))
        assert not await answered_from_memory(room)

    play(story)


def test_that_one_healed_is_learnt_when_its_incident_is_over() -> None:
    async def story(room: Room) -> None:
        number = await room.incident()
        await room.record(number, diagnosed())
        await room.record(number, OutcomeRecord(1, OutcomeKind.HEALED, "well again", room.clock.now_s))
        assert (await room.remembered()).all == () and not await answered_from_memory(room)

    play(story)
