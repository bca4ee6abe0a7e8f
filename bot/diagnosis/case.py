"""The case: everything that a diagnosis may look at, collected once and then frozen, so that thinking needs no outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.errors import Missing, Refused
from bot.evidence import DeployMark, ErrorGroup, Evidence
from bot.forge import Commit
from bot.journal import DiagnosisRecord, IncidentRecord, OutcomeRecord, Record
from bot.model import Claim, Finding, OutcomeKind, PostMortem, Suspect
from bot.policy.paths import services_of
from bot.policy.schema import Policies
from bot.ports import ForgeReader

MAX_RUNNING = 5  # commits that answer requests, for which is asked what they contain
CLOCK_SLACK_S = 5.0  # hosts' clocks differ, and the first span of a new commit may itself be a bad one


@dataclass(frozen=True)
class Look:
    """How far a look goes: deploys and commits older than `back_s` before the onset, and commits beyond `commits`, are left out."""

    back_s: float
    commits: int


FIRST_LOOK = Look(back_s=1_800.0, commits=30)
SECOND_LOOK = Look(back_s=21_600.0, commits=90)  # of somebody who is not sure: a shift, not a coffee break


@dataclass(frozen=True)
class Change:
    """A commit that may be the cause. `deploys` are the ids of the marks that brought it; empty when no deploy is known."""

    commit: Commit  # with its files
    deploys: tuple[str, ...] = ()
    services: tuple[str, ...] = ()  # whose paths it touches
    manifests: tuple[str, ...] = ()  # services whose manifest it touches

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for file in self.commit.files for path in (file.path, file.previous_path) if path)


@dataclass(frozen=True)
class Case:
    """One incident as the agents see it. `changes` are oldest first; `recalled` is filled by the recall step of the graph."""

    incident: IncidentRecord
    evidence: Evidence
    changes: tuple[Change, ...]
    manifests: tuple[tuple[str, str], ...]  # (service, text of its manifest at base_sha)
    base_sha: str  # head of the default branch
    recalled: tuple[tuple[PostMortem, float], ...] = ()
    changes_left_out: int = 0  # commits beyond the look's limit that nobody looked at
    tried: tuple[Suspect, ...] = ()  # acted upon in earlier attempts of this incident, and that did not heal
    found: tuple[Finding, ...] = ()  # by lookups
    rejected: tuple[Claim, ...] = ()  # of an opinion that fell, so that it is not repeated

    def manifest(self, service: str) -> str | None:
        return dict(self.manifests).get(service)


def tried_suspects(records: Iterable[Record]) -> tuple[Suspect, ...]:
    """Whom earlier attempts acted upon without healing it all. `records` are those of one incident."""
    listed = tuple(records)
    unhealed = (OutcomeKind.FAILED, OutcomeKind.PARTIAL)
    failed = {r.attempt for r in listed if isinstance(r, OutcomeRecord) and not r.undo and r.outcome in unhealed}
    found = [r.diagnosis.suspects[0] for r in listed if isinstance(r, DiagnosisRecord) and r.attempt in failed and r.diagnosis.suspects]
    return tuple(found)


def is_new(group: ErrorGroup) -> bool:
    """Whether the exception (almost) never occurred before: at most a tenth of what is seen now."""
    return group.count > 0 and group.before_count * 10 <= group.count


def onset_s(incident: IncidentRecord, evidence: Evidence) -> float:
    """When it began, at the latest: the first bad request, or the first of a new kind of error."""
    return max([incident.signal.first_bad_s, *(group.first_seen_s for group in evidence.errors if is_new(group))])


async def gather(
    reader: ForgeReader,
    policies: Policies,
    incident: IncidentRecord,
    evidence: Evidence,
    tried: Sequence[Suspect] = (),
    look: Look = FIRST_LOOK,
) -> Case:
    """Reads the default branch's head, the commits that arrived shortly before the onset, and the manifests of the services concerned.

    Commits are those that deploys brought. Without usable deploy marks the branch's recent commits stand in, with no deploy to their name,
    less those that no service answers from yet. Raises Retry or Refused as the reader does, and Refused when the default branch is missing.
    """
    branch = await reader.default_branch()
    base_sha = await reader.branch_sha(branch)
    if base_sha is None:
        raise Refused(f"the default branch {branch} has no commit: push one, then try again")
    onset = onset_s(incident, evidence)
    since_s, until_s = onset - look.back_s, onset + CLOCK_SLACK_S
    marks = [m for m in evidence.deploys if m.previous_commit and since_s <= m.first_seen_s <= until_s]
    arrived = await _arrived(reader, marks)
    if not arrived:
        waiting = await _not_deployed(reader, incident, evidence, base_sha)
        recent = await reader.commits(branch=branch, limit=look.commits)
        arrived = {c.sha: () for c in reversed(recent) if since_s <= c.committed_s <= until_s and c.sha not in waiting}
    shas = list(arrived)[-look.commits :]
    changes = []
    for sha in shas:
        commit = await reader.commit(sha)
        touched = [path for file in commit.files for path in (file.path, file.previous_path) if path]
        manifests_touched = tuple(spec.name for spec in policies.services if spec.manifest and spec.manifest in touched)
        changes.append(Change(commit, arrived[sha], services_of(touched, policies), manifests_touched))
    manifests = await _manifests(reader, policies, incident, evidence, base_sha)
    left_out = len(arrived) - len(shas)
    return Case(incident, evidence, tuple(changes), manifests, base_sha, changes_left_out=left_out, tried=tuple(tried))


async def _not_deployed(reader: ForgeReader, incident: IncidentRecord, evidence: Evidence, base_sha: str) -> frozenset[str]:
    """Commits on the default branch that no service is known to answer from: they cannot have broken anything."""
    seen = [*incident.signal.now.commits, *(m.commit for m in evidence.deploys), *(g.commit for g in evidence.errors)]
    running = list(dict.fromkeys(sha for sha in reversed(seen) if sha and sha != base_sha))[:MAX_RUNNING]
    if base_sha in seen:
        return frozenset()
    waiting: list[frozenset[str]] = []
    for sha in running:
        try:
            waiting.append(frozenset(c.sha for c in (await reader.compare(sha, base_sha)).commits))
        except Missing:
            continue  # not a commit of this repository
    return frozenset.intersection(*waiting) if waiting else frozenset()


async def _arrived(reader: ForgeReader, marks: Sequence[DeployMark]) -> dict[str, tuple[str, ...]]:
    """Commit → ids of the marks that brought it, oldest deploy first. A range that GitHub no longer knows is left out."""
    found: dict[str, tuple[str, ...]] = {}
    ranges: dict[tuple[str, str], list[str]] = {}
    for mark in sorted(marks, key=lambda m: (m.first_seen_s, m.id)):
        ranges.setdefault((mark.previous_commit, mark.commit), []).append(mark.id)
    for (previous, commit), ids in ranges.items():
        try:
            comparison = await reader.compare(previous, commit)
        except Missing:
            continue
        for one in comparison.commits:
            found[one.sha] = (*found.get(one.sha, ()), *ids)
    return found


async def _manifests(
    reader: ForgeReader, policies: Policies, incident: IncidentRecord, evidence: Evidence, base_sha: str
) -> tuple[tuple[str, str], ...]:
    names = {incident.signal.service, *(edge.caller for edge in evidence.edges), *(group.service for group in evidence.errors)}
    found = []
    for spec in policies.services:
        if spec.name in names and spec.manifest:
            text = await reader.read_file(spec.manifest, base_sha)
            if text is not None:
                found.append((spec.name, text))
    return tuple(found)
