"""`sre-space curate`: writes the post-mortem under a closed incident and remembers it in the vector memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from bot.agents.curator import post_mortem
from bot.chronicle import Chronicle
from bot.commands.job import Job, Recorded, open_job, read_incident, run_job
from bot.ensure import ensure_comment
from bot.errors import Refused
from bot.journal import DiagnosisRecord, OutcomeRecord, PostMortemRecord
from bot.model import Event, Phase, PostMortem
from bot.names import parse_branch
from bot.texts import post_mortem as post_mortem_text
from bot.wiring_think import build_memory


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space curate", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--issue", type=int, help="a closed issue")
    which.add_argument("--branch", help="the branch of a merged pull request of the bot")
    options = parser.parse_args(argv)
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
        try:
            recorded = await read_incident(job.side, number)
        except Refused as problem:
            print(f"nothing to learn: {problem}")
            return 0
        if recorded.issue.state != "closed":
            print(f"#{number} is still open: the lesson is written when it is closed")
            return 0
        lesson = learn(recorded)
        if lesson is None:
            print(f"#{number} ended without an attempt: nothing to learn")
            return 0
        await _remember(lesson, recorded, job)
    return 0


def learn(recorded: Recorded) -> PostMortem | None:
    """The lesson of the last attempt that ended; None when none did."""
    outcomes = [e.record for e in recorded.entries if isinstance(e.record, OutcomeRecord) and not e.record.undo]
    if not outcomes:
        return None
    last = max(outcomes, key=lambda o: o.attempt)
    diagnosis = next(
        (e.record for e in recorded.entries if isinstance(e.record, DiagnosisRecord) and e.record.attempt == last.attempt), None
    )
    issue = recorded.issue
    return post_mortem(recorded.incident, diagnosis, last, issue=issue.number, title=issue.title, opened_s=issue.created_s)


async def _remember(lesson: PostMortem, recorded: Recorded, job: Job) -> None:
    side, number = job.side, recorded.issue.number
    outcomes = [e.record for e in recorded.entries if isinstance(e.record, OutcomeRecord) and not e.record.undo]
    text = post_mortem_text(lesson, recorded.incident, max(outcomes, key=lambda o: o.attempt), side.links)
    await ensure_comment(side.forge, side.keyring, side.bot, number, PostMortemRecord(lesson, side.clock.now()), text)
    memory = build_memory(job.settings)
    past = await Chronicle(side.keyring, side.bot).past(side.forge)
    if memory.count() < len(past) - 1:
        memory.rebuild(past)  # the index was lost: GitHub has it all
    memory.remember(lesson)
    words = f"#{number} is remembered as {lesson.signature or 'unclear'}; {memory.count()} incident(s) in memory"
    job.sink.say(Event(side.clock.now(), "curator", Phase.LEARN, str(number), words))
