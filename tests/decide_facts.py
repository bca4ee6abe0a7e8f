"""Facts for tests of `decide`: an open issue, unhealthy, unless said otherwise; each builder takes what differs."""

from __future__ import annotations

from typing import Any

from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.forge import Issue, Pull, WorkflowRun
from bot.journal import AttemptRecord, Call, CommandRecord, DiagnosisRecord, EscalationRecord, OutcomeRecord, VerdictRecord
from bot.model import Decision, Diagnosis, Health, Measurement, Objective, OutcomeKind, PostMortem, Remedy, Signal, SignalKind, Verdict
from bot.policy.schema import Autonomy

NOW_S = 10_000.0
HEAD = "a" * 40
OBJECTIVE = Objective("web", "POST /quotes", 1500, 0.02, 10, 15, 5)
AUTONOMY = Autonomy(
    confidence_above=0.9,
    attempts=3,
    runs_per_attempt=2,
    run_timeout_s=300,
    judge_timeout_s=300,
    deploy_timeout_s=900,
    verify_min_requests=15,
    verify_min_s=5,
    verify_max_s=600,
    open_pulls=3,
    pulls_per_hour=6,
    recurrence_s=60,
    learn_after_s=60,
)


def measured(requests: int = 50, slow: int = 0) -> Measurement:
    return Measurement(NOW_S - 10, NOW_S, requests, 0, slow, 200, 300)


SIGNAL = Signal(SignalKind.LATENCY, OBJECTIVE, measured(), measured(slow=50), NOW_S - 20, NOW_S - 5)


def issue(**differs: Any) -> Issue:
    return Issue(**{"number": 1, "title": "slow", "body": "", "author": "bot", "state": "open", "labels": (), "created_s": 0.0, **differs})


def run(status: str = "completed", conclusion: str = "success", age_s: float = 60.0, attempt: int = 1, number: int = 7) -> WorkflowRun:
    return WorkflowRun(number, ".github/workflows/x.yml", "x", "y", HEAD, status, conclusion, attempt, NOW_S - age_s)


def pull(state: str = "open", **differs: Any) -> Pull:
    fields: dict[str, Any] = {"number": 5, "title": "fix", "body": "", "author": "bot", "branch": "sre/x", "head_sha": HEAD}
    fields |= {"base_branch": "main", "state": state, "merge_sha": "", "merged_by": "", "labels": (), "created_s": NOW_S - 100}
    return Pull(**{**fields, **differs})


def verdict(decision: Decision = Decision.ALLOW, run_attempt: int = 1) -> VerdictRecord:
    return VerdictRecord(5, Verdict(decision, HEAD, "p", ()), 7, run_attempt)


def said(verb: str) -> CommandRecord:
    return CommandRecord(9, verb, "olga", True, HEAD, 5)


def proposed(state: str = "open", **differs: Any) -> PullFacts:
    """Judged and allowed, check green: one step from being merged."""
    fields: dict[str, Any] = {"pull": pull(state), "ours": True, "gate_run": run(), "verdict": verdict(), "approval": None}
    fields |= {"approval_is_newer": False, "healthy_noticed": False}
    return PullFacts(**{**fields, **differs})


def diagnosed(confidence: float = 0.95, *, remedy: bool = True, number: int = 1) -> DiagnosisRecord:
    found = Remedy("revert", commit="b" * 40) if remedy else None
    return DiagnosisRecord(number, Diagnosis("culprit", "x", (), (), (), confidence, "brain", "", found), "b" * 40)


def outcome(kind: OutcomeKind, *, undo: bool = False, number: int = 1) -> OutcomeRecord:
    return OutcomeRecord(number, kind, "because", NOW_S - 5, undo=undo)


def attempt(number: int = 1, **differs: Any) -> Attempt:
    fields: dict[str, Any] = {"number": number, "record": AttemptRecord(number, NOW_S - 200), "started_s": NOW_S - 200, "runs": ()}
    fields |= {"diagnosis": None, "branch_sha": None, "pull": None, "outcome": None}
    fields |= {"undo_branch_sha": None, "undo": None, "undo_outcome": None}
    return Attempt(**{**fields, **differs})


def asked(verb: str = "help") -> Asked:
    return Asked(3, 1, verb, "", "olga")


def called(call: Call, number: int = 1) -> tuple[EscalationRecord, ...]:
    return (EscalationRecord(number, call),)


LESSON = PostMortem(1, "s", "t", "c", None, OutcomeKind.HEALED, "brain", 0.9, 0.0, None, "x")


def facts(*attempts: Attempt, **differs: Any) -> Facts:
    fields: dict[str, Any] = {"fingerprint": "f" * 12, "now_s": NOW_S, "signal": SIGNAL, "health": Health.UNHEALTHY, "quiet": False}
    fields |= {"issue": issue(), "incident": None, "duplicates": (), "strays": (), "twins": (), "held": False, "asked": ()}
    fields |= {"attempts": attempts, "counted": len(attempts), "escalation": None, "called": (), "healed": False, "post_mortem": None}
    fields |= {"lessons": 0, "open_pulls": 0, "pulls_last_hour": 0, "default_branch": "main"}
    return Facts(**{**fields, **differs})
