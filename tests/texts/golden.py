"""The main texts, each from a made-up but realistic moment. `python -m tests.texts.golden` writes them anew, to be read in review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bot import texts
from bot.agents.curator import post_mortem as lesson
from bot.agents.verifier import ANOTHER_IS_LEFT
from bot.diagnosis.case import Case
from bot.facts import Facts
from bot.journal import Call, DiagnosisRecord, EscalationRecord, VerdictRecord
from bot.model import OutcomeKind, SignalKind
from tests.diagnosis.cases import NOW_S
from tests.texts import stories as s

FOLDER = Path(__file__).parent / "golden"
STILL_BROKEN = "the objective is still broken with the change in place"


def _issue(case: Case) -> str:
    incident = case.incident
    return f"# {texts.issue_title(incident.signal)}\n\n" + texts.issue_body(incident.signal, case.evidence, s.POLICIES, s.LINKS)


def _diagnosis(case: Case, record: DiagnosisRecord) -> str:
    return texts.diagnosis(record, case.evidence, s.POLICIES, s.LINKS)


def _pull(case: Case, author: str) -> str:
    record = s.diagnosed(case)
    one, remedy = s.attempt(1, record), record.diagnosis.remedy
    assert remedy is not None
    f = s.facts(case, one)
    title, body = texts.commit_title(remedy, False), texts.commit_body(f, one, False)
    return (
        f"# {title}\n\n" + texts.pull_body(f, one, s.proposal(record), s.LINKS, undo=False, author=author) + f"\n\nCommit body:\n\n{body}"
    )


def _undo() -> str:
    case = s.bad_release()
    record = s.diagnosed(case)
    one = s.attempt(1, record, fix=s.pull("merged"), outcome=s.ended(OutcomeKind.FAILED, STILL_BROKEN))
    remedy = replace(s.proposal(record).remedy, commit=s.MERGE, summary="undo #5")
    body = texts.pull_body(s.facts(case, one), one, replace(s.proposal(record), remedy=remedy), s.LINKS, undo=True, author="")
    return f"# {texts.commit_title(remedy, True)}\n\n{body}"


def _verdict(kind: str, conclusion: str) -> str:
    return texts.verdict(VerdictRecord(5, s.verdict(kind), 77, 1), replace(s.RUN, conclusion=conclusion), s.LINKS)


def _outcome(kind: OutcomeKind, reason: str, *, undo: bool = False) -> str:
    case = s.bad_release()
    after = s.AFTER if kind is OutcomeKind.HEALED else case.incident.signal.now
    one = s.attempt(1, s.diagnosed(case), fix=s.pull("merged"))
    return texts.outcome(s.ended(kind, reason, after=after, undo=undo), s.facts(case, one), s.POLICIES, s.LINKS)


def _escalation(call: Call) -> str:
    case = s.hanging_depot()
    if call is Call.ATTEMPTS:
        failed = [
            s.attempt(
                n,
                s.diagnosed(case, n),
                fix=s.pull("merged", 3 + 2 * n),
                undo=s.pull("merged", 4 + 2 * n),
                outcome=s.ended(OutcomeKind.FAILED, STILL_BROKEN, number=n),
            )
            for n in (1, 2)
        ]
        last = s.attempt(3, None, outcome=s.ended(OutcomeKind.ERROR, "the diagnosis ended without an answer 2 times", number=3))
        return texts.escalation(s.facts(case, *failed, last), call, s.LINKS)
    return texts.escalation(s.facts(case, s.attempt(1, s.diagnosed(case), fix=s.pull())), call, s.LINKS)


def _status(stage: str) -> str:
    case = s.bad_release()
    record = s.diagnosed(case)
    healed = s.ended(OutcomeKind.HEALED, "the objective holds again with the change in place", after=s.AFTER)
    serving = replace(s.pull("merged"), serving_s=NOW_S + 28)
    now = {
        "1-looking": s.facts(case, s.attempt(1, None)),
        "2-judged": s.facts(case, s.attempt(1, record, fix=s.pull())),
        "3-serving": s.facts(case, s.attempt(1, record, fix=serving)),
        "4-closed": s.facts(case, s.attempt(1, record, fix=serving, outcome=healed)),
        "6-storm": _storm(),
        "5-asking": replace(s.facts(case, s.attempt(1, record, fix=s.pull())), escalation=EscalationRecord(1, Call.ASK)),
    }[stage]
    return texts.status(now, s.POLICIES, s.LINKS, closing=stage == "4-closed")


def _storm() -> Facts:
    case = s.hanging_depot()
    return replace(s.facts(case, s.attempt(1, None)), affected=case.evidence.affected, upstream=case.evidence.upstream)


def _post_mortem(case: Case) -> str:
    outcome = s.ended(OutcomeKind.HEALED, "the objective holds again with the change in place", after=s.AFTER)
    learnt = lesson(case.incident, s.diagnosed(case), outcome, issue=4, title="failing", opened_s=NOW_S)
    return texts.post_mortem(learnt, case.incident, outcome, s.LINKS)


def _short() -> str:
    case = s.bad_release()
    first, again = s.attempt(1, None), s.attempt(2, None, evidence=case.evidence)
    autonomy = s.POLICIES.autonomy
    merged = s.attempt(1, s.diagnosed(case), fix=s.pull("merged"))
    parts = {
        "attempt": texts.attempt(first.record, autonomy),
        "second attempt": texts.attempt(again.record, autonomy),
        "healthy before the merge": texts.healthy_before_merge(),
        "closing a pull request": texts.closing_pull("@robin denied it"),
        "gone by itself": texts.gone(s.facts(case, first)),
        "gone with an unproven fix": texts.gone(s.facts(case, merged)),
        "merge": f"{texts.merge_title(s.pull().pull)}\n\n{texts.merge_message(s.facts(case, merged), False)}",
    }
    return "\n\n".join(f"## {name}\n\n{text}" for name, text in parts.items())


GOLDEN: Mapping[str, Callable[[], str]] = {
    "issue-errors": lambda: _issue(s.bad_release()),
    "issue-latency": lambda: _issue(s.hanging_depot()),
    "diagnosis-brain": lambda: _diagnosis(s.bad_release(), s.diagnosed(s.bad_release())),
    "diagnosis-cag": lambda: _diagnosis(s.hanging_depot(), s.remembered(s.hanging_depot())),
    "diagnosis-unsure": lambda: _diagnosis(s.bad_release(), s.unsure(s.bad_release())),
    "pull-revert": lambda: _pull(s.bad_release(), "robin"),
    "pull-bound": lambda: _pull(s.hanging_depot(), ""),
    "pull-undo": _undo,
    "verdict-allow": lambda: _verdict("allow", "success"),
    "verdict-ask": lambda: _verdict("ask", "failure"),
    "verdict-deny": lambda: _verdict("deny", "failure"),
    "outcome-healed": lambda: _outcome(OutcomeKind.HEALED, "the objective holds again with the change in place"),
    "outcome-partial": lambda: _outcome(OutcomeKind.PARTIAL, ANOTHER_IS_LEFT[SignalKind.LATENCY]),
    "outcome-failed": lambda: _outcome(OutcomeKind.FAILED, STILL_BROKEN),
    "outcome-undone": lambda: _outcome(OutcomeKind.FAILED, "the change is out again", undo=True),
    "outcome-unmeasured": lambda: _outcome(OutcomeKind.INCONCLUSIVE, "no clear measurement within 600 s of serving"),
    "escalation-ask": lambda: _escalation(Call.ASK),
    "escalation-attempts": lambda: _escalation(Call.ATTEMPTS),
    "status-1-looking": lambda: _status("1-looking"),
    "status-2-judged": lambda: _status("2-judged"),
    "status-3-serving": lambda: _status("3-serving"),
    "status-4-closed": lambda: _status("4-closed"),
    "status-5-asking": lambda: _status("5-asking"),
    "status-6-storm": lambda: _status("6-storm"),
    "post-mortem-revert": lambda: _post_mortem(s.bad_release()),
    "post-mortem-bound": lambda: _post_mortem(s.hanging_depot()),
    "short": _short,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        old.unlink()
    for name, make in GOLDEN.items():
        (FOLDER / f"{name}.md").write_text(make().rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
