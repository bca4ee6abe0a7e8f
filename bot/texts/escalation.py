"""The call for a person: why, what exactly is asked, how the service is right now, and what was tried."""

from __future__ import annotations

from bot.facts import Attempt, Facts
from bot.journal import Call
from bot.model import Health
from bot.texts.evidence import evidence_fold
from bot.texts.figures import date_time, table
from bot.texts.issue import COMMANDS_FOLD
from bot.texts.links import Links
from bot.texts.safe import paragraphs
from bot.texts.words import sentence

CALLS = {
    Call.ATTEMPTS: "all attempts are used up and the service is still not healthy",
    Call.UNSURE: "a second look did not make me sure enough of the cause",
    Call.ASK: "the guardrail wants a person to approve the pull request",
    Call.DENY: "the guardrail denies the pull request",
    Call.DISAGREE: "the guardrail check is red although my own judgement allows the pull request",
    Call.NO_CHECK: "the guardrail check did not run",
    Call.CLOSED: "a person closed the pull request, so I stop",
    Call.CONFLICT: "the pull request no longer merges cleanly",
    Call.UNPROVEN: "the fix was merged, but its effect could not be measured",
    Call.UNDO: "a fix that did not heal could not be taken back",
    Call.FLAPPING: "the service was healthy for a while before the merge, and is broken again",
}
_ASKS = {
    Call.ATTEMPTS: "Please take over. `/sre retry` gives me another round of attempts.",
    Call.UNSURE: "Please look at what I found so far. `/sre retry` makes me look again, with fresh evidence.",
    Call.ASK: "Please read {pull}. Then comment `/sre approve` or `/sre deny` on it. Until then I wait.",
    Call.DENY: "Please read the reasons on {pull}. A denial cannot be approved away: make the fix by hand, or change what the rules"
    " object to. Close {pull} when it is of no use.",
    Call.DISAGREE: "Please read the summary of the check on {pull}. `/sre approve` there runs the check again.",
    Call.NO_CHECK: "Please see whether Actions runs `.github/workflows/guardrail.yml` in this repository. As soon as the check has run on"
    " {pull}, I go on.",
    Call.CLOSED: "Nothing further happens without you. `/sre retry` gives me another round of attempts.",
    Call.CONFLICT: "Please resolve the conflict in {pull} and merge it yourself, or close it and comment `/sre retry` here.",
    Call.UNPROVEN: "Please check the service by hand. I close this once I have measured it healthy for a while;"
    " `/sre retry` makes me look again.",
    Call.UNDO: "Please take the change back by hand; why I could not stands above. `/sre retry` makes me look again with it in place.",
    Call.FLAPPING: "Please read {pull}. Then comment `/sre approve` or `/sre deny` on it. Until then I wait.",
}
_NOW = {
    Health.HEALTHY: "the objective was met",
    Health.UNHEALTHY: "the objective was still broken",
    Health.UNKNOWN: "there was too little telemetry to tell whether the objective was met",
}


def escalation(f: Facts, call: Call, links: Links) -> str:
    current = f.attempts[-1] if f.attempts else None
    evidence = current.record.evidence if current and not current.diagnosis else None  # else it stands with the diagnosis
    tried = table(["attempt", "cause", "pull request", "outcome"], [_row(a, links) for a in f.attempts[-10:]])
    parts = [
        f"### A person is needed: {CALLS[call]}",
        _ASKS[call].format(pull=_pull(current)),
        f"At {date_time(f.now_s)} {_NOW[f.health]}.",
        tried if f.attempts else "No attempt was made.",
        evidence_fold(evidence, f.now_s, "Evidence of the last attempt") if evidence else "",
        COMMANDS_FOLD,
    ]
    return paragraphs(parts)


def _pull(current: Attempt | None) -> str:
    p = (current.undo or current.pull) if current else None
    return f"#{p.pull.number}" if p else "the pull request"


def _row(a: Attempt, links: Links) -> list[str]:
    d = a.diagnosis.diagnosis if a.diagnosis else None
    cause = f"{sentence(d.cause, d, links, 160)} (confidence {d.confidence:.2f})" if d else "no diagnosis"
    pulls = [f"#{a.pull.pull.number}, {a.pull.pull.state}"] if a.pull else []
    pulls += [f"undo #{a.undo.pull.number}, {a.undo.pull.state}"] if a.undo else []
    return [str(a.number), cause, "; ".join(pulls) or "none", str(a.outcome.outcome) if a.outcome else "none yet"]
