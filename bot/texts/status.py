"""The one sticky comment under an incident: where it stands, in a few lines that are edited in place."""

from __future__ import annotations

from bot.decide import (
    Answer,
    Begin,
    CloseIssue,
    ClosePull,
    Conclude,
    CreateBranch,
    Escalate,
    Judge,
    Merge,
    Note,
    OpenPull,
    RerunGate,
    Step,
    Think,
    Wait,
    decide,
)
from bot.facts import Attempt, Facts
from bot.policy.schema import Policies
from bot.texts.escalation import CALLS
from bot.texts.figures import date_time, same_day, table
from bot.texts.links import Links
from bot.texts.safe import plain
from bot.texts.words import affected_words, confidence_words, remedy_words, sentence, upstream_words

_TITLES = {
    "detected": "noticed",
    "diagnosing": "looking for the cause",
    "proposed": "a fix is proposed",
    "judged": "the fix is judged",
    "merged": "the fix is merged",
    "deployed": "the fix is serving",
    "healed": "healed",
    "remembered": "healed and remembered",
    "escalated": "a person is needed",
    "held": "on hold",
    "closed": "closed",
}
_WAITS = {
    "nothing is broken": "I watch",
    "a maintenance window": "nothing while its service is under maintenance",
    "part of another incident": "nothing: another incident has the same cause",
    "on hold": "nothing while on hold; `/sre release` lets me go on",
    "thinking": "Brain works out the cause",
    "healthy again: watching whether it stays so": "it is healthy again; I watch whether it stays so",
    "healthy; a person reopened this, so a person closes it": "it is healthy; a person reopened this, so a person closes it",
    "healed, but not measured now": "it has healed; I wait for telemetry before I close this",
    "as many pull requests as the policy allows": "I wait: as many pull requests of mine are open as `policies/autonomy.yaml` allows",
    "measured unhealthy only may be undone": "I take the fix back as soon as the service is measured unhealthy again",
    "the guardrail is at it": "the guardrail judges the pull request",
    "a person pushed to the branch: it is theirs now": "a person pushed to the branch, so the pull request is theirs now",
    "not measured: nothing is merged blindly": "I wait for telemetry: nothing is merged blindly",
    "healthy again before the merge: a person decides": "it was healthy again before the merge; a person decides about the pull request",
    "merged: watching the same signal": "the platform deploys, then I measure the same operation again",
    "a person was called": "a person decides",
    "the curator is at it": "the curator writes the post-mortem",
    "closed": "nothing: the incident is closed",
}


def stage(f: Facts) -> str:
    """detected, diagnosing, proposed, judged, merged, deployed, healed, remembered, escalated, held or closed: one word for the monitor."""
    current = f.attempts[-1] if f.attempts else None
    if f.post_mortem is not None:
        return "remembered"
    if f.healed:
        return "healed"
    if f.issue and f.issue.state == "closed":
        return "closed"
    if f.held:
        return "held"
    if current is None:
        return "detected"
    if f.escalation and f.escalation.attempt == current.number:
        return "escalated"
    p = current.undo or current.pull
    if p is None:
        return "diagnosing"
    if p.pull.state == "merged":
        return "deployed" if p.serving_s is not None else "merged"
    return "judged" if p.verdict else "proposed"


def next_words(f: Facts, policies: Policies) -> str:
    """What happens next, in one sentence."""
    if f.issue and f.issue.state == "closed":
        return "nothing: the incident is closed" if f.post_mortem or not f.attempts else "the curator writes the post-mortem"
    if f.held:
        return _WAITS["on hold"]
    if f.escalation:
        return f"a person decides: {CALLS[f.escalation.call]}"
    step, current = decide(f, policies.autonomy), f.attempts[-1] if f.attempts else None
    p = (current.undo or current.pull) if current else None
    if isinstance(step, Wait) and p and p.pull.state == "merged" and p.serving_s is not None:
        return "I measure the same operation again, now that the merged commit serves"
    return step_words(step)


