"""Judges a pull request by the rules: pure and total. The worst answer counts; a person's approval of this very head settles an *ask*."""

from __future__ import annotations

from bot.model import Decision, Reason, Verdict
from bot.policy.case import GateCase
from bot.policy.checks import CHECKS, GUARDRAIL, Answer
from bot.policy.schema import Policies, Rule

_SEVERITY = {Decision.ALLOW: 0, Decision.ASK: 1, Decision.DENY: 2}
_FOR_EVERYBODY = "made-by-the-bot"
HOW_TO_APPROVE = "a person with write permission may comment `/sre approve` on the pull request"


def worst(reasons: tuple[Reason, ...]) -> Decision:
    """deny > ask > allow; deny when no rule applied."""
    found = [reason.decision for reason in reasons if reason.decision is not None]
    return max(found, key=_SEVERITY.__getitem__, default=Decision.DENY)


def judge(case: GateCase, policies: Policies) -> Verdict:
    """The verdict on exactly `case.pull.head_sha`. Never raises for a rule that can't be evaluated: such a rule denies."""
    reasons = tuple(_judge_rule(rule, case, policies) for rule in policies.rules)
    reasons = _with_approval(reasons, case)
    return Verdict(worst(reasons), case.pull.head_sha, policies.sha, reasons)


def _judge_rule(rule: Rule, case: GateCase, policies: Policies) -> Reason:
    where = f"{GUARDRAIL}:{rule.line}"
    if not case.is_own_work and rule.check != _FOR_EVERYBODY:
        return Reason(rule.id, None, "not looked at: it is not the bot's work", where)
    check = CHECKS.get(rule.check)
    if check is None:
        return Reason(rule.id, Decision.DENY, f"there is no check {rule.check!r}; correct the rule", where)
    try:
        answer = check.holds(case, dict(rule.values), policies)
    except (KeyError, TypeError, ValueError) as problem:
        return Reason(rule.id, Decision.DENY, f"the check could not be made ({problem}); correct the rule", where)
    return Reason(rule.id, _decision(rule, answer), _text(rule, answer), where, answer.observed, answer.limit, answer.children)


def _decision(rule: Rule, answer: Answer) -> Decision | None:
    if answer.holds is None:
        return None
    if answer.holds is True:
        return Decision.ALLOW
    return Decision.ASK if rule.otherwise == "ask" else Decision.DENY


def _text(rule: Rule, answer: Answer) -> str:
    if answer.holds is not False:
        return answer.text
    return f"{answer.text}; {HOW_TO_APPROVE}" if rule.otherwise == "ask" else answer.text


def _with_approval(reasons: tuple[Reason, ...], case: GateCase) -> tuple[Reason, ...]:
    """An approval of this head takes the place of the questions, which stay below it; one of another head is shown as void."""
    head, number = case.pull.head_sha, case.pull.number
    given = [a for a in case.approvals if a.verb == "approve" and a.accepted and a.pull == number]
    questions = tuple(reason for reason in reasons if reason.decision is Decision.ASK)
    valid = [a for a in given if a.sha == head and head]
    if valid and questions:
        text = f"@{valid[-1].by} approved {head[:12]}: {len(questions)} question{'s' if len(questions) > 1 else ''} settled"
        approval = Reason("approval", Decision.ALLOW, text, observed=head[:12], limit=head[:12], children=questions)
        return (*(reason for reason in reasons if reason.decision is not Decision.ASK), approval)
    if given and not valid:
        text = f"@{given[-1].by} approved {given[-1].sha[:12] or 'an unknown head'}, which is not the head any more: void"
        return (*reasons, Reason("approval", None, text, observed=given[-1].sha[:12], limit=head[:12]))
    return reasons
