"""`sre-space curate`: writes the post-mortem under a closed incident and remembers it in the vector memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from bot.agents.curator import post_mortem
from bot.agents.lessons import NOTHING, amended, last_outcome, timeline, uses
from bot.agents.offer import offer_known_fixes
from bot.chronicle import Chronicle, Remembered, pulls_of, refusals, reverted_pulls, reverts
from bot.commands.job import Job, Recorded, open_job, read_incident, run_job
from bot.ensure import ensure_comment
from bot.errors import Refused
from bot.forge import Pull
from bot.journal import DiagnosisRecord, NoticeRecord, PostMortemRecord
from bot.model import Event, Phase, PostMortem
from bot.names import REVERTED_NOTICE, parse_branch
from bot.texts import notices
from bot.texts import post_mortem as post_mortem_text


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space curate", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--issue", type=int, help="a closed issue")
    which.add_argument("--branch", help="the branch of a merged pull request of the bot")
    which.add_argument("--reverts", action="store_true", help="only note which fixes people have reverted")
    options = parser.parse_args(argv)
    if options.reverts:
        return run_job(lambda: _curate(0, env))
    return run_job(lambda: _curate(issue_number(options.issue, options.branch), env))


def issue_number(issue: int | None, branch: str | None) -> int:
    """Raises Refused for a branch that isn't ours."""
    if issue is not None:
        return issue
    name = parse_branch(branch or "")
    if name is None:
        raise Refused("that branch belongs to no incident")
    return name.issue


async def _curate(number: int, env: Mapping[str, str]) -> int:
    async with open_job(env, number) as job:
        if number and not await _learn_from(number, job):
            return 0
        chronicle = Chronicle(job.side.keyring, job.side.bot)
        noted = await _note_reverts(chronicle, job)
        if not number and not noted:
            print("no fix of an incident was reverted since the last look: nothing to learn")
            return 0
        await _remember(number, await chronicle.remembered(job.side.forge), job)
    return 0


async def _remember(number: int, remembered: Remembered, job: Job) -> None:
    """Into the vector memory; and what healed often enough is offered to people."""
    from bot.wiring_think import build_memory  # ChromaDB takes seconds to load: only when there is something to remember

    memory = build_memory(job.settings)
    memory.sync(remembered.lessons)
    lesson = next((one for one in remembered.lessons if one.issue == number), None)
    words = f"#{number} is remembered as {lesson.signature or 'unclear'}; " if lesson else ""
    job.sink.say(Event(job.side.clock.now(), "curator", Phase.LEARN, str(number), f"{words}{memory.count()} incident(s) in memory"))
    for pull in await offer_known_fixes(job.side.forge, remembered.all, job.policies, job.side.clock.now()):
        offered = f"a fix that healed {job.policies.offer_after} times in a row is offered for policies/known.yaml: #{pull.number}"
        job.sink.say(Event(job.side.clock.now(), "curator", Phase.LEARN, str(number), offered))


async def _learn_from(number: int, job: Job) -> bool:
    """Writes the post-mortem; False when there is nothing to learn."""
    try:
        recorded = await read_incident(job.side, number)
    except Refused as problem:
        print(f"nothing to learn: {problem}")
        return False
    if recorded.issue.state != "closed":
        print(f"#{number} is still open: the lesson is written when it is closed")
        return False
    side, records = job.side, [entry.record for entry in recorded.entries]
    pulls = await pulls_of(side.forge, recorded.incident.fingerprint, number, records)
    refused = await refusals(side.forge, side.keyring, side.bot, records, pulls)
    lesson = learn(recorded, pulls, refused)
    if lesson is None:
        print(f"#{number} ended without an attempt: nothing to learn")
        return False
    text = post_mortem_text(lesson, recorded.incident, last_outcome(records, refused), side.links)
    await ensure_comment(side.forge, side.keyring, side.bot, number, PostMortemRecord(lesson, side.clock.now()), text)
    return True


def learn(recorded: Recorded, pulls: Mapping[int, Pull], refused: Mapping[int, float] = NOTHING) -> PostMortem | None:
    """The lesson of the last attempt that ended or was refused, with the uses of all; None when none did. `pulls` and `refused`: by
    attempt, as for `uses`."""
    records = [entry.record for entry in recorded.entries]
    last = last_outcome(records, refused)
    if last is None:
        return None
    diagnosis = next((r for r in records if isinstance(r, DiagnosisRecord) and r.attempt == last.attempt), None)
    issue = recorded.issue
    lesson = post_mortem(
        recorded.incident,
        diagnosis,
        last,
        issue=issue.number,
        title=issue.title,
        opened_s=issue.created_s,
        uses=uses(records, pulls, refused),
        timeline=timeline(recorded.incident, records, issue.created_s),
    )
    return amended(lesson, records)


async def _note_reverts(chronicle: Chronicle, job: Job) -> bool:
    """Written down in the incident, so that it is remembered when the commit is no longer among the newest. True when there was one."""
    side, found, noted = job.side, await reverts(job.side.forge), False
    for lesson in await chronicle.told(side.forge):
        for pull in reverted_pulls(lesson, found):
            notice = NoticeRecord(REVERTED_NOTICE, pull)
            await ensure_comment(side.forge, side.keyring, side.bot, lesson.issue, notice, notices.reverted(pull))
            noted = True
    return noted
