"""The journal of an incident: the records that it leaves on GitHub, append-only and keyed (`bot/record.py` seals and reads them)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.evidence import Evidence
from bot.model import Diagnosis, Measurement, OutcomeKind, PostMortem, Signal, Verdict


@dataclass(frozen=True)
class IncidentRecord:
    """Stands in the issue's body: what broke and the figures from before, so that a restart can still compare."""

    fingerprint: str
    signal: Signal
    evidence: Evidence


@dataclass(frozen=True)
class AttemptRecord:
    """Written before thinking. `evidence` only from the second attempt on: the first one uses the issue's."""

    attempt: int
    started_s: float
    evidence: Evidence | None = None


@dataclass(frozen=True)
class DiagnosisRecord:
    attempt: int
    diagnosis: Diagnosis
    base_sha: str  # main when it was made
    at_s: float = 0.0  # by the bot's clock; GitHub's times have whole seconds only


@dataclass(frozen=True)
class VerdictRecord:
    """Stands in the pull request, one for each judgement: `run_id` and `run_attempt` name the guardrail run that it was compared with."""

    pull: int
    verdict: Verdict
    run_id: int = 0
    run_attempt: int = 0
    at_s: float = 0.0  # by the bot's clock; GitHub's times have whole seconds only


@dataclass(frozen=True)
class OutcomeRecord:
    """`attempt` ended. For an undo, `undo` is True. `after` is the measurement that decided."""

    attempt: int
    outcome: OutcomeKind
    reason: str
    at_s: float
    serving_s: float | None = None
    after: Measurement | None = None
    undo: bool = False


@dataclass(frozen=True)
class CommandRecord:
    """A slash command that was carried out or refused. `sha` is the head that an approval is bound to."""

    comment_id: int
    verb: str
    by: str
    accepted: bool
    sha: str = ""
    pull: int = 0
    at_s: float = 0.0  # by the bot's clock; GitHub's times have whole seconds only
    argument: str = ""  # of `correct`: what the person said, as they said it


class Call(StrEnum):
    """Why a person is called."""

    ATTEMPTS = "attempts"  # three attempts did not heal it
    UNSURE = "unsure"  # a second thought stayed unsure
    ASK = "ask"  # the guardrail asks for an approval
    DENY = "deny"  # the guardrail denies what we propose
    DISAGREE = "disagree"  # the check is red where we would allow
    NO_CHECK = "no-check"  # the guardrail never ran
    CLOSED = "closed"  # a person closed our pull request: we stop
    CONFLICT = "conflict"  # the pull request no longer merges
    UNPROVEN = "unproven"  # merged, but the healing could not be measured
    UNDO = "undo"  # a fix that did not heal could not be taken back
    FLAPPING = "flapping"  # healthy for a while before the merge, and broken again


@dataclass(frozen=True)
class EscalationRecord:
    """A person was called. Void once a later `retry` is accepted."""

    attempt: int
    call: Call
    at_s: float = 0.0  # by the bot's clock; GitHub's times have whole seconds only


@dataclass(frozen=True)
class NoticeRecord:
    """Something was said once and need not be said again, e.g. «healthy before the merge» on a pull request."""

    topic: str
    pull: int = 0


@dataclass(frozen=True)
class PostMortemRecord:
    post_mortem: PostMortem
    at_s: float = 0.0


Record = (
    IncidentRecord
    | AttemptRecord
    | DiagnosisRecord
    | VerdictRecord
    | OutcomeRecord
    | CommandRecord
    | EscalationRecord
    | NoticeRecord
    | PostMortemRecord
)
