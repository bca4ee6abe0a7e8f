"""What past incidents taught, read from their issues. A cache over GitHub: losing it costs a few reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.agents.curator import unattended
from bot.agents.lessons import amended, last_outcome, pending, reverted_by
from bot.ensure import INCIDENT_LABEL, incident_of, incidents, read_entries
from bot.forge import Issue, Pull
from bot.journal import CommandRecord, DiagnosisRecord, IncidentRecord, NoticeRecord, PostMortemRecord, Record
from bot.model import PostMortem, UseResult
from bot.names import CLOSING_NOTICE, FixBranch
from bot.ports import ForgeReader
from bot.record import Keyring

REMEMBERED_INCIDENTS = 100  # the youngest; older ones are for the vector memory
TOUCHED_INCIDENTS = 20  # and of the older ones those that changed last: a person may have corrected one
OPEN_INCIDENTS = 100  # the youngest
COMMITS_READ = 100  # of the default branch, newest first: where a revert would stand
LAG_S = 60.0  # GitHub's list of what changed since then may be late by this much
_REVERTED_COMMIT = re.compile(r"\bThis reverts commit ([0-9a-f]{40})\b")
_REVERTED_PULL = re.compile(r"\bReverts (?:([\w.-]+/[\w.-]+))?#([1-9][0-9]{0,9})\b")


@dataclass(frozen=True)
class Reverted:
    """Fixes that commits on the default branch took back, by merge commit and by pull request."""

    commits: frozenset[str]
    pulls: frozenset[int]


@dataclass(frozen=True)
class Remembered:
    """`lessons`: post-mortems of closed incidents, oldest first, with what people said and did about them since.
    `pending`: what incidents without a post-mortem, most of them still open, say against remedies."""

    lessons: tuple[PostMortem, ...]
    pending: tuple[PostMortem, ...]

    @property
    def all(self) -> tuple[PostMortem, ...]:
        """What is asked before a remedy is used again."""
        return (*self.lessons, *self.pending)


class Chronicle:
    """Reads every closed incident once, and again when it changes; open ones every time."""

    def __init__(self, keyring: Keyring, bot: str) -> None:
        self._keyring = keyring
        self._bot = bot
        self._known: dict[int, PostMortem | None] = {}
        self._pending: dict[int, PostMortem] = {}  # of closed incidents that the curator has not got to
        self._seen_s = 0.0  # the newest entry that was read

    async def remembered(self, forge: ForgeReader, limit: int = REMEMBERED_INCIDENTS) -> Remembered:
        """Raises what the forge raises."""
        lessons = await self.past(forge, limit)
        opened = (await incidents(forge, self._keyring, self._bot))[-OPEN_INCIDENTS:]
        found = [await self._so_far(forge, issue, incident, await self._records(forge, issue)) for issue, incident in opened]
        return Remembered(lessons, (*self._pending.values(), *(one for one in found if one)))

    async def past(self, forge: ForgeReader, limit: int = REMEMBERED_INCIDENTS) -> tuple[PostMortem, ...]:
        """The lessons alone. Raises what the forge raises."""
        return tuple(with_reverts(await self.told(forge, limit), await reverts(forge)))

    async def told(self, forge: ForgeReader, limit: int = REMEMBERED_INCIDENTS) -> list[PostMortem]:
        """As the issues tell it, without a look at the default branch's commits."""
        closed = await incidents(forge, self._keyring, self._bot, "closed")
        older = sorted(closed[:-limit], key=lambda pair: pair[0].updated_s)[-TOUCHED_INCIDENTS:]
        wanted = {issue.number: (issue, incident) for issue, incident in (*older, *closed[-limit:])}
        changed = await self._changed(forge) if self._known else set[int]()
        self._known = {number: one for number, one in self._known.items() if number in wanted}
        self._pending = {number: one for number, one in self._pending.items() if number in wanted}
        for number, (issue, incident) in wanted.items():
            if number not in self._known or number in changed:
                await self._read(forge, issue, incident)
        return [one for number in sorted(self._known) if (one := self._known[number])]

    async def _changed(self, forge: ForgeReader) -> set[int]:
        found = await forge.issues(label=INCIDENT_LABEL, state="closed", since_s=max(0.0, self._seen_s - LAG_S))
        return {issue.number for issue in found if incident_of(issue, self._keyring, self._bot)}

    async def _read(self, forge: ForgeReader, issue: Issue, incident: IncidentRecord) -> None:
        records = await self._records(forge, issue)
        lesson = next((record.post_mortem for record in records if isinstance(record, PostMortemRecord)), None)
        if lesson is None and last_outcome(records) is None and any(is_correction(record) for record in records):
            lesson = unattended(incident, issue)
        self._known[issue.number] = amended(lesson, records) if lesson else None
        self._pending.pop(issue.number, None)
        if lesson is None and (found := await self._so_far(forge, issue, incident, records)):
            self._pending[issue.number] = found

    async def _records(self, forge: ForgeReader, issue: Issue) -> list[Record]:
        entries = await read_entries(forge, self._keyring, issue.number, self._bot)
        if issue.state == "closed":
            self._seen_s = max([self._seen_s, issue.closed_s or 0.0, *(entry.created_s for entry in entries)])
        return [entry.record for entry in entries]

    async def _so_far(self, forge: ForgeReader, issue: Issue, incident: IncidentRecord, records: Sequence[Record]) -> PostMortem | None:
        pulls = await pulls_of(forge, incident.fingerprint, issue.number, records)
        return pending(issue, records, pulls, await refusals(forge, self._keyring, self._bot, records, pulls))


