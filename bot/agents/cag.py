"""CAG, tier 1: has the same kind of cause been healed before? Then the same kind of fix, with parameters from this case, at once."""

from __future__ import annotations

from collections.abc import Sequence

from bot.diagnosis.candidate import Measure
from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge
from bot.diagnosis.confidence import measures_of, weigh
from bot.diagnosis.localise import localise, signature_of
from bot.diagnosis.lookup import Hit, Table
from bot.diagnosis.plain import percent
from bot.diagnosis.remedies import build_proposal, propose_remedy
from bot.errors import Refused
from bot.model import Diagnosis, PostMortem, Remedy
from bot.policy.schema import Policies
from bot.ports import ForgeReader

MAX_SUSPECTS = 5


def answer(case: Case, past: Sequence[PostMortem], policies: Policies) -> Diagnosis | None:
    """The remembered fix, or None (Brain's turn): unknown, did not heal last time, failed more often than healed, not applicable
    now, or in an incident whose own evidence is not sure.

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
    hit = Table.of(past, policies.known_fixes).find(wanted, remedy.kind)
    if hit is None or not hit.record.healed_last or hit.record.failed_times > hit.record.healed_times:
        return None
    _, local = weigh(first.model, measures_of(first, remedy_ready=True), policies)
    if local <= policies.autonomy.confidence_above:
        return None  # memory must not make up for evidence that is missing now: Brain takes its time, and looks again
    features, confidence = weigh("remembered", _measures(hit, local), policies)
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
        recalled=hit.record.healed,
        reasoner="memory",
    )


async def obstacle(reader: ForgeReader, policies: Policies, remedy: Remedy, base_sha: str) -> str:
    """Why the remedy means nothing on today's tree, "" when it applies. Raises what the reader raises, but for Refused."""
    try:
        await build_proposal(reader, policies, remedy, base_sha)
    except Refused as problem:
        return str(problem)
    return ""


def _measures(hit: Hit, local: float) -> tuple[Measure, ...]:
    """`local`: what this incident's evidence alone gives, above the limit."""
    record = hit.record
    known = f"same as in {', '.join(f'#{issue}' for issue in record.healed)}" if record.healed else "approved in policies/known.yaml"
    return (
        Measure("same_signature", hit.similarity, known if hit.similarity == 1.0 else f"{percent(hit.similarity)} {known}"),
        Measure("track_record", record.trust, f"healed {record.healed_times} of {record.healed_times + record.failed_times} times"),
        Measure("still_localised", 1.0, f"this incident's evidence alone gives {percent(local)}"),
    )
