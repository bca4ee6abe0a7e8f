"""The pull request: what it changes, why, why that is safe, and how one will know."""

from __future__ import annotations

from bot.facts import Attempt, Facts
from bot.forge import Pull
from bot.model import Proposal, Remedy
from bot.texts.figures import duration, percent, table
from bot.texts.issue import COMMANDS
from bot.texts.links import Links
from bot.texts.safe import code, fold, plain
from bot.texts.words import claims_list, confidence_words, features_table, remedy_words, safety_words


def commit_title(remedy: Remedy, undo: bool) -> str:
    """One line; names from telemetry are cut to what a title can bear."""
    if undo:
        return f"Undo a fix that did not heal ({remedy.commit[:7]})"
    if remedy.kind == "revert":
        return f"Revert {remedy.commit[:7]}: it broke the service"
    return f"Bound calls from {_word(remedy.service)} to {_word(remedy.dependency)}"


def _word(name: str) -> str:
    return "".join(c for c in name if c.isalnum() or c in "._-")[:60]


def commit_body(f: Facts, attempt: Attempt, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    if undo:
        return f"The change of attempt {attempt.number} did not heal the incident.\n\nRefs #{number}"
    return f"Attempt {attempt.number} to heal the incident.\n\nRefs #{number}"


def pull_body(f: Facts, attempt: Attempt, proposal: Proposal, links: Links, *, undo: bool, author: str) -> str:
    """`author`: the login whose change is reverted, told kindly; "" for nobody."""
    number = f.issue.number if f.issue else 0
    parts = [f"Refs #{number}", *(_why_undo(attempt) if undo else _why(f, attempt, proposal.remedy, links, author))]
    parts += [
        "## What changes",
        table(["file", "what"], [[links.file(c.path), _kind(c.before, c.after)] for c in proposal.changes]),
        f"+{proposal.added_lines} −{proposal.removed_lines} lines. Blast radius: {', '.join(map(code, proposal.services)) or 'no known service'}"
        " (computed from the diff).",
        "## Why it is safe",
        safety_words(proposal.remedy, undo),
        "## What happens next",
        _next(f, undo),
        fold("Commands for people with write permission", COMMANDS),
    ]
    return "\n\n".join(parts)


def _kind(before: str | None, after: str | None) -> str:
    return "comes back" if before is None else "goes" if after is None else "changed"


def _why_undo(attempt: Attempt) -> list[str]:
    merged = attempt.pull.pull.number if attempt.pull else 0
    reason = attempt.outcome.reason if attempt.outcome else ""
    return ["## Why", f"#{merged} was merged and is serving, but {plain(reason)}. A fix that does not heal does not stay."]


def _why(f: Facts, attempt: Attempt, remedy: Remedy, links: Links, author: str) -> list[str]:
    if attempt.diagnosis is None or f.incident is None:
        return []
    d, evidence = attempt.diagnosis.diagnosis, attempt.record.evidence or f.incident.evidence
    signal = f.incident.signal
    figure = (
        f"p99 {duration(signal.now.p99_ms)}, objective {duration(signal.objective.p99_ms)}"
        if signal.kind == "latency"
        else f"{percent(signal.now.error_ratio)} errors, objective {percent(signal.objective.error_ratio)}"
    )
    by = "CAG, from memory" if d.answered_by == "cag" else f"Brain ({plain(d.reasoner, 60)})"
    kindly = (
        f"@{author}: this takes back your change, because the evidence points to it. It stays in the history; nothing is lost."
        if author
        else ""
    )
    return [
        "## Why",
        f"{code(signal.operation)} in {code(signal.service)}: {figure}.",
        f"**Cause:** {plain(d.cause)}",
        claims_list(d, evidence),
        f"**Remedy:** {remedy_words(remedy, links)}.",
        f"Confidence {confidence_words(d, _limit(f))}, answered by {by}, attempt {attempt.number}.",
        *([kindly] if kindly else []),
        fold("Where the confidence comes from", features_table(d.features)),
    ]


def _limit(f: Facts) -> float:
    return f.confidence_above


def _next(f: Facts, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    if undo:
        return f"The guardrail judges this undo by `policies/` of the base branch. After it serves, the next attempt begins in #{number}."
    return (
        "The guardrail check judges this diff by `policies/` of the base branch, and I judge it again before merging: both must allow."
        f" Then I measure the same operation; #{number} closes only when it is healthy, else this change is undone."
    )


def merge_title(pull: Pull) -> str:
    return f"{pull.title} (#{pull.number})"


def merge_message(f: Facts, undo: bool) -> str:
    number = f.issue.number if f.issue else 0
    return f"{'Takes back a fix that did not heal. ' if undo else ''}Refs #{number}"
