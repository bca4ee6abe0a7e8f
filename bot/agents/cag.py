"""CAG, tier 1: has the same kind of cause been healed before? Then the same kind of fix, with parameters from this case, at once."""

from __future__ import annotations

from collections.abc import Sequence

from bot.diagnosis.candidate import Measure
from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge
from bot.diagnosis.confidence import measures_of, weigh
from bot.diagnosis.localise import localise, signature_of
from bot.diagnosis.plain import percent
from bot.diagnosis.remedies import propose_remedy
from bot.model import Diagnosis, OutcomeKind, PostMortem
from bot.policy.schema import Policies

MAX_SUSPECTS = 5


def answer(case: Case, past: Sequence[PostMortem], policies: Policies) -> Diagnosis | None:
    """The remembered fix, or None (Brain's turn): never healed, failed more often than healed, or not applicable now.

    The confidence is earned: by the track record of the signature, and by what this incident's own evidence says about the suspect.
    """
    candidates = localise(case).candidates
    if not candidates:
        return None
    first = candidates[0]
    wanted = signature_of(case, first)
    remedy = propose_remedy(case, first.suspect, policies)
    if remedy is None:
        return None
    known = [one for one in past if one.signature == wanted and one.remedy is not None and one.remedy.kind == remedy.kind]
    healed = sorted({one.issue for one in known if one.outcome is OutcomeKind.HEALED})
    failed = sorted({one.issue for one in known if one.outcome is OutcomeKind.FAILED})
    if not healed or len(failed) > len(healed):
        return None
    _, local = weigh(first.suspect.kind, measures_of(first, remedy_ready=True), policies)
    enough = policies.autonomy.confidence_above  # memory must not make up for evidence that is missing now
    record = f"healed {len(healed)} of {len(healed) + len(failed)} times"
    measures = (
        Measure("same_signature", 1.0, f"same as in {', '.join(f'#{issue}' for issue in healed)}"),
        Measure("track_record", (len(healed) + 1) / (len(healed) + len(failed) + 2), record),
        Measure("still_localised", 1.0 if local > enough else 0.0, f"this incident's evidence alone gives {percent(local)}"),
    )
    features, confidence = weigh("remembered", measures, policies)
    return Diagnosis(
        verdict="culprit",
        cause=first.cause,
        suspects=tuple(candidate.suspect for candidate in candidates[:MAX_SUSPECTS]),
        claims=challenge(case, first.claims),
        features=features,
        confidence=confidence,
        answered_by="cag",
        signature=wanted,
        remedy=remedy,
        recalled=tuple(healed),
        reasoner="memory",
    )
