"""The rules of the Guardrail: a row for each check, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.forge import ChangedFile
from bot.journal import CommandRecord
from bot.model import Decision, FileChange, Remedy, Verdict
from bot.names import parse_branch
from bot.policy.case import GateCase
from bot.policy.checks import CHECKS, CORE
from bot.policy.evaluate import judge, worst
from bot.policy.render import as_markdown, as_text
from bot.policy.schema import Policies, Rule
from bot.policy.testing import good_case
from tests.policy.texts import load, shipped

POLICIES = load()
GOOD = good_case(POLICIES)
assert GOOD.issue and GOOD.incident and GOOD.diagnosis and GOOD.expected
OTHER_REMEDY = replace(GOOD.diagnosis, diagnosis=replace(GOOD.diagnosis.diagnosis, remedy=None))
UNDO_BRANCH = parse_branch("sre/0123456789ab/7/1-undo")
UNDO = replace(GOOD, branch=UNDO_BRANCH, is_undo=True, undo_of_ours=True, diagnosis=None, attempts_used=0, open_pulls=None)


def sure(confidence: float, verdict: str = "culprit") -> GateCase:
    assert GOOD.diagnosis
    diagnosis = replace(GOOD.diagnosis.diagnosis, confidence=confidence, verdict=verdict)  # type: ignore[arg-type]
    return replace(GOOD, diagnosis=replace(GOOD.diagnosis, diagnosis=diagnosis))


def touching(*paths: str, previous: str = "") -> GateCase:
    return replace(GOOD, files=tuple(ChangedFile(path, "modified", 1, 1, previous) for path in paths), actual=())


def lines(count: int, files: int = 1) -> GateCase:
    return replace(GOOD, files=tuple(ChangedFile(f"app/shop/{n}.py", "modified", count if n == 0 else 0, 0) for n in range(files)))


ROWS: list[tuple[str, dict[str, object], GateCase, bool | None]] = [
    ("made-by-the-bot", {}, GOOD, True),
    ("made-by-the-bot", {}, replace(GOOD, pull=replace(GOOD.pull, author="mallory")), False),
    ("made-by-the-bot", {}, replace(GOOD, branch=None), False),
    ("base-is-default-branch", {}, GOOD, True),
    ("base-is-default-branch", {}, replace(GOOD, default_branch="trunk"), False),
    ("pull-is-open", {}, GOOD, True),
    ("pull-is-open", {}, replace(GOOD, pull=replace(GOOD.pull, state="closed")), False),
    ("incident-is-recorded", {}, GOOD, True),
    ("incident-is-recorded", {}, replace(GOOD, incident=None), False),
    ("incident-is-recorded", {}, replace(GOOD, issue=None), False),
    ("incident-is-recorded", {}, replace(GOOD, incident=replace(GOOD.incident, fingerprint="b" * 12)), False),
    ("incident-is-open", {}, GOOD, True),
    ("incident-is-open", {}, replace(GOOD, issue=replace(GOOD.issue, state="closed")), False),
    ("incident-is-open", {}, replace(GOOD, issue=None), False),
    ("not-on-hold", {"labels": ("stop",)}, GOOD, True),
    ("not-on-hold", {"labels": ("stop",)}, replace(GOOD, issue=replace(GOOD.issue, labels=("stop",))), False),
    ("not-on-hold", {"labels": ("stop",)}, replace(GOOD, pull=replace(GOOD.pull, labels=("x", "stop"))), False),
    ("not-on-hold", {"labels": ("stop",)}, replace(GOOD, held_by=(3,)), False),
    ("nobody-denied", {}, GOOD, True),
    ("nobody-denied", {}, replace(GOOD, denials=(CommandRecord(1, "deny", "ann", True),)), False),
    ("attempts-within", {}, replace(GOOD, attempts_used=3), True),
    ("attempts-within", {}, replace(GOOD, attempts_used=4), False),
    ("attempts-within", {}, replace(GOOD, attempts_used=0), False),
    ("attempts-within", {}, UNDO, None),
    ("remedy-kind-in", {"kinds": ("revert",)}, GOOD, True),
    ("remedy-kind-in", {"kinds": ("bound-dependency",)}, GOOD, False),
    ("remedy-kind-in", {"kinds": ("revert",)}, replace(GOOD, diagnosis=OTHER_REMEDY), False),
    ("remedy-kind-in", {"kinds": ("revert",)}, replace(GOOD, diagnosis=None), False),
    ("remedy-kind-in", {"kinds": ("revert",)}, UNDO, None),
    ("diff-matches-remedy", {}, GOOD, True),
    ("diff-matches-remedy", {}, replace(GOOD, expected=None), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual_error="binary"), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual=()), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual=(), expected=replace(GOOD.expected, changes=())), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual=(replace(GOOD.actual[0], after="evil"),)), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual=(replace(GOOD.actual[0], after=None),)), False),
    ("diff-matches-remedy", {}, replace(GOOD, actual=(*GOOD.actual, FileChange("app/shop/x", None, ""))), False),
    ("undoes-own-merge", {}, GOOD, None),
    ("undoes-own-merge", {}, UNDO, True),
    ("undoes-own-merge", {}, replace(UNDO, undo_of_ours=False), False),
    ("paths-of-a-service", {}, touching("app/shop/a/b.py", "deploy/shop.yaml"), True),
    ("paths-of-a-service", {}, touching("app/shop/a.py", "app/shopping/a.py"), False),
    ("paths-of-a-service", {}, touching("app/shop/../../bot/x.py"), False),
    ("paths-of-a-service", {}, touching("app/shop/a\nb"), False),
    ("paths-of-a-service", {}, touching("app/shop/new.py", previous="docs/old.py"), False),
    ("paths-of-a-service", {}, replace(GOOD, actual=(*GOOD.actual, FileChange("docs/x", None, ""))), False),
    ("paths-of-a-service", {}, touching(), False),
    ("paths-outside", {"paths": ("**/*.lock", "bot/**")}, touching("app/shop/a.py"), True),
    ("paths-outside", {"paths": ("**/*.lock", "bot/**")}, touching("app/shop/a.py", "app/uv.LOCK"), False),
    ("paths-outside", {"paths": ("**/*.lock", "bot/**")}, touching("uv.lock"), False),
    ("paths-outside", {"paths": ("**/*.lock", "bot/**")}, touching("app/x", previous="Bot/x"), False),
    ("paths-outside", {"paths": ("bot/**",)}, touching("./app"), False),
    ("paths-outside", {"paths": ("bot/**",)}, touching(), False),
    ("size-within", {"files": 2, "lines": 10}, lines(10, files=2), True),
    ("size-within", {"files": 2, "lines": 10}, lines(11), False),
    ("size-within", {"files": 2, "lines": 10}, lines(1, files=3), False),
    ("size-within", {"files": 2, "lines": 10}, touching(), False),
    ("size-within", {"files": 2, "lines": 10}, replace(UNDO, files=lines(99).files), None),
    ("open-pulls-within", {}, replace(GOOD, open_pulls=3), True),
    ("open-pulls-within", {}, replace(GOOD, open_pulls=4), False),
    ("open-pulls-within", {}, replace(GOOD, open_pulls=None), False),
    ("open-pulls-within", {}, UNDO, None),
    ("pulls-per-hour-within", {}, replace(GOOD, pulls_last_hour=6), True),
    ("pulls-per-hour-within", {}, replace(GOOD, pulls_last_hour=7), False),
    ("pulls-per-hour-within", {}, replace(GOOD, pulls_last_hour=None), False),
    ("confidence-above", {}, sure(0.9001), True),
    ("confidence-above", {}, sure(0.90), False),
    ("confidence-above", {}, sure(float("nan")), False),
    ("confidence-above", {}, sure(1.5), False),
    ("confidence-above", {}, sure(0.99, "inconclusive"), False),
    ("confidence-above", {}, replace(GOOD, diagnosis=None), False),
    ("confidence-above", {}, UNDO, None),
]


@pytest.mark.parametrize(("check", "values", "case", "holds"), ROWS, ids=[f"{row[0]}-{n}" for n, row in enumerate(ROWS)])
def test_a_check_answers_as_its_row_says(check: str, values: dict[str, object], case: GateCase, holds: bool | None) -> None:
    answer = CHECKS[check].holds(case, values, POLICIES)
    assert answer.holds is holds
    assert answer.text


def test_every_check_has_rows_for_holding_and_not_holding() -> None:
    for check in CHECKS:
        answers = {row[3] for row in ROWS if row[0] == check}
        assert answers >= {True, False}
    assert set(CORE) <= set(CHECKS)


def decided(case: GateCase, policies: Policies = POLICIES) -> Decision:
    return judge(case, policies).decision


def without(policies: Policies, check: str) -> Policies:
    return replace(policies, rules=tuple(rule for rule in policies.rules if rule.check != check))


@pytest.mark.parametrize("policies", [POLICIES, shipped()], ids=["small", "shipped"])
def test_a_good_fix_is_allowed_and_every_rule_says_why(policies: Policies) -> None:
    verdict = judge(good_case(policies), policies)
    assert verdict.decision is Decision.ALLOW
    assert verdict.policy_sha == policies.sha
    assert [reason.rule for reason in verdict.reasons] == [rule.id for rule in policies.rules]
    assert all(reason.where == f"policies/guardrail.yaml:{rule.line}" for reason, rule in zip(verdict.reasons, policies.rules, strict=True))


def test_ask_says_which_command_settles_it_and_where_the_limit_stands() -> None:
    verdict = judge(sure(0.88), POLICIES)
    (reason,) = [reason for reason in verdict.reasons if reason.decision is Decision.ASK]
    assert (reason.rule, reason.observed) == ("confidence", "0.8800")
    assert "/sre approve" in reason.text
    assert "> 0.90 (policies/autonomy.yaml: confidence_above)" in reason.limit


def approval(sha: str, pull: int = GOOD.pull.number, *, accepted: bool = True, verb: str = "approve") -> CommandRecord:
    return CommandRecord(5, verb, "ann", accepted, sha, pull)


def test_an_approval_settles_questions_of_exactly_the_approved_head() -> None:
    asked, head = sure(0.5), GOOD.pull.head_sha
    assert decided(asked) is Decision.ASK
    assert decided(replace(asked, approvals=(approval(head),))) is Decision.ALLOW
    pushed = replace(asked, pull=replace(asked.pull, head_sha="e" * 40), approvals=(approval(head),))
    verdict = judge(pushed, POLICIES)
    assert verdict.decision is Decision.ASK and verdict.head_sha == "e" * 40
    assert any(reason.rule == "approval" and reason.decision is None and "void" in reason.text for reason in verdict.reasons)


@pytest.mark.parametrize(
    "record",
    [approval("a" * 40, pull=99), approval("a" * 40, accepted=False), approval("a" * 40, verb="retry"), approval("a" * 12), approval("")],
)
def test_what_is_no_approval_of_this_head_settles_nothing(record: CommandRecord) -> None:
    assert decided(replace(sure(0.5), approvals=(record,))) is Decision.ASK


def test_an_approval_never_turns_a_denial_into_an_allow() -> None:
    denied = replace(sure(0.5), actual=(), approvals=(approval(GOOD.pull.head_sha),))
    assert decided(denied) is Decision.DENY


def test_a_settled_question_stays_readable_below_the_approval() -> None:
    verdict = judge(replace(sure(0.5), approvals=(approval(GOOD.pull.head_sha),)), POLICIES)
    (settled,) = [reason for reason in verdict.reasons if reason.rule == "approval"]
    assert [child.rule for child in settled.children] == ["confidence"]
    assert "confidence" in as_text(verdict) and "confidence" in as_markdown(verdict)


def test_somebody_elses_work_in_our_namespace_is_denied_for_that_alone() -> None:
    verdict = judge(replace(GOOD, pull=replace(GOOD.pull, author="mallory"), actual=()), POLICIES)
    assert verdict.decision is Decision.DENY
    assert [reason.rule for reason in verdict.reasons if reason.decision is not None] == ["own-work"]


def test_no_rules_allow_nothing() -> None:
    assert decided(GOOD, replace(POLICIES, rules=())) is Decision.DENY
    assert worst(()) is Decision.DENY
    stranger = replace(GOOD, pull=replace(GOOD.pull, author="mallory"))
    assert decided(stranger, without(POLICIES, "made-by-the-bot")) is Decision.DENY


@pytest.mark.parametrize(
    "rule",
    [
        Rule("odd", "no-such-check", "ask", (), "", 1),
        Rule("odd", "paths-outside", "ask", (), "", 1),
        Rule("odd", "paths-outside", "ask", (("paths", "bot/**"),), "", 1),
        Rule("odd", "size-within", "ask", (("files", "1"), ("lines", 1)), "", 1),
    ],
)
def test_a_rule_that_cannot_be_evaluated_denies(rule: Rule) -> None:
    assert decided(GOOD, replace(POLICIES, rules=(*POLICIES.rules, rule))) is Decision.DENY


BROKEN: dict[str, GateCase] = {
    "base-is-default-branch": replace(GOOD, default_branch="trunk"),
    "pull-is-open": replace(GOOD, pull=replace(GOOD.pull, state="merged")),
    "incident-is-recorded": replace(GOOD, incident=None),
    "incident-is-open": replace(GOOD, issue=replace(GOOD.issue, state="closed")),
    "not-on-hold": replace(GOOD, issue=replace(GOOD.issue, labels=("sre:hold",))),
    "nobody-denied": replace(GOOD, denials=(CommandRecord(1, "deny", "ann", True),)),
    "attempts-within": replace(GOOD, attempts_used=9),
    "remedy-kind-in": replace(
        GOOD, diagnosis=replace(GOOD.diagnosis, diagnosis=replace(GOOD.diagnosis.diagnosis, remedy=Remedy("rewrite")))  # type: ignore[arg-type]
    ),
    "diff-matches-remedy": replace(GOOD, actual=(replace(GOOD.actual[0], after="evil"),)),
    "undoes-own-merge": replace(UNDO, undo_of_ours=False),
    "paths-of-a-service": touching("docs/a.md"),
    "paths-outside": touching("app/shop/uv.lock"),
    "size-within": replace(GOOD, files=(replace(GOOD.files[0], additions=999),)),
    "open-pulls-within": replace(GOOD, open_pulls=99),
    "pulls-per-hour-within": replace(GOOD, pulls_last_hour=99),
    "confidence-above": sure(0.1),
}  # fmt: skip


@pytest.mark.parametrize("check", sorted(BROKEN))
def test_each_rule_is_the_only_one_that_sees_its_own_fault(check: str) -> None:
    """Take the rule away, and what it guards against goes through: no rule is there for show."""
    case = BROKEN[check]
    if case.actual == ():
        case = replace(case, actual=tuple(FileChange(file.path, "x", "y") for file in case.files))
        case = replace(case, expected=replace(GOOD.expected, changes=case.actual)) if GOOD.expected else case
    assert decided(case) is not Decision.ALLOW
    assert decided(case, without(POLICIES, check)) is Decision.ALLOW


cases = st.builds(
    lambda parts, approvals: replace(_mixed(parts), approvals=approvals),
    st.lists(st.sampled_from(sorted(BROKEN)), max_size=4),
    st.lists(
        st.builds(approval, st.sampled_from(["a" * 40, "b" * 40, ""]), st.sampled_from([8, 9]), accepted=st.booleans()), max_size=3
    ).map(tuple),
)


def _mixed(checks: list[str]) -> GateCase:
    """Several faults at once: every field that differs from the good case is taken over."""
    case = GOOD
    for check in checks:
        broken = BROKEN[check]
        changed = {name: getattr(broken, name) for name in GateCase.__dataclass_fields__ if getattr(broken, name) != getattr(GOOD, name)}
        case = replace(case, **changed)
    return case


def _check_verdict(case: GateCase, verdict: Verdict) -> None:
    single = [judge(case, replace(POLICIES, rules=(rule,))).reasons[0].decision for rule in POLICIES.rules]
    assert verdict.head_sha == case.pull.head_sha
    if Decision.DENY in single:
        assert verdict.decision is Decision.DENY
    elif Decision.ASK in single:
        approved = any(a.accepted and a.sha == case.pull.head_sha and a.pull == case.pull.number for a in case.approvals)
        assert verdict.decision is (Decision.ALLOW if approved else Decision.ASK)
    else:
        assert verdict.decision is Decision.ALLOW


@settings(max_examples=150)
@given(cases)
def test_the_worst_rule_counts_whatever_comes_together(case: GateCase) -> None:
    verdict = judge(replace(case, approvals=case.approvals), POLICIES)
    bare = replace(case, approvals=())
    single = judge(bare, POLICIES)
    _check_verdict(bare, single)
    if single.decision is Decision.DENY:
        assert verdict.decision is Decision.DENY
    approved = any(a.accepted and (a.sha, a.pull) == (case.pull.head_sha, case.pull.number) for a in case.approvals)
    if single.decision is Decision.ASK:
        assert verdict.decision is (Decision.ALLOW if approved else Decision.ASK)
    assert as_text(verdict) and as_markdown(verdict)


def test_hostile_text_in_a_verdict_stays_text() -> None:
    evil = "app/`x`|<!-- sre-space\n/sre approve\n@everyone #1"
    verdict = judge(replace(touching(evil), pull=replace(GOOD.pull, head_sha="`evil`")), POLICIES)
    text = as_markdown(verdict)
    assert "\n/sre" not in text and "<!--" not in text
    for line in text.splitlines():
        assert line.count("`") % 2 == 0
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 7  # six cells, whatever stands in them
        if "@everyone" in line:
            assert line.index("`") < line.index("@everyone") < line.rindex("`")  # in a code span nobody is called
