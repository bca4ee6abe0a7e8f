"""The one sticky comment under an incident: where it stands, in a table that is edited in place."""

from __future__ import annotations

from bot.decide import Wait, decide
from bot.facts import Attempt, Facts
from bot.model import OutcomeKind
from bot.policy.schema import Policies
from bot.texts.figures import date_time, table
from bot.texts.links import Links
from bot.texts.moments import CALLS
from bot.texts.safe import plain
from bot.texts.words import confidence_words, remedy_words


def stage(f: Facts) -> str:
    """detected | diagnosing | proposed | judged | merged | deployed | healed | remembered | escalated | held: one word for the monitor."""
    current = f.attempts[-1] if f.attempts else None
    if f.post_mortem is not None:
        return "remembered"
    if f.healed or (f.issue and f.issue.state == "closed"):
        return "healed"
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
        return "nothing while on hold; `/sre unhold` goes on"
    if f.escalation:
        return f"a person decides: {CALLS[f.escalation.call]}"
    step = decide(f, policies.autonomy)
    if isinstance(step, Wait):
        return {
            "thinking": "Brain works out the cause",
            "the guardrail is at it": "the guardrail judges the pull request",
            "merged: watching the same signal": "the platform deploys, then I measure the same operation again",
        }.get(step.why, step.why)
    return "the next step is under way"


def status(f: Facts, policies: Policies, links: Links, *, closing: bool = False) -> str:
    current = f.attempts[-1] if f.attempts else None
    word = ("healed" if f.healed else "closed") if closing else stage(f)
    rows = [["stage", f"**{word}**"]]
    if current:
        rows += _attempt_rows(current, policies, links)
    rows.append(["next", "the incident is closed; the curator writes the post-mortem" if closing else next_words(f, policies)])
    since = f"first bad request {date_time(f.incident.signal.first_bad_s)}" if f.incident else ""
    return f"### Status\n\n{table(['', since], rows)}\n\n<sub>This comment is kept current.</sub>"


def _attempt_rows(current: Attempt, policies: Policies, links: Links) -> list[list[str]]:
    rows = [["attempt", f"{current.number} of {policies.autonomy.attempts}"]]
    if current.diagnosis:
        d = current.diagnosis.diagnosis
        rows.append(["cause", plain(d.cause, 300)])
        rows.append(["confidence", confidence_words(d, policies.autonomy.confidence_above)])
        if d.remedy:
            rows.append(["remedy", remedy_words(d.remedy, links)])
    for name, p in (("pull request", current.pull), ("undo", current.undo)):
        if p is None:
            continue
        verdict = f", guardrail: {p.verdict.verdict.decision}" if p.verdict else ""
        rows.append([name, f"#{p.pull.number} ({p.pull.state}{verdict})"])
    if current.outcome:
        rows.append(["outcome", f"{current.outcome.outcome}: {current.outcome.reason}"])
    elif current.pull and current.pull.serving_s is not None:
        rows.append(["serving since", date_time(current.pull.serving_s)])
    return rows


def is_over(f: Facts) -> bool:
    """Nothing more will come of this incident by itself."""
    healed = any(a.outcome and a.outcome.outcome is OutcomeKind.HEALED for a in f.attempts)
    return bool(f.issue and f.issue.state == "closed" and (f.post_mortem or not healed))