def step_words(step: Step) -> str:
    """A step that is about to be done, or waited for."""
    match step:
        case Wait(why):
            return _WAITS.get(why, why)
        case Answer(asked):
            return f"I answer `/sre {asked.verb}`"
        case Begin(1) | Think():
            return "I look for the cause"
        case Begin():
            return "I look for the cause again, with fresh evidence"
        case CreateBranch(_, undo) | OpenPull(_, undo):
            return "I open a pull request that takes the fix back" if undo else "I open a pull request with the fix"
        case Judge() | RerunGate():
            return "the guardrail judges the pull request"
        case Merge(_, pull, _, undo):
            return f"I merge #{pull}, the undo" if undo else f"I merge #{pull}"
        case ClosePull(pull) | Note(_, pull):
            return f"I say so on #{pull}"
        case Conclude():
            return "I write down what came of the attempt"
        case Escalate(_, call):
            return f"I call a person: {CALLS[call]}"
        case CloseIssue():
            return "I close the incident"
        case _:
            return "the next step is under way"


def status(f: Facts, policies: Policies, links: Links, *, closing: bool = False) -> str:
    current = f.attempts[-1] if f.attempts else None
    word = ("healed" if f.healed else "closed") if closing else stage(f)
    parts = [f"### Status: {_title(f, word)}"]
    if closing:
        parts.append("The incident is closed." + (" The curator writes the post-mortem." if f.attempts else ""))
    else:
        parts.append(f"**Next:** {next_words(f, policies)}. {_expected(f)}")
    rows = [["first bad request", date_time(f.incident.signal.first_bad_s)]] if f.incident else []
    rows += [["also unwell", affected_words(f.affected)]] if f.affected and not closing else []
    rows += [["furthest upstream", upstream_words(f.upstream)]] if f.affected and f.upstream and not closing else []
    rows += _attempt_rows(f, current, policies, links) if current else []
    parts.append(table(rows[0], rows[1:]) if rows else "")
    return "\n\n".join([*filter(None, parts), "<sub>I keep this comment current.</sub>"])


def _title(f: Facts, word: str) -> str:
    undone = bool(f.attempts and f.attempts[-1].undo)
    return _TITLES[word].replace("fix", "undo") if undone else _TITLES[word]


def _expected(f: Facts) -> str:
    """Whether the reader has to do anything."""
    if f.escalation:
        return "**You are needed:** my call for a person below says what for."
    current = f.attempts[-1] if f.attempts else None
    p = (current.undo or current.pull) if current else None
    if p and p.pull.state == "open" and (p.healthy_noticed or not p.ours):
        return f"**You are needed:** please decide about #{p.pull.number}."
    return "You need to do nothing now."


def _attempt_rows(f: Facts, current: Attempt, policies: Policies, links: Links) -> list[list[str]]:
    limit = policies.autonomy.attempts
    since = " since `/sre retry`" if f.counted < len(f.attempts) else ""
    begun_s = f.incident.signal.first_bad_s if f.incident else current.started_s
    rows = [["attempt", f"{f.counted} of {limit}{since}" if f.counted else str(current.number)]]
    if current.diagnosis:
        d = current.diagnosis.diagnosis
        rows.append(["cause", sentence(d.cause, d, links, 300)])
        rows.append(["confidence", confidence_words(d, policies.autonomy.confidence_above)])
        if d.remedy:
            rows.append(["remedy", remedy_words(d.remedy, links)])
    for name, p in (("pull request", current.pull), ("undo", current.undo)):
        if p is not None:
            verdict = f"; guardrail: {p.verdict.verdict.decision}" if p.verdict else ""
            rows.append([name, f"#{p.pull.number}, {p.pull.state}{verdict}"])
    if current.pull and current.pull.serving_s is not None:
        rows.append(["fix serves since", same_day(current.pull.serving_s, begun_s)])
    if current.outcome:
        rows.append(["outcome", f"{current.outcome.outcome}: {plain(current.outcome.reason, 300)}"])
    return rows
