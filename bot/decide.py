"""What to do next about one incident: a pure function, total, without a clock, a network or a memory.

Read it top to bottom: what people say comes first, then what is merged, then what is open, then what is missing. *Unknown* health only waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.model import Call, Decision, Health, OutcomeKind
from bot.policy.schema import Autonomy

SETTLE_S = 5.0  # GitHub's lists lag behind its writes: a finished run's record may need this long to show


@dataclass(frozen=True)
class Wait:
    why: str


@dataclass(frozen=True)
class OpenIssue:
    pass


@dataclass(frozen=True)
class CloseDuplicate:
    number: int


@dataclass(frozen=True)
class Answer:
    asked: Asked


@dataclass(frozen=True)
class Begin:
    attempt: int


@dataclass(frozen=True)
class Think:
    attempt: int


@dataclass(frozen=True)
class CreateBranch:
    attempt: int
    undo: bool


@dataclass(frozen=True)
class OpenPull:
    attempt: int
    undo: bool


@dataclass(frozen=True)
class Judge:
    attempt: int
    pull: int


@dataclass(frozen=True)
class RerunGate:
    run_id: int
    pull: int


@dataclass(frozen=True)
class Merge:
    attempt: int
    pull: int
    sha: str
    undo: bool


@dataclass(frozen=True)
class ClosePull:
    pull: int
    why: str


@dataclass(frozen=True)
class Note:
    topic: str
    pull: int


@dataclass(frozen=True)
class Conclude:
    attempt: int
    outcome: OutcomeKind
    reason: str
    undo: bool = False


@dataclass(frozen=True)
class Escalate:
    attempt: int
    call: Call


@dataclass(frozen=True)
class CloseIssue:
    why: str


@dataclass(frozen=True)
class Learn:
    issue: int


Step = (
    Wait
    | OpenIssue
    | CloseDuplicate
    | Answer
    | Begin
    | Think
    | CreateBranch
    | OpenPull
    | Judge
    | RerunGate
    | Merge
    | ClosePull
    | Note
    | Conclude
    | Escalate
    | CloseIssue
    | Learn
)

HEALTHY_NOTICE = "healthy-before-merge"


def decide(f: Facts, a: Autonomy) -> Step:
    """The one next step. Every `Facts` has exactly one."""
    if f.issue is None:
        return OpenIssue() if f.signal and not f.refused else Wait("nothing is broken")
    if f.duplicates:
        return CloseDuplicate(f.duplicates[0])
    if f.asked:
        return Answer(f.asked[0])
    if f.issue.state == "closed":
        return _closed(f, a)
    if f.held:
        return Wait("on hold")
    if not f.attempts:
        return _first(f)
    current = f.attempts[-1]
    if current.outcome is None:
        return _running(f, a, current)
    return _ended(f, a, current)


def _closed(f: Facts, a: Autonomy) -> Step:
    """The incident is over: leave no pull request behind, and learn from it."""
    for attempt in f.attempts:
        for p in (attempt.pull, attempt.undo):
            if p and p.pull.state == "open" and p.ours:
                return ClosePull(p.pull.number, "the incident was closed")
    if f.issue and f.attempts and f.post_mortem is None and f.lessons < a.runs_per_attempt:
        closed_s = f.issue.closed_s or f.now_s
        return Learn(f.issue.number) if f.now_s - closed_s > a.learn_after_s * (1 + f.lessons) else Wait("the curator is at it")
    return Wait("closed")


def _first(f: Facts) -> Step:
    if f.health is Health.HEALTHY:
        return CloseIssue("gone") if f.quiet else Wait("healthy again: watching whether it stays so")
    return Begin(1)


def _running(f: Facts, a: Autonomy, current: Attempt) -> Step:
    if current.pull is not None:
        return _pull(f, a, current, current.pull, undo=False)
    if f.health is Health.HEALTHY:
        return CloseIssue("gone") if f.quiet else Wait("healthy again: watching whether it stays so")
    if current.diagnosis is None:
        return _thinking(f, a, current)
    diagnosis = current.diagnosis.diagnosis
    counted = f.attempts[len(f.attempts) - f.counted :]
    unsure = [x for x in counted if x.diagnosis and x.diagnosis.diagnosis.confidence <= a.confidence_above]
    if diagnosis.confidence <= a.confidence_above and len(unsure) < 2 and f.counted < a.attempts:
        return Begin(current.number + 1)  # a second thought, with fresh evidence
    if diagnosis.remedy is None:
        return _call(f, current, Call.UNSURE)
    if current.branch_sha is None:
        if f.open_pulls >= a.open_pulls or f.pulls_last_hour >= a.pulls_per_hour:
            return Wait("as many pull requests as the policy allows")
        return CreateBranch(current.number, undo=False)
    return OpenPull(current.number, undo=False)


def _thinking(f: Facts, a: Autonomy, current: Attempt) -> Step:
    alive = [r for r in current.runs if r.status != "completed" and f.now_s - r.created_s < a.run_timeout_s]
    if alive:
        return Wait("thinking")
    if not current.runs:
        return Think(current.number)
    if f.now_s - current.runs[0].created_s < SETTLE_S:
        return Wait("thinking")
    if len(current.runs) < a.runs_per_attempt:
        return Think(current.number)
    return Conclude(current.number, OutcomeKind.ERROR, f"the diagnosis ended without an answer {len(current.runs)} times")


def _ended(f: Facts, a: Autonomy, current: Attempt) -> Step:
    outcome = current.outcome.outcome if current.outcome else OutcomeKind.ERROR
    if outcome is OutcomeKind.HEALED:
        return CloseIssue("healed")
    merged = current.pull is not None and current.pull.pull.state == "merged"
    if f.quiet and not (current.undo and current.undo.pull.state == "open"):
        return CloseIssue("gone")
    if merged and outcome is not OutcomeKind.FAILED:
        return _call(f, current, Call.UNPROVEN)
    if merged and current.undo_outcome is None:
        return _undo(f, a, current)
    if f.counted >= a.attempts:
        return _call(f, current, Call.ATTEMPTS)
    return Begin(current.number + 1)


def _undo(f: Facts, a: Autonomy, current: Attempt) -> Step:
    """A fix that did not heal goes back, through the same gate."""
    if current.undo is not None:
        return _pull(f, a, current, current.undo, undo=True)
    if current.undo_branch_sha is None:
        return CreateBranch(current.number, undo=True) if f.health is Health.UNHEALTHY else Wait("measured unhealthy only may be undone")
    return OpenPull(current.number, undo=True)


def _pull(f: Facts, a: Autonomy, current: Attempt, p: PullFacts, *, undo: bool) -> Step:
    if p.pull.state == "merged":
        if p.verified is None:
            return Wait("merged: watching the same signal")
        outcome, reason, _ = p.verified
        return Conclude(current.number, outcome, reason, undo)
    if p.pull.state == "closed":
        return _call(f, current, Call.CLOSED)
    if p.approval and p.approval.verb == "deny":
        return ClosePull(p.pull.number, f"@{p.approval.by} denied it")
    if not p.ours:
        return Wait("a person pushed to the branch: it is theirs now")
    if f.health is Health.UNKNOWN:
        return Wait("not measured: nothing is merged blindly")
    approved = p.approval is not None
    if f.health is Health.HEALTHY and not p.healthy_noticed:
        return Note(HEALTHY_NOTICE, p.pull.number)
    if p.healthy_noticed and not approved:
        return Wait("healthy again before the merge: a person decides")
    return _judged(f, a, current, p, undo)


def _judged(f: Facts, a: Autonomy, current: Attempt, p: PullFacts, undo: bool) -> Step:
    """Both must allow: the guardrail run of this head SHA, and our own judgement of it."""
    run = p.gate_run
    if run is None or run.status != "completed":
        late = f.now_s - (run.created_s if run else p.pull.created_s) > a.judge_timeout_s
        return _call(f, current, Call.NO_CHECK) if late else Wait("the guardrail is at it")
    if p.verdict is None or (p.verdict.run_id, p.verdict.run_attempt) != (run.id, run.attempt):
        return Judge(current.number, p.pull.number)
    green = run.conclusion == "success"
    if p.approval and p.approval_s > p.verdict_s and (p.verdict.verdict.decision is not Decision.ALLOW or not green):
        return RerunGate(run.id, p.pull.number)
    match p.verdict.verdict.decision:
        case Decision.ALLOW if green and p.pull.mergeable is False:
            return _call(f, current, Call.CONFLICT)
        case Decision.ALLOW if green:
            return Merge(current.number, p.pull.number, p.pull.head_sha, undo)
        case Decision.ALLOW:
            return _call(f, current, Call.DISAGREE)
        case Decision.ASK:
            return _call(f, current, Call.ASK)
        case Decision.DENY:
            return _call(f, current, Call.DENY)


def _call(f: Facts, current: Attempt, call: Call) -> Step:
    """Calls a person, once for each reason; then waits for them, or for the service to be well without us."""
    p = current.undo or current.pull
    waiting = p is not None and p.pull.state == "open"
    if f.counted == 0 and not waiting:
        return Begin(current.number + 1)  # `/sre retry` came after this attempt
    if f.escalation and (f.escalation.attempt, f.escalation.call) == (current.number, call):
        if f.quiet and not waiting:
            return CloseIssue("gone")
        return Wait("a person was called")
    return Escalate(current.number, call)
