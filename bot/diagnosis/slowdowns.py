"""Commits that may have slowed a service: by the deploy that brought them, by whose own time it is, and by the names of what takes long.

Slowness leaves no stack. What the exemplar traces show instead is the service that spends the time itself, and, where it has spans of its
own steps or asks somebody too often, words that the guilty commit's files and lines tend to share.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.diagnosis.candidate import Candidate, Measure
from bot.diagnosis.case import Case, Change
from bot.diagnosis.joins import Join, arrival, join, join_text
from bot.diagnosis.plain import duration, percent, plain, short
from bot.diagnosis.spent import Spent
from bot.diagnosis.wording import share, words, words_of
from bot.evidence import DeployMark
from bot.model import Claim, Suspect

UNNAMED = 0.5  # what a commit keeps of its score when another one to the same service speaks of the step that takes long, and it does not
AT_ONCE = 2  # power of the deploy's fit: slow code is slow from its first request on, so an old deploy explains little
WORTH_NAMING = 0.05


def slowdown_candidates(case: Case, blame: Mapping[str, float], seen: Mapping[str, Spent]) -> tuple[Candidate, ...]:
    """One candidate for each change that something speaks for. `blame`: service → how much of the slowness ends there, 0..1."""
    told = {service: some for service, one in seen.items() if (some := one.words - words(service))}
    said = words_of(case) if told else {}
    says = {service: share(some, said) for service, some in told.items()}
    found = [_slows(change, case, blame, seen, says) for change in case.changes]
    return tuple(c for c in found if c is not None and c.suspect.score >= WORTH_NAMING)


Says = Mapping[str, Mapping[str, float]]  # service whose slow step has a name → commit → how much of that name it speaks of


def _slows(change: Change, case: Case, blame: Mapping[str, float], seen: Mapping[str, Spent], says: Says) -> Candidate | None:
    begin_s = case.incident.signal.first_bad_s
    best: Candidate | None = None
    for service in change.services:
        deploy, place = join(change, service, begin_s, "", case), blame.get(service, 0.0)
        if deploy.value and place and deploy.mark is not None:
            candidate = _slowed(change, service, deploy, deploy.mark, place, seen.get(service), says.get(service, {}), case)
            best = candidate if best is None or candidate.suspect.score > best.suspect.score else best
    return best


def _slowed(
    change: Change, service: str, deploy: Join, mark: DeployMark, place: float, own: Spent | None, says: Mapping[str, float], case: Case
) -> Candidate:
    sha, name = short(change.commit.sha), plain(service)
    retuned = f"changed the manifest of {name}, which is slow since"
    code = says.get(change.commit.sha, 0.0)
    most = max((says.get(other.commit.sha, 0.0) for other in case.changes if service in other.services), default=0.0)
    score = deploy.value**AT_ONCE * place * (UNNAMED + (1.0 - UNNAMED) * code / most if most else 1.0)
    code_text = "slowness leaves no stack, and no step that takes long has a name"
    if own is not None and says:
        code_text = (
            f"{percent(code)} of the words that name what takes long ({', '.join(sorted(map(plain, own.words))[:5])}) stand in the commit"
        )
    return Candidate(
        suspect=Suspect("change", change.commit.sha, service, round(score, 4)),
        mechanism="change-slows",
        roles=(service,),
        cause=f"Commit {sha} {retuned if service in change.manifests else f'made {name} slow'}.",
        measures=(
            Measure("deploy_match", deploy.value, join_text(deploy, name)),
            Measure("code_match", code, code_text),
            Measure("worse_now", place, _place_text(place, name, own)),
        ),
        claims=(Claim(arrival(change, deploy, mark, name, "slow request"), (mark.id,)), _spent_claim(name, service, own, mark, case)),
        own=(mark.id,),
        model="timing",
    )


def _place_text(place: float, name: str, own: Spent | None) -> str:
    if own is None:
        return f"{percent(place)} of the slowness ends in {name}, by the figures of its calls"
    return f"{percent(place)} of what bad exemplar traces take longer is the doing of {name}"


def _spent_claim(name: str, service: str, own: Spent | None, mark: DeployMark, case: Case) -> Claim:
    if own is None or not own.ids:
        edges = tuple(edge.id for edge in case.evidence.edges if edge.peer == service)
        return Claim(f"The time is spent in {name} itself, not in what it calls.", (mark.id, *edges))
    if own.asked:
        return Claim(f"In the bad exemplar traces {name} calls {plain(own.asked)} more often than in the good ones.", own.ids)
    took = f"{duration(own.now_ms)} of its own, in good ones {duration(own.before_ms)}"
    return Claim(f"In the bad exemplar traces {name} spends {took}: that is {percent(own.share)} of what they take longer.", own.ids)
