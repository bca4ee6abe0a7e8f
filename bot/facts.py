"""All that `decide` may look at: one incident as GitHub and telemetry show it at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from bot.evidence import Affected
from bot.forge import Issue, Pull, WorkflowRun
from bot.journal import AttemptRecord, CommandRecord, DiagnosisRecord, EscalationRecord, IncidentRecord, OutcomeRecord, VerdictRecord
from bot.model import Health, Measurement, OutcomeKind, PostMortem, Signal


@dataclass(frozen=True)
class Asked:
    """A slash command that nobody has answered yet."""

    comment_id: int
    number: int  # the issue or pull request that it stands under
    verb: str
    argument: str
    by: str
    suggestion: str = ""  # for an unknown verb


@dataclass(frozen=True)
class PullFacts:
    """One pull request of ours (a fix or its undo)."""

    pull: Pull
    ours: bool  # False: a person has pushed to the branch, so it is theirs
    gate_run: WorkflowRun | None  # the newest guardrail run, found by workflow path and head SHA
    verdict: VerdictRecord | None  # the newest one for the head SHA
    approval: CommandRecord | None  # the newest accepted approve/deny for the head SHA
    approval_is_newer: bool  # than the verdict
    healthy_noticed: bool  # we have said «healthy again before the merge»
    verified: tuple[OutcomeKind, str, Measurement | None] | None = None  # the Verifier's finding, once merged
    serving_s: float | None = None  # since when the merge commit, or a descendant, answers
    refused_s: float | None = None  # since when GitHub refuses to merge this head, though we may


@dataclass(frozen=True)
class Attempt:
    number: int
    record: AttemptRecord
    started_s: float
    runs: tuple[WorkflowRun, ...]  # diagnosis runs, newest first
    diagnosis: DiagnosisRecord | None
    branch_sha: str | None
    pull: PullFacts | None
    outcome: OutcomeRecord | None
    undo_branch_sha: str | None
    undo: PullFacts | None
    undo_outcome: OutcomeRecord | None


@dataclass(frozen=True)
class Facts:
    fingerprint: str
    now_s: float
    signal: Signal | None  # the objective is broken now
    health: Health
    quiet: bool  # measured healthy for the whole of autonomy.recurrence_s
    issue: Issue | None  # the incident that this pass is about
    incident: IncidentRecord | None
    duplicates: tuple[int, ...]  # younger open issues of the same incident
    strays: tuple[int, ...]  # open pull requests of ours for this fingerprint whose issue is closed
    twins: tuple[int, ...]  # comments that repeat a record of ours: two wrote it at the same moment
    held: bool
    asked: tuple[Asked, ...]
    attempts: tuple[Attempt, ...]
    counted: int  # attempts since the last accepted retry
    escalation: EscalationRecord | None  # the newest one that no retry has voided
    called: tuple[EscalationRecord, ...]  # all of them, voided or not
    healed: bool  # some attempt ended healed, or the incident was closed as gone
    post_mortem: PostMortem | None
    lessons: int  # curator runs for this incident so far
    open_pulls: int  # of ours, over all incidents
    pulls_last_hour: int
    default_branch: str
    confidence_above: float = 0.0  # of the policy in force: what texts compare with
    affected: tuple[Affected, ...] = ()  # other operations that are unwell from the same cause
    upstream: tuple[str, ...] = ()  # services furthest along the calls that are unwell
    part_of: str = ""  # whose incident this signal belongs to: "#4", or the operation that stands for it; "" for its own
    maintenance: str = ""  # the window that its service is in, in words
