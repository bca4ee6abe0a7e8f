"""Curator's pure part: what an incident taught, as a post-mortem that CAG can match and memory can search."""

from __future__ import annotations

import re

from bot.diagnosis.plain import duration, percent, plain
from bot.journal import DiagnosisRecord, IncidentRecord, OutcomeRecord
from bot.model import Measurement, OutcomeKind, PostMortem, Remedy, Signal, SignalKind
from bot.texts.figures import a_minute, lines_a_minute

_COMMIT = re.compile(r"\b[Cc]ommit [0-9a-f]{7,40}\b")
_ENDED = {
    OutcomeKind.HEALED: "That healed it",
    OutcomeKind.FAILED: "That did not heal it, and the change was taken back",
    OutcomeKind.INCONCLUSIVE: "Whether that healed it could not be measured",
    OutcomeKind.ERROR: "That could not be carried out",
}


def post_mortem(
    incident: IncidentRecord,
    diagnosis: DiagnosisRecord | None,
    outcome: OutcomeRecord,
    *,
    issue: int,
    title: str,
    opened_s: float,
) -> PostMortem:
    """The post-mortem of the attempt that ended an incident. Without a diagnosis (it never got that far) there is no signature to match."""
    found = diagnosis.diagnosis if diagnosis is not None else None
    remedy = found.remedy if found is not None else None
    return PostMortem(
        issue=issue,
        signature=found.signature if found is not None else "",
        title=title,
        cause=found.cause if found is not None else "The cause was not found.",
        remedy=remedy,
        outcome=outcome.outcome,
        answered_by=found.answered_by if found is not None else "",
        confidence=found.confidence if found is not None else 0.0,
        opened_s=opened_s,
        healed_s=outcome.at_s if outcome.outcome is OutcomeKind.HEALED else None,
        text=_text(incident.signal, found.cause if found is not None else "", remedy, outcome),
    )


def _text(signal: Signal, cause: str, remedy: Remedy | None, outcome: OutcomeRecord) -> str:
    """One paragraph, without ids, commits or times of day: what recall searches."""
    what = f"{plain(signal.operation)} of {plain(signal.service)}: {_shown(signal, signal.now)}, before {_shown(signal, signal.before)}."
    done = f"Remedy: {_done(remedy)}." if remedy is not None else "No remedy was tried."
    ended = _ENDED[outcome.outcome] + (f": {_shown(signal, outcome.after)} afterwards." if outcome.after is not None else ".")
    return " ".join(part for part in (what, _without_commits(cause), done, ended) if part)


def _shown(signal: Signal, measured: Measurement) -> str:
    if signal.kind is SignalKind.THROUGHPUT:
        return f"{a_minute(measured)} requests"
    if signal.kind is SignalKind.ERRORS:
        return f"{percent(measured.error_ratio)} errors"
    if signal.kind is SignalKind.SATURATION:
        return f"{percent(measured.share)} in use" if measured.share is not None else "not reported"
    if signal.kind is SignalKind.LOG_ERRORS:
        return lines_a_minute(measured)
    return f"p99 {duration(measured.p99_ms)}" if measured.p99_ms is not None else "no requests"


def _done(remedy: Remedy) -> str:
    if remedy.kind == "revert":
        return "the guilty commit was reverted"
    settings = ", ".join(f"{name} {value}" for name, value in remedy.parameters)
    return f"{plain(remedy.service)} bounds its calls to {plain(remedy.dependency)} ({settings})"


def _without_commits(cause: str) -> str:
    """Which commit it was says nothing about the next incident of this kind."""
    return _COMMIT.sub(lambda m: "A commit" if m[0][0] == "C" else "a commit", cause)
