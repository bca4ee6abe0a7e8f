"""Change suspects: commits joined with the first bad spans by deploy, by the stack's files and lines, and by who got worse.

The last commit is not the guilty one just because it is the last: what counts is which deploy brought it, whether the exception's frames
stand in lines that it changed, and whether the errors were there before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bot.diagnosis.candidate import Candidate, Measure, clip
from bot.diagnosis.case import CLOCK_SLACK_S, Case, Change, is_new
from bot.diagnosis.patch import changed_lines, moved
from bot.diagnosis.plain import clock, percent, plain, short
from bot.evidence import DeployMark, ErrorGroup
from bot.model import Claim, SignalKind, Suspect
from bot.signature import code_location, split_frame

SOON_S = 120.0  # errors that begin this soon after a deploy: full marks
FADE_S = 900.0  # after that the join fades by a factor e in this time
EARLIER_DEPLOY = 0.4  # the service was deployed again before the errors began: the earlier deploy counts this much
OUTER_FRAME = 0.7  # each frame further out weighs this much of the one inside it
SAME_FILE = 0.4  # same file, lines far away
UNKNOWN_LINES = 0.5  # no patch: somewhere between near and far
NEAR_LINES = 3
FADE_LINES = 10.0
NO_JOIN, NO_CODE = 0.15, 0.1  # what a suspect keeps of its score without a deploy, without a line of the stack
WORTH_NAMING = 0.05


@dataclass(frozen=True)
class Join:
    """A deploy that brought the change to the service before it went bad."""

    value: float
    mark: DeployMark | None
    gap_s: float = 0.0


@dataclass(frozen=True)
class Overlap:
    """Where the exception's stack meets the change."""

    value: float
    path: str = ""
    lines_away: int | None = None


def join(change: Change, service: str, begin_s: float, commit: str, case: Case) -> Join:
    """How well the beginning of the trouble in `service` fits the deploy that brought `change`. `commit`: of the bad spans, "" unknown."""
    marks = [m for m in case.evidence.deploys if m.service == service and m.previous_commit]
    before = sorted((m for m in marks if m.first_seen_s <= begin_s + CLOCK_SLACK_S), key=lambda m: (m.first_seen_s, m.id))
    if commit and commit in {m.commit for m in before}:  # clocks are worse witnesses than the span's own commit
        last = max(i for i, m in enumerate(before) if m.commit == commit)
        before = before[: last + 1]
    best = Join(0.0, None)
    for mark in before:
        gap_s = max(0.0, begin_s - mark.first_seen_s)
        if mark.id not in change.deploys:
            continue
        value = math.exp(-max(0.0, gap_s - SOON_S) / FADE_S) * (1.0 if mark is before[-1] else EARLIER_DEPLOY)
        if value > best.value:
            best = Join(value, mark, gap_s)
    return best


def overlap(change: Change, group: ErrorGroup, case: Case) -> Overlap:
    """How closely the stack's frames (innermost in-app frame first) meet the files and lines of the change."""
    best = Overlap(0.0)
    weight = 1.0
    for frame in reversed(in_app(group.frames)):
        path, _, line = split_frame(frame)
        for file in change.commit.files:
            if file.path != path and not path.endswith("/" + file.path):
                continue
            away = _lines_away(change, file.path, file.patch, line, case)
            near = UNKNOWN_LINES if away is None else math.exp(-max(0, away - NEAR_LINES) / FADE_LINES)
            value = weight * (SAME_FILE + (1.0 - SAME_FILE) * near)
            if value > best.value:
                best = Overlap(value, file.path, away)
        weight *= OUTER_FRAME
    return best


def in_app(frames: tuple[str, ...]) -> tuple[str, ...]:
    """The frames in the repository's own code; all of them when none is."""
    own = tuple(f for f in frames if not f.startswith(("/", "<")) and "site-packages/" not in f and "dist-packages/" not in f)
    return own or frames


def _lines_away(change: Change, path: str, patch: str, line: int, case: Case) -> int | None:
    """Distance from the frame's line to the nearest changed line, followed through the later changes of the same file."""
    lines: list[int] = list(changed_lines(patch))
    if not lines or not line:
        return None
    later = case.changes[case.changes.index(change) + 1 :]
    for file in (file for one in later for file in one.commit.files if file.path == path and file.patch):
        lines = [moved(number, file.patch) for number in lines]
    return min(abs(line - number) for number in lines)


def change_candidates(case: Case, blame: Mapping[str, float], caused_elsewhere: Mapping[str, float]) -> tuple[Candidate, ...]:
    """One candidate for each change that something speaks for.

    `blame`: service → how much of the slowness ends there, 0..1. `caused_elsewhere`: service → how far its exceptions are only the echo
    of a call that failed, 0..1.
    """
    if case.incident.signal.kind is SignalKind.ERRORS:
        found = [_breaks(change, case, caused_elsewhere) for change in case.changes]
    else:
        found = [_slows(change, case, blame) for change in case.changes]
    return tuple(c for c in found if c is not None and c.suspect.score >= WORTH_NAMING)


