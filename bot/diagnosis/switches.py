"""Setting suspects: a flag or a setting that took another value shortly before its service went bad. Nobody can revert it by a commit.

What changed together with a deploy came with it: there the commits are the suspects.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.diagnosis.candidate import Candidate, Measure, clip
from bot.diagnosis.case import CLOCK_SLACK_S, Case, is_new
from bot.diagnosis.edges import shift
from bot.diagnosis.joins import later, nearness
from bot.diagnosis.plain import clock, percent, plain
from bot.diagnosis.slowdowns import AT_ONCE
from bot.evidence import ConfigChange
from bot.model import Claim, SignalKind, Suspect

NO_CODE = 0.7  # a setting shows in no stack: a commit whose lines do is the better explanation
CALLS = 0.6  # calls of the service that fail since, rather than code of its own
WORTH_NAMING = 0.05


def setting_candidates(case: Case, blame: Mapping[str, float], caused_elsewhere: Mapping[str, float]) -> tuple[Candidate, ...]:
    """One candidate for each setting that something speaks for.

    `blame`: service → how much of the slowness ends there; `caused_elsewhere`: service → how far its exceptions are only an echo; 0..1.
    """
    alone = (change for change in case.evidence.changes if not came_with_a_deploy(change, case))
    found = [_candidate(change, case, blame, caused_elsewhere) for change in alone]
    return tuple(c for c in found if c is not None and c.suspect.score >= WORTH_NAMING)


def came_with_a_deploy(change: ConfigChange, case: Case) -> bool:
    """Whether its service began to answer from another commit at the same time."""
    marks = [mark for mark in case.evidence.deploys if mark.service == change.service and mark.previous_commit]
    return any(abs(mark.first_seen_s - change.first_seen_s) <= CLOCK_SLACK_S for mark in marks)


def _candidate(change: ConfigChange, case: Case, blame: Mapping[str, float], caused_elsewhere: Mapping[str, float]) -> Candidate | None:
    errors = case.incident.signal.kind is SignalKind.ERRORS
    own = tuple(group for group in case.evidence.errors if errors and group.service == change.service and is_new(group))
    begin_s = min((group.first_seen_s for group in own), default=case.incident.signal.first_bad_s)
    place = _failing(change.service, bool(own), case, caused_elsewhere) if errors else blame.get(change.service, 0.0)
    if change.first_seen_s > begin_s + CLOCK_SLACK_S or not place:
        return None
    gap_s = max(0.0, begin_s - change.first_seen_s)
    fits, key, service = nearness(gap_s), plain(change.key), plain(change.service)
    switched = f"from {plain(change.previous_value)} to {plain(change.value)}"
    what = "failure" if errors else "slow request"
    text = f"{key} of {service} went {switched} at {clock(change.first_seen_s)}; the first {what} came {later(gap_s)}."
    kept = NO_CODE if errors else fits ** (AT_ONCE - 1)
    return Candidate(
        suspect=Suspect("setting", change.key, change.service, round(fits * place * kept, 4)),
        mechanism="change-breaks" if errors else "change-slows",
        roles=(change.service, "setting", change.key),
        cause=f"{key} of {service} was set {switched}, and {service} {'fails' if errors else 'is slow'} since.",
        measures=(
            Measure("deploy_match", fits, f"{service} took the new value, and went bad {later(gap_s)}"),
            Measure("worse_now", place, f"{percent(place)} of what got worse shows in {service}"),
        ),
        claims=(Claim(text, (change.id, *(group.id for group in own))),),
        own=(change.id,),
        model="setting",
    )


def _failing(service: str, raises: bool, case: Case, caused_elsewhere: Mapping[str, float]) -> float:
    """How much of the failing shows in the service, 0..1: in new exceptions of its own, or in the calls that it makes."""
    calls = max((shift(edge, case).explains for edge in case.evidence.edges if edge.caller == service), default=0.0)
    raised = 1.0 - caused_elsewhere.get(service, 0.0) if raises else 0.0
    return clip(max(raised, CALLS * calls))
