"""Carries out what a person said: 👀 at once, the effect, one short reply that records it, then 🚀 or 😕."""

from __future__ import annotations

from dataclasses import dataclass

from bot.agents.human import VERBS, WHO_MAY, help_text, misspelt_text, refusal_text
from bot.ensure import ReadWriteIssues, ensure_comment
from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.journal import CommandRecord
from bot.names import HOLD_LABEL, NEEDS_HUMAN_LABEL
from bot.record import Keyring


@dataclass(frozen=True)
class Reply:
    accepted: bool
    text: str
    pull: int = 0
    sha: str = ""


async def answer(asked: Asked, f: Facts, forge: ReadWriteIssues, keyring: Keyring, bot: str) -> Reply:
    """The record is the last write but one: a crash before it repeats the whole, which does no harm."""
    await forge.react(asked.comment_id, "eyes")
    reply = await _reply(asked, f, forge)
    said = asked.argument if asked.verb == "correct" and reply.accepted else ""
    record = CommandRecord(asked.comment_id, asked.verb, asked.by, reply.accepted, reply.sha, reply.pull, f.now_s, said)
    if said and f.issue and asked.number != f.issue.number:  # memory reads the incident, not its pull requests
        await ensure_comment(forge, keyring, bot, f.issue.number, record, corrected_elsewhere(asked.by, asked.number))
    await ensure_comment(forge, keyring, bot, asked.number, record, reply.text)
    await forge.react(asked.comment_id, "rocket" if reply.accepted else "confused")
    return reply


async def _reply(asked: Asked, f: Facts, forge: ReadWriteIssues) -> Reply:
    verb = VERBS.get(asked.verb)
    if verb is None:
        return Reply(False, misspelt_text(asked.verb, asked.suggestion))
    if verb.needs_write and (permission := await forge.permission(asked.by)) not in WHO_MAY:
        return Reply(False, refusal_text(asked.by, asked.verb, permission))
    number = f.issue.number if f.issue else asked.number
    match asked.verb:
        case "help":
            return Reply(True, help_text())
        case "hold":
            await forge.add_labels(number, [HOLD_LABEL])
            return Reply(True, "On hold: I only watch. `/sre release` goes on.")
        case "release":
            for held in {number, asked.number, *(p.pull.number for p in _open(f))}:
                await forge.remove_label(held, HOLD_LABEL)
            return Reply(True, "Going on.")
        case "correct":
            return _correct(asked)
        case "retry":
            return await _retry(f, number, forge)
        case _:
            return _decision(asked, f)


def corrected_elsewhere(by: str, pull: int) -> str:
    return f"@{by} said in #{pull} what the cause really was: that is what I remember."


def _correct(asked: Asked) -> Reply:
    if not asked.argument.removeprefix("cause=").strip():
        return Reply(False, "What was it? `/sre correct cause=NAME and why`: a service, a dependency or a commit, then your own words.")
    return Reply(True, f"Noted, @{asked.by}: that is what I remember as the cause. `/sre correct …` again replaces it.")


async def _retry(f: Facts, number: int, forge: ReadWriteIssues) -> Reply:
    if f.issue and f.issue.state == "closed":
        return Reply(False, "This incident is closed. Reopen the issue first, then comment `/sre retry`.")
    if found := _open(f):
        return Reply(False, f"#{found[0].pull.number} is still open: `/sre approve` or `/sre deny` it first, or close it.")
    await forge.remove_label(number, NEEDS_HUMAN_LABEL)
    return Reply(True, "One more round: the attempts count from one again.")


def _decision(asked: Asked, f: Facts) -> Reply:
    """approve or deny, bound to the head that is there now."""
    found = [p for p in _open(f) if asked.number in (p.pull.number, f.issue.number if f.issue else 0)]
    if not found:
        return Reply(False, "There is no open pull request of mine here to decide about.")
    pull = found[-1].pull
    if asked.verb == "approve":
        text = f"Approved by @{asked.by} for exactly `{pull.head_sha[:12]}`. The guardrail judges it again; a push voids this."
    else:
        text = f"Denied by @{asked.by}: I close this and stop. `/sre retry` in the incident gives me another round."
    return Reply(True, text, pull.number, pull.head_sha)


def _open(f: Facts) -> list[PullFacts]:
    def pulls(a: Attempt) -> list[PullFacts]:
        return [p for p in (a.pull, a.undo) if p and p.pull.state == "open"]

    return [p for a in f.attempts for p in pulls(a)]
