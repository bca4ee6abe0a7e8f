"""Curator's reading of an incident's records: every use of a remedy with what became of it, and what happened when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from bot.diagnosis.plain import plain
from bot.diagnosis.trust import AGAINST, result_of, uses_of
from bot.forge import Issue, Pull
from bot.journal import (
    AttemptRecord,
    Call,
    CommandRecord,
    DiagnosisRecord,
    EscalationRecord,
    IncidentRecord,
    NoticeRecord,
    OutcomeRecord,
    Record,
)
from bot.model import Correction, Moment, OutcomeKind, PostMortem, Use, UseResult
from bot.names import REVERTED_NOTICE

WORDS = 300  # of a correction
NOTHING: Mapping[int, float] = MappingProxyType({})


def uses(records: Sequence[Record], pulls: Mapping[int, Pull], refused: Mapping[int, float] = NOTHING) -> tuple[Use, ...]:
    """One for each attempt whose diagnosis named a remedy, oldest first.

    `pulls`: attempt → its pull request. `refused`: attempt → when a person closed that, beside what the records say.
    """
    outcomes = {r.attempt: r for r in records if isinstance(r, OutcomeRecord) and not r.undo}
    refusals = {**_closed(records), **refused}
    found = []
    for record in records:
        if not isinstance(record, DiagnosisRecord) or record.diagnosis.remedy is None or not record.diagnosis.signature:
            continue
        n, diagnosis, outcome = record.attempt, record.diagnosis, outcomes.get(record.attempt)
        pull = pulls.get(n)
        result = result_of(outcome.outcome) if outcome else UseResult.UNKNOWN
        if n in refusals and result is UseResult.UNKNOWN and (pull is None or pull.state == "closed"):
            result = UseResult.REFUSED  # what was reopened and merged after all is judged by what it did
        suspect = diagnosis.suspects[0] if diagnosis.suspects else None
        found.append(
            Use(
                attempt=n,
                signature=diagnosis.signature,
                remedy=diagnosis.remedy.kind if diagnosis.remedy else "",
                result=result,
                at_s=outcome.at_s if outcome else refusals.get(n, record.at_s),
                blamed=(suspect.name, suspect.at) if suspect else (),
                pull=pull.number if pull else 0,
                merge_sha=pull.merge_sha if pull else "",
            )
        )
    return tuple(sorted(found, key=lambda use: use.attempt))


def _closed(records: Sequence[Record]) -> dict[int, float]:
    """Attempts whose pull request a person closed, and when that was noticed."""
    return {r.attempt: r.at_s for r in records if isinstance(r, EscalationRecord) and r.call is Call.CLOSED}


def pending(issue: Issue, records: Sequence[Record], pulls: Mapping[int, Pull], refused: Mapping[int, float]) -> PostMortem | None:
    """What an incident without a post-mortem says against remedies already: that a person refused one, or that it did not heal.
    None when it says nothing against any. That one healed is learnt when the incident is over."""
    against = tuple(use for use in uses(records, pulls, refused) if use.result in AGAINST)
    if not against:
        return None
    return PostMortem(
        issue=issue.number,
        signature=against[-1].signature,
        title=issue.title,
        cause="",
        remedy=None,
        outcome=OutcomeKind.INCONCLUSIVE,
        answered_by="",
        confidence=0.0,
        opened_s=issue.created_s,
        healed_s=None,
        text="",
        uses=against,
    )


def timeline(incident: IncidentRecord, records: Sequence[Record], opened_s: float) -> tuple[Moment, ...]:
    """What happened when, oldest first."""
    signal = incident.signal
    moments = [
        Moment(signal.first_bad_s, "first bad request"),
        Moment(signal.detected_s, "Scout noticed"),
        Moment(opened_s, "issue opened"),
    ]
    for record in records:
        match record:
            case AttemptRecord():
                moments.append(Moment(record.started_s, f"attempt {record.attempt} began"))
            case DiagnosisRecord() if record.at_s:
                by = {"cag": "CAG", "brain": "Brain"}[record.diagnosis.answered_by]
                moments.append(Moment(record.at_s, f"{by} answered with confidence {record.diagnosis.confidence:.3f}"))
            case OutcomeRecord():
                what = "its undo" if record.undo else f"attempt {record.attempt}"
                if record.serving_s is not None:
                    moments.append(Moment(record.serving_s, f"the change of {what} served"))
                moments.append(Moment(record.at_s, f"{what} ended: {record.outcome.value}"))
            case EscalationRecord() if record.at_s:
                moments.append(Moment(record.at_s, "a person was called"))
            case _:
                pass
    return tuple(sorted(moments, key=lambda moment: int(moment.at_s)))  # GitHub's times are whole seconds: within one, as they follow


def amended(post_mortem: PostMortem, records: Sequence[Record]) -> PostMortem:
    """The post-mortem with what people said and did since it was written: the newest correction, and fixes that were reverted."""
    reverted = {r.pull for r in records if isinstance(r, NoticeRecord) and r.topic == REVERTED_NOTICE}
    said = [r for r in records if isinstance(r, CommandRecord) and r.accepted and r.verb == "correct"]
    correction = correction_of(max(said, key=lambda r: r.comment_id)) if said else None  # the one said last, not answered last
    return corrected(reverted_by(post_mortem, reverted), correction) if correction else reverted_by(post_mortem, reverted)


def correction_of(command: CommandRecord) -> Correction:
    """`cause=NAME and more words`, or words alone."""
    first, _, rest = command.argument.partition(" ")
    named = first.removeprefix("cause=") if first.lower().startswith("cause=") else ""
    return Correction(command.by, plain(named) if named else "", plain_words(rest if named else command.argument))


def plain_words(text: str) -> str:
    """What a person wrote, as data: without markup, mentions or commands, bounded."""
    return " ".join(plain(word) for word in text[:WORDS].split())


def corrected(post_mortem: PostMortem, correction: Correction) -> PostMortem:
    """Remedies for a culprit that the person did not name are no longer trusted; the cause is theirs."""
    named = correction.culprit
    against = tuple(
        use
        if named and any(named == plain(one) or (len(named) >= 7 and one.startswith(named)) for one in use.blamed)
        else _counted_against(use)
        for use in uses_of(post_mortem)
    )
    cause = " ".join(part for part in (f"{named}." if named else "", correction.words) if part)
    text = f"{post_mortem.text} A person corrected the cause: {cause}"
    return replace(post_mortem, cause=cause, text=text, uses=against, correction=correction)


def _counted_against(use: Use) -> Use:
    return replace(use, result=UseResult.CORRECTED) if use.result is UseResult.HEALED else use


def reverted_by(post_mortem: PostMortem, pulls: set[int]) -> PostMortem:
    """Fixes that a person took back later did not last."""
    if not any(use.pull in pulls for use in post_mortem.uses):
        return post_mortem
    now = tuple(replace(use, result=UseResult.REVERTED) if use.pull and use.pull in pulls else use for use in post_mortem.uses)
    return replace(post_mortem, uses=now, text=f"{post_mortem.text} The fix was reverted later.")


def last_outcome(records: Sequence[Record], refused: Mapping[int, float] = NOTHING) -> OutcomeRecord | None:
    """Of the last attempt that ended; of one that a person refused (`refused` as for `uses`), one that says nothing was measured."""
    ended = [r for r in records if isinstance(r, OutcomeRecord) and not r.undo]
    ended += [
        OutcomeRecord(attempt, OutcomeKind.INCONCLUSIVE, "a person closed its pull request", at_s)
        for attempt, at_s in {**_closed(records), **refused}.items()
        if all(attempt != one.attempt for one in ended)
    ]
    return max(ended, key=lambda one: one.attempt, default=None)
