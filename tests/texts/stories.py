"""Two incidents as the texts get them, with realistic figures: a bad release that is reverted, and a depot that hangs and gets bounds.

The diagnoses are made by the project's own localisation from the evidence, so the texts show the sentences that people will read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge
from bot.diagnosis.conclude import conclude
from bot.diagnosis.localise import localise
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.evidence import Affected, ConfigChange, Difference, Evidence, Histogram, LogGroup
from bot.facts import Attempt, Facts, PullFacts
from bot.forge import Issue, Pull, WorkflowRun
from bot.journal import AttemptRecord, DiagnosisRecord, IncidentRecord, OutcomeRecord, VerdictRecord
from bot.model import FileChange, Health, Measurement, OutcomeKind, Proposal, Signal, Verdict
from bot.policy.evaluate import judge
from bot.policy.testing import good_case
from bot.texts import Links
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S, bad_case, bad_changes, hang_case, policies

POLICIES = policies()
LINKS = Links("https://github.com", "acme/shop")
HEAD = "c0ffee" + "1" * 34
MERGE = "facade" + "2" * 34


def _measured(seconds: float, requests: int, *, errors: int = 0, slow: int = 0, p99_ms: float = 325.0) -> Measurement:
    return Measurement(FIRST_BAD_S - seconds, FIRST_BAD_S, requests, errors, slow, 176.0, p99_ms)


BEFORE = _measured(600, 2140)
AFTER = Measurement(FIRST_BAD_S + 40, FIRST_BAD_S + 51, 52, 0, 0, 187.0, 302.0)


def _told(case: Case, now: Measurement, series: tuple[tuple[float, float, float], ...], **more: Any) -> Case:
    """`more`: further parts of the evidence."""
    signal = replace(case.incident.signal, before=BEFORE, now=now, detected_s=FIRST_BAD_S + 1.4)
    evidence = replace(case.evidence, series=series, **more)
    return replace(case, incident=IncidentRecord("0123456789ab", signal, evidence), evidence=evidence)


def bad_release() -> Case:
    changes = list(bad_changes())
    message = "Loyalty discount rewards customers who drive without claims (#12)\n\nMore words."
    changes[0] = replace(changes[0], commit=replace(changes[0].commit, message=message))
    series = tuple((FIRST_BAD_S - 60 + 2 * n, 320.0, 0.0 if n < 30 else 0.75) for n in range(34))
    more = {
        "differences": (
            Difference("a1", "pricing", "deployed commit", "a1" * 20, 36, 36, 13, 1953, 3_201.0),
            Difference("a2", "shop", "customer.tier", "no-claims", 36, 36, 702, 1953, 11.4),
        ),
        "logs": (
            LogGroup(
                "l1",
                "pricing",
                "ERROR",
                "no factor for driver with <*> claims",
                "no factor for driver with 0 claims",
                36,
                0,
                FIRST_BAD_S + 0.1,
                ("t1",),
            ),
        ),
        "changes": (ConfigChange("c1", "shop", "feature.loyalty", "on", "off", FIRST_BAD_S - 3),),
        "histograms": (Histogram("h1", (100.0, 200.0, 500.0), (0, 1490, 650, 0), (30, 12, 7, 0)),),
    }
    return _told(bad_case(changes=tuple(changes)), _measured(10, 49, errors=36, p99_ms=313.0), series, **more)


def hanging_depot() -> Case:
    series = tuple((FIRST_BAD_S - 30 + 3 * n, 330.0 if n < 10 else 6100.0, 0.0) for n in range(14))
    more = {
        "histograms": (
            Histogram(
                "h1", (100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0), (0, 1490, 650, 0, 0, 0, 0, 0), (0, 8, 3, 0, 0, 0, 7, 0)
            ),
        ),
        "affected": (
            Affected("pricing", "POST /prices", "latency", FIRST_BAD_S - 0.2),
            Affected("hub", "POST /offers", "latency", FIRST_BAD_S - 0.4),
        ),
        "upstream": ("depot-north",),
    }
    return _told(hang_case(), _measured(10, 18, slow=7, p99_ms=6100.0), series, **more)


def diagnosed(case: Case, attempt: int = 1) -> DiagnosisRecord:
    """Brain's answer from the evidence alone, without the graph around it."""
    found, opinion = localise(case), EvidenceReasoner().opine(case)
    answer = conclude(case, found, found.candidates, challenge(case, opinion.claims), POLICIES, reasoner="evidence")
    return DiagnosisRecord(attempt, answer, case.base_sha)


