"""From a case and its candidate to the candidate's signature: kinds, classes and roles, no figures."""

from __future__ import annotations

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.case import CLOCK_SLACK_S, FIRST_LOOK, Case, is_new, onset_s
from bot.diagnosis.edges import gave_up, shift, usual_ms
from bot.evidence import UNFINISHED, Evidence
from bot.signature import Place, Signature, class_of_errors, class_of_ratio, shape

HANGS = "hangs"


def describe(case: Case, candidate: Candidate) -> Signature:
    """The structured fingerprint of a candidate's kind of cause. The order of the evidence does not matter."""
    signal = case.incident.signal
    before_ms, now_ms = usual_ms(signal.before.p99_ms or 0.0, signal), signal.now.p99_ms
    suspect = candidate.suspect
    blamed = suspect.name if suspect.kind == "dependency" else suspect.at
    return Signature(
        mechanism=candidate.mechanism,
        service=signal.service,
        operation=signal.operation,
        roles=candidate.roles,
        errors=_errors(case, candidate),
        slower=class_of_ratio(now_ms / before_ms) if before_ms and now_ms else "as-fast",
        failing=class_of_errors(signal.now.error_ratio - signal.before.error_ratio),
        place=_place(case.evidence, blamed),
        deployed=_deployed(case, suspect.at),
    )


def _errors(case: Case, candidate: Candidate) -> tuple[str, ...]:
    """Kinds of errors at the fault: of the calls to a dependency, of the new exceptions where a change is blamed.

    A call that hangs has not ended, or somebody gave it up, or its time was out: which of these is a matter of when one looks.
    """
    suspect = candidate.suspect
    if suspect.kind == "dependency":
        blamed = [edge for edge in case.evidence.edges if (edge.caller, edge.peer) == (suspect.at, suspect.name)]
        kinds = {kind for edge in blamed for kind in edge.error_types}
        kinds |= {UNFINISHED for edge in blamed if shift(edge, case).silent}
        if candidate.mechanism == "dependency-hangs":
            kinds = {HANGS if gave_up(kind) else kind for kind in kinds}
    else:
        kinds = {group.type for group in case.evidence.errors if group.service == suspect.at and is_new(group)}
    return tuple(sorted({shape(kind) for kind in kinds if kind}))


def _place(evidence: Evidence, service: str) -> Place:
    called = any(edge.peer == service and edge.caller != service for edge in evidence.edges)
    calls = any(edge.caller == service and edge.peer != service for edge in evidence.edges)
    if called:
        return "middle" if calls else "leaf"
    return "entry" if calls else "alone"


def _deployed(case: Case, service: str) -> bool:
    """Whether the service that is to be mended was deployed shortly before it began."""
    onset = onset_s(case.incident, case.evidence)
    marks = (m for m in case.evidence.deploys if m.service == service and m.previous_commit)
    return any(onset - FIRST_LOOK.back_s <= mark.first_seen_s <= onset + CLOCK_SLACK_S for mark in marks)
