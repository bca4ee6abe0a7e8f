"""From candidates to a diagnosis: confidence, remedy and the verdict `culprit`, `no-culprit` or `inconclusive`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.case import Case, is_new
from bot.diagnosis.confidence import measures_of, weigh
from bot.diagnosis.localise import Localisation, signature_of
from bot.diagnosis.nothing import no_culprit
from bot.diagnosis.plain import plain
from bot.diagnosis.rank import Dissent
from bot.diagnosis.remedies import propose_remedy
from bot.model import Claim, Diagnosis
from bot.policy.schema import Policies

MORE_LIKELY_THAN_NOT = 0.5  # below this, naming a culprit would mislead
MAX_SUSPECTS = 5
MAX_FINDING = 600  # characters of a finding that the diagnosis keeps: it is a record on GitHub


def conclude(
    case: Case,
    localisation: Localisation,
    ranked: tuple[Candidate, ...],
    claims: tuple[Claim, ...],
    policies: Policies,
    *,
    reasoner: str,
    dissent: Dissent | None = None,
) -> Diagnosis:
    """Brain's diagnosis. `ranked` are the candidates that survived the challenge, best first."""
    recalled = tuple(post_mortem.issue for post_mortem, _ in case.recalled)
    if not ranked:
        return _without_culprit(localisation, claims, recalled, reasoner, case)
    first = ranked[0]
    remedy = propose_remedy(case, first.suspect, policies)
    features, confidence = weigh(first.model, measures_of(first, remedy_ready=remedy is not None, dissent=dissent), policies)
    if localisation.candidates[0].suspect != first.suspect:  # whoever reasons may lower confidence, never raise it
        confidence = min(confidence, _alone(case, localisation.candidates[0], policies))
    sure_enough = confidence >= MORE_LIKELY_THAN_NOT
    return Diagnosis(
        verdict="culprit" if sure_enough else "inconclusive",
        cause=first.cause if sure_enough else f"Not certain enough to name a culprit. Most likely: {first.cause}",
        suspects=tuple(candidate.suspect for candidate in ranked[:MAX_SUSPECTS]),
        claims=claims,
        features=features,
        confidence=confidence,
        answered_by="brain",
        signature=signature_of(case, first) if sure_enough else "",
        remedy=remedy if sure_enough else None,
        recalled=recalled,
        reasoner=reasoner,
        findings=tuple(replace(one, text=one.text[:MAX_FINDING]) for one in case.found),
    )


def _alone(case: Case, candidate: Candidate, policies: Policies) -> float:
    """The confidence in a candidate by the evidence alone."""
    ready = propose_remedy(case, candidate.suspect, policies) is not None
    return weigh(candidate.model, measures_of(candidate, remedy_ready=ready), policies)[1]


def _without_culprit(
    localisation: Localisation, claims: tuple[Claim, ...], recalled: tuple[int, ...], reasoner: str, case: Case
) -> Diagnosis:
    operation = plain(f"{case.incident.signal.operation} of {case.incident.signal.service}")
    verdict: Literal["no-culprit", "inconclusive"] = "inconclusive"
    if not localisation.comparable:
        cause = f"There are no figures of {operation} from before the incident, so there is nothing to compare with."
    elif localisation.candidates:
        cause = f"No explanation of what happened to {operation} stood up to the evidence."
    elif any(group.frames and is_new(group) for group in case.evidence.errors):
        cause = f"{operation} fails with exceptions that were not there before, but no known change touches their code."
    elif not case.incident.signal.kind.of_service and not {"calls", "exceptions"} & set(localisation.looked_at):
        cause = f"{operation} got worse, but the telemetry shows neither its calls nor its exceptions."
    else:
        verdict = "no-culprit"
        cause = no_culprit(case, localisation)
    return Diagnosis(
        verdict=verdict,
        cause=cause,
        suspects=(),
        claims=claims,
        features=(),
        confidence=0.0,
        answered_by="brain",
        signature="",
        recalled=recalled,
        reasoner=reasoner,
        findings=tuple(replace(one, text=one.text[:MAX_FINDING]) for one in case.found),
    )