def _breaks(change: Change, case: Case, caused_elsewhere: Mapping[str, float]) -> Candidate | None:
    best: Candidate | None = None
    for group in sorted((g for g in case.evidence.errors if g.count), key=lambda g: (-g.count, g.service, g.type, g.frames)):
        fresh = clip(1.0 - group.before_count / group.count) if not is_new(group) else 1.0
        worse = fresh * (1.0 - caused_elsewhere.get(group.service, 0.0))
        deploy = join(change, group.service, group.first_seen_s, group.commit, case)
        code = overlap(change, group, case)
        score = (NO_JOIN + (1 - NO_JOIN) * deploy.value) * (NO_CODE + (1 - NO_CODE) * code.value) * worse
        if code.value or deploy.value:
            candidate = _broken(change, group, deploy, code, worse, score)
            best = candidate if best is None or candidate.suspect.score > best.suspect.score else best
    return best


def _broken(change: Change, group: ErrorGroup, deploy: Join, code: Overlap, worse: float, score: float) -> Candidate:
    sha, where = short(change.commit.sha), plain(code_location(innermost(group)))
    service = plain(group.service)
    claims = [Claim(f"{plain(group.type)} is raised in {where}: {group.count} times now, {group.before_count} times before.", (group.id,))]
    if deploy.mark is not None:
        claims.append(Claim(_arrival(change, deploy, deploy.mark, service, "failure"), (deploy.mark.id, group.id)))
    if code.path:
        claims.append(Claim(f"Commit {sha} changed {plain(code.path)}{_nearness(code)}.", (group.id,)))
    return Candidate(
        suspect=Suspect("change", change.commit.sha, group.service, round(score, 4)),
        mechanism="change-breaks",
        roles=(group.service, group.type, code_location(innermost(group))),
        cause=f"Commit {sha} broke {service}: {plain(group.type)} in {where}.",
        measures=(
            Measure("deploy_match", deploy.value, _join_text(deploy, service)),
            Measure("code_match", code.value, _code_text(code)),
            Measure("worse_now", worse, f"{group.count} such errors now, {group.before_count} before"),
        ),
        claims=tuple(claims),
        own=(group.id, *((deploy.mark.id,) if deploy.mark else ())),
    )


def innermost(group: ErrorGroup) -> str:
    """The frame in which the exception was raised, in the repository's own code if any."""
    frames = in_app(group.frames)
    return frames[-1] if frames else "(no stack)"


def _slows(change: Change, case: Case, blame: Mapping[str, float]) -> Candidate | None:
    begin_s = case.incident.signal.first_bad_s
    best: Candidate | None = None
    for service in change.services:
        deploy, place = join(change, service, begin_s, "", case), blame.get(service, 0.0)
        if not deploy.value or not place or deploy.mark is None:
            continue
        sha, name = short(change.commit.sha), plain(service)
        edges = tuple(edge.id for edge in case.evidence.edges if edge.peer == service)
        candidate = Candidate(
            suspect=Suspect("change", change.commit.sha, service, round(deploy.value * place, 4)),
            mechanism="change-slows",
            roles=(service,),
            cause=f"Commit {sha} made {name} slow.",
            measures=(
                Measure("deploy_match", deploy.value, _join_text(deploy, name)),
                Measure("code_match", 0.0, "slowness leaves no stack that would show the line"),
                Measure("worse_now", place, f"{percent(place)} of the slowness ends in {name}"),
            ),
            claims=(
                Claim(_arrival(change, deploy, deploy.mark, name, "slow request"), (deploy.mark.id,)),
                Claim(f"The time is spent in {name} itself, not in what it calls.", (deploy.mark.id, *edges)),
            ),
            own=(deploy.mark.id,),
        )
        best = candidate if best is None or candidate.suspect.score > best.suspect.score else best
    return best


def _join_text(deploy: Join, service: str) -> str:
    if deploy.mark is None:
        return f"no deploy is known that brought it to {service} before it went bad"
    began = f"{service} first answered from {short(deploy.mark.commit)} at {clock(deploy.mark.first_seen_s)}"
    return f"{began}, and went bad {_later(deploy.gap_s)}"


def _arrival(change: Change, deploy: Join, mark: DeployMark, service: str, what: str) -> str:
    """When the service first answered from the deploy that brought the change, and how soon after that it went bad."""
    brought = "" if mark.commit == change.commit.sha else f", which brought {short(change.commit.sha)},"
    return (
        f"{service} answered from commit {short(mark.commit)}{brought} for the first time at {clock(mark.first_seen_s)};"
        f" the first {what} came {_later(deploy.gap_s)}."
    )


def _later(gap_s: float) -> str:
    """The first answer from a commit may itself be the first bad one."""
    return f"{gap_s:.1f} s later" if gap_s >= 0.05 else "at once"


def _code_text(code: Overlap) -> str:
    if not code.path:
        return "it changed none of the stack's files"
    return f"it changed {plain(code.path)}{_nearness(code)}"


def _nearness(code: Overlap) -> str:
    if code.lines_away is None:
        return ""
    return (
        f", {code.lines_away} lines from a frame of the stack"
        if code.lines_away
        else ", and a frame of the stack stands in what it changed"
    )
