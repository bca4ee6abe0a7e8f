"""What the Guardrail judges: a pull request and everything around it, gathered before judging so that judging is pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.forge import ChangedFile, Issue, Pull
from bot.journal import CommandRecord, DiagnosisRecord, IncidentRecord
from bot.model import FileChange, Proposal
from bot.names import FixBranch


@dataclass(frozen=True)
class NotOurs:
    """A pull request of somebody else: judged by people, not by us."""

    pull: int
    text: str = "not a pull request of SRE-Space: nothing to judge"


@dataclass(frozen=True)
class GateCase:
    """Everything that the rules may look at. What could not be found out is None or stands in an `*_error`, and never counts in favour."""

    pull: Pull
    files: tuple[ChangedFile, ...]
    bot_login: str
    default_branch: str
    branch: FixBranch | None  # None: in our namespace, but not a name that we write
    issue: Issue | None = None
    incident: IncidentRecord | None = None
    diagnosis: DiagnosisRecord | None = None  # of this attempt
    expected: Proposal | None = None  # what the recorded remedy gives on the branch's base
    expected_error: str = ""
    actual: tuple[FileChange, ...] = ()  # text at the merge base and at the head
    actual_error: str = ""
    attempt: int = 0
    attempts_used: int = 0  # recorded attempts up to this one, since the last accepted retry; 0: this one is not recorded
    is_undo: bool = False
    undo_of_ours: bool = False  # the attempt's pull request was the bot's, and is merged
    approvals: tuple[CommandRecord, ...] = ()  # accepted ones for this pull request, for whatever head
    denials: tuple[CommandRecord, ...] = ()
    held_by: tuple[int, ...] = ()  # open issues that put everything on hold
    open_pulls: int | None = None  # of the bot, over all incidents, this one included
    pulls_last_hour: int | None = None

    @property
    def is_own_work(self) -> bool:
        return self.branch is not None and self.pull.author == self.bot_login
