"""Commits that may have broken something: joined with the first exceptions by deploy, and by the stack's files and lines.

The last commit is not the guilty one just because it is the last: what counts is which deploy brought it, whether the exception's frames
stand in lines that it changed, and whether the errors were there before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.diagnosis.candidate import Candidate, Measure, clip
from bot.diagnosis.case import Case, Change, is_new
from bot.diagnosis.joins import Join, arrival, join, join_text
from bot.diagnosis.overlap import Overlap, code_text, innermost, near_text, or_manifest, overlap
from bot.diagnosis.plain import plain, short
from bot.evidence import ErrorGroup
from bot.model import Claim, Suspect
from bot.signature import code_location

OUTSIDE, OUTSIDE_BUT_IN_STACK = 0.4, 0.7  # a commit that touches no file of the service that fails keeps this much of its join
NO_JOIN, NO_CODE = 0.15, 0.1  # what a suspect keeps of its score without a deploy, without a line of the stack
WORTH_NAMING = 0.05


def change_candidates(case: Case, caused_elsewhere: Mapping[str, float]) -> tuple[Candidate, ...]:
    """One candidate for each change that something speaks for.

    `caused_elsewhere`: service → how far its exceptions are only the echo of a call that failed, 0..1.
    """
    found = [_breaks(change, case, caused_elsewhere) for change in case.changes]
    return tuple(c for c in found if c is not None and c.suspect.score >= WORTH_NAMING)


def _breaks(change: Change, case: Case, caused_elsewhere: Mapping[str, float]) -> Candidate | None:
    best: Candidate | None = None
    for group in sorted((g for g in case.evidence.errors if g.count), key=lambda g: (-g.count, g.service, g.type, g.frames)):
        fresh = clip(1.0 - group.before_count / group.count) if not is_new(group) else 1.0
        worse = fresh * (1.0 - caused_elsewhere.get(group.service, 0.0))
        deploy = join(change, group.service, group.first_seen_s, group.commit, case)
        code = or_manifest(overlap(change, group, case), change, group, case)
        outside = group.service not in change.services
        if outside:
            deploy = replace(deploy, value=deploy.value * (OUTSIDE_BUT_IN_STACK if code.path else OUTSIDE))
        score = (NO_JOIN + (1 - NO_JOIN) * deploy.value) * (NO_CODE + (1 - NO_CODE) * code.value) * worse
        if code.value or deploy.value:
            candidate = _broken(change, group, deploy, code, worse, score, outside)
            best = candidate if best is None or candidate.suspect.score > best.suspect.score else best
    return best


def _broken(change: Change, group: ErrorGroup, deploy: Join, code: Overlap, worse: float, score: float, outside: bool) -> Candidate:
    sha, where = short(change.commit.sha), plain(code_location(innermost(group)))
    service = plain(group.service)
    claims = [Claim(f"{plain(group.type)} is raised in {where}: {group.count} times now, {group.before_count} times before.", (group.id,))]
    if deploy.mark is not None:
        claims.append(Claim(arrival(change, deploy, deploy.mark, service, "failure"), (deploy.mark.id, group.id)))
    if code.path:
        claims.append(Claim(f"Commit {sha} changed {plain(code.path)}{near_text(code)}.", (group.id,)))
    return Candidate(
        suspect=Suspect("change", change.commit.sha, group.service, round(score, 4)),
        mechanism="change-breaks",
        roles=(group.service, group.type, code_location(innermost(group))),
        cause=f"Commit {sha} {_did(change, group.service, code)}: {plain(group.type)} in {where}.",
        measures=(
            Measure("deploy_match", deploy.value, join_text(deploy, service) + (OUTSIDE_TEXT.format(service) if outside else "")),
            Measure("code_match", code.value, code_text(code)),
            Measure("worse_now", worse, f"{group.count} such errors now, {group.before_count} before"),
        ),
        claims=tuple(claims),
        own=(group.id, *((deploy.mark.id,) if deploy.mark else ())),
        model="change",
    )


OUTSIDE_TEXT = ", but it touches no file of {}"


def _did(change: Change, service: str, code: Overlap) -> str:
    return f"changed the manifest of {plain(service)}, which fails since" if code.manifest else f"broke {plain(service)}"
