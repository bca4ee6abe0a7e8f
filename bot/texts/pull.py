"""The pull request: what it changes, why, why that is safe, and how one will know."""

from __future__ import annotations

import re

from bot.facts import Attempt, Facts
from bot.forge import Pull
from bot.model import Proposal, Remedy
from bot.texts.figures import count, table
from bot.texts.issue import COMMANDS_FOLD
from bot.texts.links import Links
from bot.texts.safe import code, cut, fold, heading, paragraphs, plain
from bot.texts.words import (
    answered_words,
    claims_list,
    confidence_words,
    features_table,
    figure,
    objective,
    operation,
    remedy_words,
    reverted,
    safety_words,
    sentence,
)

TITLE_LIMIT = 72  # of a commit's first line, by convention
FILES_SHOWN = 20
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_UNDO = re.compile(r"undo (#[1-9][0-9]{0,8})")


def commit_title(remedy: Remedy, undo: bool) -> str:
    """One line, also the pull request's title. What others wrote in it is cut and has no effect on GitHub, Actions or Render."""
    sha = remedy.commit[:7] if re.fullmatch(r"[0-9a-f]{7,64}", remedy.commit) else "unknown"
    if undo:
        merged = _UNDO.fullmatch(remedy.summary)
        return f"Undo {merged[1] if merged else sha}, which did not heal"
    if remedy.kind == "revert":
        subject, _ = reverted(remedy)
        room = TITLE_LIMIT - len(f'Revert "" ({sha})')
        return f'Revert "{heading(subject, room)}" ({sha})' if subject else f"Revert {sha}"
    service, dependency = _word(remedy.service), _word(remedy.dependency)
    if len(f"Bound calls from {service} to {dependency}") > TITLE_LIMIT:
        service, dependency = cut(service, 25), cut(dependency, 25)
    return heading(f"Bound calls from {service} to {dependency}", TITLE_LIMIT)


def _word(name: str) -> str:
    return "".join(c for c in name if c.isascii() and (c.isalnum() or c in "._-"))[:60] or "unnamed"


def commit_body(f: Facts, attempt: Attempt, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    if undo:
        return f"The change of attempt {attempt.number} did not heal the incident.\n\nRefs #{number}"
    return f"Attempt {attempt.number} to heal the incident.\n\nRefs #{number}"


def pull_body(f: Facts, attempt: Attempt, proposal: Proposal, links: Links, *, undo: bool, author: str) -> str:
    """`author`: the login whose change is reverted, told kindly; "" for nobody."""
    number = f.issue.number if f.issue else 0
    parts = [
        f"Refs #{number}",
        *(_why_undo(attempt) if undo else _why(f, attempt, proposal.remedy, links)),
        "### What changes",
        _changes(proposal, links),
        "### Why it is safe",
        safety_words(proposal.remedy, undo),
        "### What happens next",
        _next(f, undo),
        "" if undo else _kindly(author),
        COMMANDS_FOLD,
    ]
    return paragraphs(parts)


def _changes(proposal: Proposal, links: Links) -> str:
    rows = [[links.file(c.path), _kind(c.before, c.after)] for c in proposal.changes[:FILES_SHOWN]]
    if len(proposal.changes) > FILES_SHOWN:
        rows.append([f"… and {len(proposal.changes) - FILES_SHOWN} more", ""])
    lines = f"{count(proposal.added_lines, 'line')} added, {proposal.removed_lines} removed"
    reach = ", ".join(code(service) for service in proposal.services[:20]) or "no known service"
    return f"{table(['file', 'what happens to it'], rows)}\n\n{lines}. Built from these files: {reach} (computed from the diff)."


def _kind(before: str | None, after: str | None) -> str:
    return "comes back" if before is None else "is removed" if after is None else "changes"


def _kindly(author: str) -> str:
    """Only people are called; a bot would not read it."""
    if not _LOGIN.fullmatch(author):
        return ""
    return f"@{author}: this takes back a change of yours, because the evidence points to it. It stays in the history and nothing is lost."


def _why_undo(attempt: Attempt) -> list[str]:
    merged = f"#{attempt.pull.pull.number}" if attempt.pull else "The fix"
    reason = plain(attempt.outcome.reason) if attempt.outcome else "it did not heal"
    return ["### Why", f"{merged} was merged and is serving, but {reason}. A fix that does not heal does not stay."]


def _why(f: Facts, attempt: Attempt, remedy: Remedy, links: Links) -> list[str]:
    if attempt.diagnosis is None or f.incident is None:
        return []
    d, evidence = attempt.diagnosis.diagnosis, attempt.record.evidence or f.incident.evidence
    signal, number = f.incident.signal, f.issue.number if f.issue else 0
    return [
        "### Why",
        f"{operation(signal)}: {figure(signal, signal.now)}, objective {objective(signal)}. **{sentence(d.cause, d, links)}**"
        f" So I {remedy_words(remedy, links)}.",
        f"What the evidence says (ids in brackets stand in #{number}):\n\n{claims_list(d, evidence)}",
        f"Confidence {confidence_words(d, f.confidence_above)}. {answered_words(d)}. This is attempt {attempt.number}.",
        fold("Where the confidence comes from", features_table(d.features)),
    ]


def _next(f: Facts, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    if undo:
        return (
            "The guardrail check judges this undo by `policies/` of the base branch, and I judge it again before merging: both must allow."
            f" Once it serves, #{number} goes on without the fix."
        )
    return (
        "1. The guardrail check judges this diff by `policies/` of the base branch, and I judge it again before merging: both must allow.\n"
        "2. I merge it and wait until the service answers from the merged commit.\n"
        f"3. I measure the same operation again. #{number} closes only when it is healthy; if this change has not mended what it was for,"
        " I undo it."
    )


def merge_title(pull: Pull) -> str:
    return f"{heading(pull.title, 200)} (#{pull.number})"


def merge_message(f: Facts, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    return f"{'Takes back a fix that did not heal. ' if undo else ''}Refs #{number}"
