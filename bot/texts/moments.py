"""Comments that are written once: an attempt begins, a cause is found, a verdict, an outcome, closing words."""

from __future__ import annotations

from bot.evidence import Evidence
from bot.facts import Facts
from bot.forge import WorkflowRun
from bot.journal import AttemptRecord, DiagnosisRecord, OutcomeRecord, VerdictRecord
from bot.model import OutcomeKind
from bot.policy.render import as_markdown
from bot.policy.schema import Autonomy, Policies
from bot.texts.evidence import evidence_fold
from bot.texts.figures import compared, date_time, table
from bot.texts.links import Links
from bot.texts.safe import code, fold, paragraphs, plain
from bot.texts.words import (
    answered_words,
    claims_list,
    confidence_words,
    features_table,
    findings_list,
    remedy_words,
    safety_words,
    sentence,
)

_HEADS = {"culprit": "the cause", "no-culprit": "no cause found", "inconclusive": "the cause is not clear yet"}
_ENDS = {
    OutcomeKind.HEALED: "healed",
    OutcomeKind.FAILED: "did not heal",
    OutcomeKind.PARTIAL: "did its part",
    OutcomeKind.INCONCLUSIVE: "could not be measured",
    OutcomeKind.ERROR: "went wrong",
}


def attempt(record: AttemptRecord, a: Autonomy) -> str:
    begun = f"since {date_time(record.started_s)}"
    if record.attempt == 1:
        return f"**Attempt 1:** I am looking for the cause, {begun}. After {a.attempts} attempts without success I call a person."
    return f"**Attempt {record.attempt}:** I am looking for the cause again{', with fresh evidence' if record.evidence else ''}, {begun}."


def diagnosis(record: DiagnosisRecord, evidence: Evidence, policies: Policies, links: Links) -> str:
    """`evidence`: what it rests on; that of a later attempt stands nowhere else and is folded below."""
    d = record.diagnosis
    limit = policies.autonomy.confidence_above
    parts = [
        f"### Attempt {record.attempt}: {_HEADS[d.verdict]}",
        f"**{sentence(d.cause, d, links)}**",
        claims_list(d, evidence) if d.claims else "",
        f"Confidence {confidence_words(d, limit)}. {answered_words(d)}.",
    ]
    if d.remedy:
        parts += [f"**I propose to** {remedy_words(d.remedy, links)}.", f"**Why that is safe:** {safety_words(d.remedy)}"]
    else:
        parts.append("I have no remedy to propose." + ("" if d.verdict == "culprit" else " A guess would do more harm than good."))
    if d.suspects:
        rows = [[code(s.name[:7] if s.kind == "change" else s.name), s.kind, code(s.at), f"{s.score:.2f}"] for s in d.suspects[:10]]
        parts.append(fold("All suspects", table(["suspect", "kind", "at", "score"], rows)))
    if d.features:
        parts.append(fold("Where the confidence comes from", features_table(d.features)))
    if d.findings:
        parts.append(fold("What was looked up", findings_list(d.findings)))
    if record.attempt > 1:
        parts.append(evidence_fold(evidence, evidence.taken_s, "Evidence of this attempt"))
    parts.append(
        f"<sub>Ids in brackets are those of the evidence {'above' if record.attempt == 1 else 'of this attempt'}.</sub>" if d.claims else ""
    )
    return paragraphs(parts)


def verdict(record: VerdictRecord, run: WorkflowRun | None, links: Links) -> str:
    if run is None:
        check = "I found no run of the guardrail check for this head"
    else:
        check = f"The {links.run(run.id, 'guardrail check')} of this head says {plain(run.conclusion or run.status, 40)}"
    return f"{as_markdown(record.verdict)}\n<sub>This is my own judgement just before merging. {check}. Both must allow.</sub>"


def outcome(record: OutcomeRecord, f: Facts, policies: Policies, links: Links) -> str:
    if record.undo:
        return _undone(record)
    reason = plain(record.reason)
    parts = [f"### Attempt {record.attempt} {_ENDS[record.outcome]}", f"{reason[:1].upper()}{reason[1:]}."]
    if record.after and f.incident:
        signal = f.incident.signal
        columns = [("before", signal.before), ("broken", signal.now), ("with the fix", record.after)]
        parts.append(compared(signal, columns))
    parts.append(_then(record, f, policies.autonomy))
    return paragraphs(parts)


def _undone(record: OutcomeRecord) -> str:
    if record.outcome is OutcomeKind.HEALED:
        return f"### The fix of attempt {record.attempt} is taken back\n\nThe objective holds again without it."
    if record.outcome is OutcomeKind.FAILED:
        return f"### The fix of attempt {record.attempt} is taken back\n\nThe code is as it was before the fix."
    return f"### Taking back the fix of attempt {record.attempt} {_ENDS[record.outcome]}\n\n{plain(record.reason)}."


def _then(record: OutcomeRecord, f: Facts, a: Autonomy) -> str:
    """What follows from it, in one sentence."""
    current = next((x for x in f.attempts if x.number == record.attempt), None)
    merged = bool(current and current.pull and current.pull.pull.state == "merged")
    match record.outcome:
        case OutcomeKind.HEALED:
            return "This closes the incident. The post-mortem follows."
        case OutcomeKind.FAILED:
            return "A fix that does not heal does not stay: I take it back by a pull request of its own."
        case OutcomeKind.INCONCLUSIVE | OutcomeKind.ERROR if merged:
            return "I cannot tell whether the fix works, so I call a person."
    stays = "The change stays in. " if record.outcome is OutcomeKind.PARTIAL else ""
    return stays + ("The next attempt begins." if f.counted < a.attempts else "That was the last attempt, so I call a person.")


def healthy_before_merge() -> str:
    return (
        "The service is **healthy again**, although this is not merged, so I do not merge it by myself."
        " Close it if it is not needed. If you want it all the same, comment `/sre approve`: I merge it when the guardrail allows it."
    )


def closing_pull(why: str) -> str:
    return f"I close this: {plain(why)}."


def gone(f: Facts) -> str:
    merged = [a.pull.pull.number for a in f.attempts if a.pull and a.pull.pull.state == "merged"]
    undone = [a.pull.pull.number for a in f.attempts if a.pull and a.undo and a.undo.pull.state == "merged"]
    left = [f"#{number}" for number in merged if number not in undone]
    how = f"{' and '.join(left)} stayed merged, but I could not show that it is what healed" if left else "No fix of mine is in place"
    return f"**Healthy again.** {how}. The objective has held for a while, so I close this. Should it break again, I open a new incident."