def remembered(case: Case) -> DiagnosisRecord:
    record = diagnosed(case)
    return replace(record, diagnosis=replace(record.diagnosis, answered_by="cag", reasoner="memory", recalled=(3, 8), confidence=0.9312))


def unsure(case: Case) -> DiagnosisRecord:
    record = diagnosed(case, 2)
    d = replace(
        record.diagnosis, verdict="inconclusive", cause=f"Not certain enough to name a culprit. Most likely: {record.diagnosis.cause}"
    )
    return replace(record, diagnosis=replace(d, confidence=0.4217, remedy=None, recalled=(3,)))


def proposal(record: DiagnosisRecord) -> Proposal:
    remedy = record.diagnosis.remedy
    assert remedy is not None
    path, service = ("app/pricing/rates.py", "pricing") if remedy.kind == "revert" else ("deploy/hub.yaml", "hub")
    return Proposal(remedy, "f" * 40, (FileChange(path, "before\n", "after\n"),), 4, 6, (service,))


RUN = WorkflowRun(77, ".github/workflows/guardrail.yml", "guardrail", "pull_request_target", HEAD, "completed", "success", 1, NOW_S)


def verdict(kind: str) -> Verdict:
    """Judged by the rules as they are shipped."""
    good = good_case(POLICIES)
    assert good.diagnosis is not None
    unsure_one = replace(good.diagnosis, diagnosis=replace(good.diagnosis.diagnosis, confidence=0.8123))
    case = {
        "allow": good,
        "ask": replace(good, diagnosis=unsure_one, pulls_last_hour=7),
        "deny": replace(good, actual=(*good.actual, FileChange("bot/decide.py", "a\n", "b\n"))),
    }[kind]
    return judge(case, POLICIES)


def pull(state: str = "open", number: int = 5) -> PullFacts:
    assert state in ("open", "closed", "merged")
    merged = MERGE if state == "merged" else ""
    one = Pull(
        number,
        'Revert "Loyalty discount" (a1a1a1a)',
        "",
        "sre-space[bot]",
        "sre/0123456789ab/4/1",
        HEAD,
        "main",
        "merged" if state == "merged" else "closed" if state == "closed" else "open",
        merged,
        "",
        (),
        NOW_S,
    )
    return PullFacts(one, True, RUN, VerdictRecord(number, verdict("allow"), 77, 1), None, False, False)


def attempt(
    number: int,
    diagnosis: DiagnosisRecord | None,
    *,
    fix: PullFacts | None = None,
    outcome: OutcomeRecord | None = None,
    undo: PullFacts | None = None,
    evidence: Evidence | None = None,
) -> Attempt:
    record = AttemptRecord(number, NOW_S + 1, evidence)
    return Attempt(number, record, NOW_S + 1, (), diagnosis, None, fix, outcome, None, undo, None)


def ended(kind: OutcomeKind, reason: str, *, number: int = 1, after: Measurement | None = None, undo: bool = False) -> OutcomeRecord:
    return OutcomeRecord(number, kind, reason, NOW_S + 55, NOW_S + 28, after, undo)


def facts(case: Case, *attempts: Attempt, health: Health = Health.UNHEALTHY) -> Facts:
    issue = Issue(4, "POST /orders in shop is failing", "", "sre-space[bot]", "open", ("sre:incident",), NOW_S)
    signal: Signal = case.incident.signal
    return Facts(
        fingerprint="0123456789ab",
        now_s=NOW_S + 60,
        signal=signal,
        health=health,
        quiet=False,
        issue=issue,
        incident=case.incident,
        duplicates=(),
        strays=(),
        twins=(),
        held=False,
        asked=(),
        attempts=attempts,
        counted=len(attempts),
        escalation=None,
        called=(),
        healed=any(a.outcome and a.outcome.outcome is OutcomeKind.HEALED for a in attempts),
        post_mortem=None,
        lessons=0,
        open_pulls=0,
        pulls_last_hour=0,
        default_branch="main",
        confidence_above=0.90,
    )
