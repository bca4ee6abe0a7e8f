"""Comments that are written once: an attempt begins, a cause is found, a verdict, an outcome, a call for a person."""

from __future__ import annotations

from bot.facts import Facts
from bot.forge import WorkflowRun
from bot.model import AttemptRecord, Call, DiagnosisRecord, Evidence, OutcomeKind, OutcomeRecord, VerdictRecord
from bot.policy.render import as_markdown
from bot.policy.schema import Autonomy, Policies
from bot.texts.figures import clock_time, compared, table
from bot.texts.issue import COMMANDS, evidence_text
from bot.texts.links import Links
from bot.texts.safe import code, fold, plain
from bot.texts.words import claims_list, confidence_words, features_table, remedy_words, safety_words

CALLS = {
    Call.ATTEMPTS: "all attempts are used up and the service is still not healthy",
    Call.UNSURE: "a second look did not make me sure enough of the cause",
    Call.ASK: "the guardrail wants a person to approve the pull request",
    Call.DENY: "the guardrail denies the pull request",
    Call.DISAGREE: "the guardrail check is red although my own judgement allows it",
    Call.NO_CHECK: "the guardrail check did not run",
    Call.CLOSED: "a person closed the pull request, so I stop",
    Call.CONFLICT: "the pull request no longer merges cleanly",
    Call.UNPROVEN: "the fix was merged but its effect could not be measured",
}
_ASKS = {
    Call.ATTEMPTS: "Please take over. `/sre retry` gives me another round.",
    Call.UNSURE: "Please look at the suspects above. `/sre retry` makes me look again with fresh evidence.",
    Call.ASK: "Please read the pull request, then comment `/sre approve` or `/sre deny` on it.",
    Call.DENY: "Please read the reasons on the pull request. A denial can't be approved away: change `policies/`, or fix it by hand.",
    Call.DISAGREE: "Please read the check's summary. `/sre approve` on the pull request runs the check again.",
    Call.NO_CHECK: "Please see whether Actions runs `.github/workflows/guardrail.yml` in this repository.",
    Call.CLOSED: "Nothing further happens without you. `/sre retry` gives me another round.",
    Call.CONFLICT: "Please resolve it by hand, or close it and comment `/sre retry`.",
    Call.UNPROVEN: "Please check the service by hand. `/sre retry` makes me look again.",
}


def attempt(record: AttemptRecord, a: Autonomy) -> str:
    fresh = " with fresh evidence" if record.evidence else ""
    return f"**Attempt {record.attempt}** (of {a.attempts} before I call a person): looking for the cause{fresh}, since {clock_time(record.started_s)}."


def diagnosis(record: DiagnosisRecord, evidence: Evidence, policies: Policies, links: Links) -> str:
    d = record.diagnosis
    limit = policies.autonomy.confidence_above
    heads = {"culprit": "the cause", "no-culprit": "no cause to be found", "inconclusive": "not clear yet"}
    by = "answered from memory by CAG, without a model" if d.answered_by == "cag" else f"answered by Brain ({plain(d.reasoner, 60)})"
    parts = [
        f"### Attempt {record.attempt}: {heads[d.verdict]}",
        plain(d.cause),
        claims_list(d, evidence),
        f"Confidence {confidence_words(d, limit)}; {by}."
        + (f" Seen before: {', '.join(f'#{n}' for n in d.recalled)}." if d.recalled else ""),
    ]
    if d.remedy:
        parts += [f"**I propose to** {remedy_words(d.remedy, links)}.", f"**Why that is safe:** {safety_words(d.remedy)}"]
    else:
        parts.append("I have no remedy to propose.")
    if d.suspects:
        rows = [[code(s.name[:12] if s.kind == "change" else s.name), s.kind, code(s.at), f"{s.score:.2f}"] for s in d.suspects]
        parts.append(fold("All suspects", table(["suspect", "kind", "at", "score"], rows)))
    parts.append(fold("Where the confidence comes from", features_table(d.features)))
    return "\n\n".join(parts)


def verdict(record: VerdictRecord, run: WorkflowRun | None, links: Links) -> str:
    check = f"guardrail check: {run.conclusion or run.status} ({links.run(run.id, 'run')})" if run else "no guardrail check found"
    return f"{as_markdown(record.verdict)}\n\n<sub>Judged in the always-on process; {check}. Both must allow.</sub>"


def outcome(record: OutcomeRecord, f: Facts, policies: Policies, links: Links) -> str:
    head = {
        OutcomeKind.HEALED: "healed",
        OutcomeKind.FAILED: "did not heal",
        OutcomeKind.INCONCLUSIVE: "could not be measured",
        OutcomeKind.ERROR: "went wrong",
    }[record.outcome]
    subject = f"the undo of attempt {record.attempt}" if record.undo else f"attempt {record.attempt}"
    title = f"### {subject[0].upper()}{subject[1:]} {'is done' if record.undo else head}"
    parts = [title, f"{record.reason[0].upper()}{record.reason[1:]}."]
    if record.after and f.incident and not record.undo:
        signal = f.incident.signal
        columns = [("before", signal.before), ("broken", signal.now), ("with the fix", record.after)]
        parts.append(compared(signal.objective, columns))
    if record.outcome is OutcomeKind.FAILED and not record.undo:
        parts.append("A fix that does not heal does not stay: I take it back by a pull request of its own.")
    return "\n\n".join(parts)


def healthy_before_merge() -> str:
    return (
        "The service is **healthy again** before this was merged, so I do not merge it by myself. Close it if it is not needed;"
        " `/sre approve` if you want it all the same and the service breaks again."
    )


def closing_pull(why: str) -> str:
    return f"Closing this: {plain(why)}."


def gone(f: Facts) -> str:
    return (
        "**Healthy again without a fix of mine.** The objective has been met for the whole of the last minutes, so I close this."
        " Should it come back, a new incident says so."
    )


def escalation(f: Facts, call: Call, links: Links) -> str:
    rows = []
    for a in f.attempts:
        cause = plain(a.diagnosis.diagnosis.cause, 160) if a.diagnosis else "no diagnosis"
        pull = f"#{a.pull.pull.number} ({a.pull.pull.state})" if a.pull else "–"
        rows.append([str(a.number), cause, pull, str(a.outcome.outcome) if a.outcome else "open"])
    current = f.attempts[-1] if f.attempts else None
    evidence = current.record.evidence if current else None
    parts = [
        f"### A person is needed: {CALLS[call]}",
        _ASKS[call],
        table(["attempt", "cause", "pull request", "outcome"], rows) if rows else "No attempt was made.",
        *([fold("Evidence of the last attempt", evidence_text(evidence, links))] if evidence else []),
        fold("Commands for people with write permission", COMMANDS),
    ]
    return "\n\n".join(parts)
