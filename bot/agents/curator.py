"""Curator's pure part: what an incident taught, as a post-mortem that CAG can match and memory can search."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.diagnosis.plain import duration, percent, plain
from bot.forge import Issue
from bot.journal import DiagnosisRecord, IncidentRecord, OutcomeRecord
from bot.model import Diagnosis, Measurement, Moment, OutcomeKind, PostMortem, Remedy, Signal, SignalKind, Use
from bot.signature import parse
from bot.texts.figures import a_minute, lines_a_minute

_COMMIT = re.compile(r"\b[Cc]ommit [0-9a-f]{7,40}\b")
PREVENTED, PROOF = "What would have prevented it: ", "Proof: "
PREVENTION: Mapping[str, str] = {
    "dependency-hangs": "a time-out and a circuit breaker on this call from the start (sre-space audit finds calls without one)",
    "dependency-fails": "a fallback at the caller for the time that the dependency fails",
    "change-breaks": "a test that runs {at} with such a request before the merge, or a rollout to a few requests first",
    "change-slows": "a measurement of the latency of {at} before the merge, or a rollout to a few requests first",
}
_ENDED = {
    OutcomeKind.HEALED: "That healed it",
    OutcomeKind.FAILED: "That did not heal it, and the change was taken back",
    OutcomeKind.PARTIAL: "That mended its part, and something else was left",
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
    uses: tuple[Use, ...] = (),
    timeline: tuple[Moment, ...] = (),
) -> PostMortem:
    """The post-mortem of the attempt that ended an incident. Without a diagnosis (it never got that far) there is no signature to match."""
    found = diagnosis.diagnosis if diagnosis is not None else None
    remedy = found.remedy if found is not None else None
    impact = _impact(incident, outcome)
    proof = _proof(incident.signal, found, outcome)
    prevention = _prevention(found.signature if found is not None else "")
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
        text=f"{_text(incident.signal, found.cause if found is not None else '', remedy, outcome)} {impact} {proof} {prevention}",
        timeline=timeline,
        impact=impact,
        proof=proof,
        prevention=prevention,
        uses=uses,
    )


def unattended(incident: IncidentRecord, issue: Issue) -> PostMortem:
    """The post-mortem of an incident that is over and in which nothing was tried: for what people say about it."""
    nothing = OutcomeRecord(0, OutcomeKind.INCONCLUSIVE, "nothing was tried", issue.closed_s or issue.created_s)
    return post_mortem(incident, None, nothing, issue=issue.number, title=issue.title, opened_s=issue.created_s)


def _impact(incident: IncidentRecord, outcome: OutcomeRecord) -> str:
    """Whom it hurt, by how much, for how long."""
    signal = incident.signal
    now, before = signal.now, signal.before
    if signal.kind is SignalKind.THROUGHPUT:
        what = f"{plain(signal.operation)} of {plain(signal.service)} had {a_minute(now)} requests instead of {a_minute(before)}"
    else:
        bad, how = (now.errors, "failed") if signal.kind is SignalKind.ERRORS else (now.slow, "took too long")
        what = f"{bad} of {now.requests} requests of {plain(signal.operation)} of {plain(signal.service)} {how} when it was noticed"
    others = len(incident.evidence.affected)
    also = f", and {others} other operation{'s were' if others > 1 else ' was'} unwell" if others else ""
    ended = outcome.outcome is OutcomeKind.HEALED
    lasted = duration(max(0.0, outcome.at_s - signal.first_bad_s) * 1000)
    return f"{what}{also}; it {'lasted' if ended else 'was not healed after'} {lasted}."


def _proof(signal: Signal, found: Diagnosis | None, outcome: OutcomeRecord) -> str:
    """What the cause rests on, and what was measured after the fix."""
    parts = []
    if found is not None and found.claims:
        parts.append(f"{sum(claim.holds is True for claim in found.claims)} of {len(found.claims)} claims stood up to the evidence")
    if outcome.after is not None:
        measured = f"{_shown(signal, signal.now)} in the incident, {_shown(signal, outcome.after)} over {outcome.after.requests} requests"
        parts.append(f"{measured} with the fix")
    else:
        parts.append("nothing was measured after a fix")
    return f"{PROOF}{'; '.join(parts)}."


def _prevention(signature: str) -> str:
    """What would have prevented it, by the kind of cause."""
    known = parse(signature)
    if known is None:
        return f"{PREVENTED}not known, no cause was certain enough."
    at = next((role for role in reversed(known.roles) if role), known.service)
    _, place, function = at.rpartition(":")  # of a code location the function
    return f"{PREVENTED}{PREVENTION[known.mechanism].format(at=f'{function}()' if place else at)}."


def _text(signal: Signal, cause: str, remedy: Remedy | None, outcome: OutcomeRecord) -> str:
    """One paragraph, without ids, commits or times of day: what recall searches."""
    what = f"{plain(signal.operation)} of {plain(signal.service)}: {_shown(signal, signal.now)}, before {_shown(signal, signal.before)}."
    done = f"Remedy: {_done(remedy)}." if remedy is not None else "No remedy was tried."
    ended = _ENDED[outcome.outcome] + (f": {_shown(signal, outcome.after)} afterwards." if outcome.after is not None else ".")
    if remedy is None and outcome.after is None:
        ended = ""
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
