"""What to do next about one incident: a pure function, total, without a clock, a network or a memory.

Read it top to bottom: what people say comes first, then what is merged, then what is open, then what is missing. *Unknown* only waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.forge import Issue
from bot.journal import Call
from bot.model import Decision, Health, OutcomeKind
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
class JoinOlder:
    """This incident turns out to have the cause of an older one."""

    number: int


@dataclass(frozen=True)
class DropTwin:
    comment_id: int


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
    | JoinOlder
    | DropTwin
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
    if f.strays and not f.held:
        return ClosePull(f.strays[0], "its incident is closed")
    if f.issue is None:
        return _unopened(f)
    if f.duplicates:
        return CloseDuplicate(f.duplicates[0])
    if f.twins:
        return DropTwin(f.twins[0])
    if f.asked:
        return Answer(f.asked[0])
    if f.issue.state == "closed":
        return _closed(f, a)
    if f.held:
        return Wait("on hold")
    if older := _older(f):
        return JoinOlder(older)
    if not f.attempts:
        return _first(f)
    current = f.attempts[-1]
    if left := _left_open(f, current):
        return ClosePull(left.pull.number, "its attempt is over")
    if current.outcome is None:
        return _running(f, a, current)
    return _ended(f, a, current)


def _unopened(f: Facts) -> Step:
    if f.signal is None:
        return Wait("nothing is broken")
    if f.held:
        return Wait("on hold")
    if f.maintenance:
        return Wait("a maintenance window")
    return Wait("part of another incident") if f.part_of else OpenIssue()


def _closed(f: Facts, a: Autonomy) -> Step:
    """The incident is over: learn from it."""
    if f.issue and any(x.outcome or _refused(x, f.issue) for x in f.attempts) and f.post_mortem is None and f.lessons < a.runs_per_attempt:
        closed_s = f.issue.closed_s or f.now_s
        return Learn(f.issue.number) if f.now_s - closed_s > a.learn_after_s * (1 + f.lessons) else Wait("the curator is at it")
    return Wait("closed")


def _refused(x: Attempt, issue: Issue) -> bool:
    """Its pull request was closed before the incident was: not by us, who close what an incident leaves open."""
    closed_s = x.pull.pull.closed_s if x.pull and x.pull.pull.state == "closed" else None
    return closed_s is not None and closed_s < (issue.closed_s or closed_s)


def _older(f: Facts) -> int:
    """The older open incident that has the same cause; 0 when there is none, or when this one is too far to be given up: something was
    proposed, a person was called, or a person has reopened it."""
    number = int(f.part_of[1:]) if f.part_of.startswith("#") else 0
    begun = any(x.branch_sha or x.pull for x in f.attempts) or f.called or (f.issue is not None and f.issue.reopened)
    return number if f.health is Health.UNHEALTHY and not begun else 0


def _left_open(f: Facts, current: Attempt) -> PullFacts | None:
    """A pull request of an attempt that has ended meanwhile, e.g. by a diagnosis that came after we had given it up."""
    for x in f.attempts:
        for p, ended in ((x.pull, x.outcome), (x.undo, x.undo_outcome)):
            if p and p.pull.state == "open" and p.ours and (ended or x is not current):
                return p
    return None


def _first(f: Facts) -> Step:
    return _well(f) if f.health is Health.HEALTHY else Begin(1)


def _well(f: Facts) -> Step:
    """Healthy, though nothing of ours healed it."""
    return _close(f, "gone") if f.quiet else Wait("healthy again: watching whether it stays so")


def _close(f: Facts, why: str) -> Step:
    if f.issue and f.issue.reopened:
        return Wait("healthy; a person reopened this, so a person closes it")
    return CloseIssue(why)


def _running(f: Facts, a: Autonomy, current: Attempt) -> Step:
    if current.pull is not None:
        return _pull(f, a, current, current.pull, undo=False)
    if f.health is Health.HEALTHY:
        return _well(f)
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
    if outcome is OutcomeKind.HEALED and f.health is not Health.UNHEALTHY:
        return _close(f, "healed") if f.health is Health.HEALTHY else Wait("healed, but not measured now")
    merged = current.pull is not None and current.pull.pull.state == "merged"
    if f.quiet and not (current.undo and current.undo.pull.state == "open"):
        return _close(f, "gone")
    if merged and outcome in (OutcomeKind.INCONCLUSIVE, OutcomeKind.ERROR):
        return _call(f, current, Call.UNPROVEN)
    if merged and outcome is OutcomeKind.FAILED and current.undo_outcome is None:
        return _undo(f, a, current)
    if current.undo_outcome and current.undo_outcome.outcome is OutcomeKind.ERROR:
        return _call(f, current, Call.UNDO)
    if f.health is Health.HEALTHY:
        return _well(f)
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
        flapping = f.health is Health.UNHEALTHY
        return _call(f, current, Call.FLAPPING) if flapping else Wait("healthy again before the merge: a person decides")
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
    allowed = green and p.verdict.verdict.decision is Decision.ALLOW
    outdated = run.attempt == 1 and (p.approval is not None or p.verdict.verdict.decision is Decision.ALLOW)
    if not allowed and (outdated or p.approval_is_newer):  # the run may have judged before the approval, or while on hold
        return RerunGate(run.id, p.pull.number)
    if allowed and (p.pull.mergeable is False or (p.refused_s is not None and f.now_s - p.refused_s > a.judge_timeout_s)):
        return _call(f, current, Call.CONFLICT)
    match p.verdict.verdict.decision:
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
        return _well(f) if f.health is Health.HEALTHY else Begin(current.number + 1)  # `/sre retry` came after this attempt
    if any((x.attempt, x.call) == (current.number, call) for x in f.called):
        return _close(f, "gone") if f.quiet and not waiting else Wait("a person was called")
    return Escalate(current.number, call)