def is_correction(record: Record) -> bool:
    return isinstance(record, CommandRecord) and record.accepted and record.verb == "correct"


async def pulls_of(forge: ForgeReader, fingerprint: str, issue: int, records: Sequence[Record]) -> dict[int, Pull]:
    """The pull request of each attempt that has one."""
    found = {}
    for record in records:
        if isinstance(record, DiagnosisRecord) and record.diagnosis.remedy is not None:
            for pull in (await forge.pulls(branch=str(FixBranch(fingerprint, issue, record.attempt))))[:1]:
                found[record.attempt] = pull
    return found


async def refusals(
    forge: ForgeReader, keyring: Keyring, bot: str, records: Sequence[Record], pulls: Mapping[int, Pull]
) -> dict[int, float]:
    """Attempts whose pull request a person closed, or had us close, and when; also while nobody has written that down."""
    found = {}
    for attempt, pull in pulls.items():
        if pull.state != "closed":
            continue
        said = [*records, *(entry.record for entry in await read_entries(forge, keyring, pull.number, bot))]
        ours = any(isinstance(r, NoticeRecord) and (r.topic, r.pull) == (CLOSING_NOTICE, pull.number) for r in said)
        denied = any(isinstance(r, CommandRecord) and r.accepted and (r.verb, r.pull) == ("deny", pull.number) for r in said)
        if denied or not ours:
            found[attempt] = pull.closed_s or pull.created_s
    return found


async def reverts(forge: ForgeReader) -> Reverted:
    """What the newest commits of the default branch say that they take back."""
    messages = [commit.message for commit in await forge.commits(branch=await forge.default_branch(), limit=COMMITS_READ)]
    return reverts_in(messages, forge.repository)


def reverts_in(messages: Iterable[str], repository: str) -> Reverted:
    """As git and GitHub write it; pull requests of this repository alone."""
    commits, pulls = set[str](), set[int]()
    for message in messages:
        commits.update(_REVERTED_COMMIT.findall(message))
        pulls.update(int(number) for where, number in _REVERTED_PULL.findall(message) if where in ("", repository))
    return Reverted(frozenset(commits), frozenset(pulls))


def with_reverts(past: Iterable[PostMortem], found: Reverted) -> list[PostMortem]:
    return [reverted_by(one, set(reverted_pulls(one, found))) for one in past]


def reverted_pulls(post_mortem: PostMortem, found: Reverted) -> tuple[int, ...]:
    """Pull requests of fixes that healed here and were taken back later."""
    healed = [use for use in post_mortem.uses if use.result is UseResult.HEALED and use.pull]
    return tuple(use.pull for use in healed if use.pull in found.pulls or use.merge_sha in found.commits)
