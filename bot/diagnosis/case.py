"""The case: everything that a diagnosis may look at, collected once and then frozen, so that thinking needs no outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.errors import Missing, Refused
from bot.evidence import DeployMark, ErrorGroup, Evidence
from bot.forge import Commit
from bot.journal import DiagnosisRecord, IncidentRecord, OutcomeRecord, Record
from bot.model import OutcomeKind, PostMortem, Suspect
from bot.policy.paths import services_of
from bot.policy.schema import Policies
from bot.ports import ForgeReader

MAX_COMMITS = 30
LOOK_BACK_S = 1800.0  # deploys and commits older than this before the first bad request are no candidates
CLOCK_SLACK_S = 5.0  # hosts' clocks differ, and the first span of a new commit may itself be a bad one


@dataclass(frozen=True)
class Change:
    """A commit that may be the cause. `deploys` are the ids of the marks that brought it; empty when no deploy is known."""

    commit: Commit  # with its files
    deploys: tuple[str, ...] = ()
    services: tuple[str, ...] = ()  # whose paths it touches

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
    changes_left_out: int = 0  # commits beyond MAX_COMMITS that nobody looked at
    tried: tuple[Suspect, ...] = ()  # acted upon in earlier attempts of this incident, and that did not heal

    def manifest(self, service: str) -> str | None:
        return dict(self.manifests).get(service)


def tried_suspects(records: Iterable[Record]) -> tuple[Suspect, ...]:
    """Whom earlier attempts acted upon without healing. `records` are those of one incident."""
    listed = tuple(records)
    failed = {r.attempt for r in listed if isinstance(r, OutcomeRecord) and not r.undo and r.outcome is OutcomeKind.FAILED}
    found = [r.diagnosis.suspects[0] for r in listed if isinstance(r, DiagnosisRecord) and r.attempt in failed and r.diagnosis.suspects]
    return tuple(found)


def is_new(group: ErrorGroup) -> bool:
    """Whether the exception (almost) never occurred before: at most a tenth of what is seen now."""
    return group.count > 0 and group.before_count * 10 <= group.count


def onset_s(incident: IncidentRecord, evidence: Evidence) -> float:
    """When it began, at the latest: the first bad request, or the first of a new kind of error."""
    return max([incident.signal.first_bad_s, *(group.first_seen_s for group in evidence.errors if is_new(group))])


async def gather(
    reader: ForgeReader, policies: Policies, incident: IncidentRecord, evidence: Evidence, tried: Sequence[Suspect] = ()
) -> Case:
    """Reads the default branch's head, the commits that arrived shortly before the onset, and the manifests of the services concerned.

    Without usable deploy marks the branch's recent commits stand in, with no deploy to their name. Raises Retry or Refused as the
    reader does, and Refused when the default branch is missing.
    """
    branch = await reader.default_branch()
    base_sha = await reader.branch_sha(branch)
    if base_sha is None:
        raise Refused(f"the default branch {branch} has no commit: push one, then try again")
    onset = onset_s(incident, evidence)
    marks = [m for m in evidence.deploys if m.previous_commit and onset - LOOK_BACK_S <= m.first_seen_s <= onset + CLOCK_SLACK_S]
    arrived = await _arrived(reader, marks)
    if not arrived:
        recent = await reader.commits(branch=branch, limit=MAX_COMMITS)
        arrived = {c.sha: () for c in reversed(recent) if onset - LOOK_BACK_S <= c.committed_s <= onset + CLOCK_SLACK_S}
    shas = list(arrived)[-MAX_COMMITS:]
    changes = []
    for sha in shas:
        commit = await reader.commit(sha)
        touched = [path for file in commit.files for path in (file.path, file.previous_path) if path]
        changes.append(Change(commit, arrived[sha], services_of(touched, policies)))
    manifests = await _manifests(reader, policies, incident, evidence, base_sha)
    left_out = len(arrived) - len(shas)
    return Case(incident, evidence, tuple(changes), manifests, base_sha, changes_left_out=left_out, tried=tuple(tried))


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
