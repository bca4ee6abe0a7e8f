"""Writes that may be made twice and count once. GitHub gives issues and comments no unique key, so: look by marker, create, look again;
the lowest number wins. Branches, pull requests and merges it does compare: an existing one that is the same is success."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.errors import Conflict, Missing
from bot.forge import Comment, Issue, Pull
from bot.journal import AttemptRecord, IncidentRecord, Record
from bot.ports import CodeWriter, ForgeReader, IssueWriter
from bot.record import Keyring, identity

INCIDENT_LABEL = "sre:incident"


class ReadWriteIssues(ForgeReader, IssueWriter, Protocol):
    """What these writes need for issues and comments."""


class ReadWriteCode(ForgeReader, CodeWriter, Protocol):
    """What these writes need for branches and pull requests."""


@dataclass(frozen=True)
class Entry:
    """A record as it stands on GitHub: under which number, in which comment (0: the issue's body), since when."""

    record: Record
    number: int
    comment_id: int
    created_s: float  # GitHub's: whole seconds

    @property
    def at_s(self) -> float:
        """When it was written, as finely as it is known: two records of one second still have an order."""
        own = self.record.started_s if isinstance(self.record, AttemptRecord) else getattr(self.record, "at_s", 0.0)
        return own or self.created_s


async def read_entries(forge: ForgeReader, keyring: Keyring, number: int, bot: str) -> tuple[Entry, ...]:
    """All our records in the comments under an issue or pull request, oldest first, each identity once."""
    return entries_in(await forge.comments(number), keyring, number, bot)[0]


def entries_in(comments: Sequence[Comment], keyring: Keyring, number: int, bot: str) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """Our records in these comments, oldest first, each identity once; and the ids of comments that say nothing but what stands above."""
    entries: list[Entry] = []
    twins: list[int] = []
    seen: set[object] = set()
    for comment in sorted(comments, key=lambda c: c.id):
        records = keyring.read(comment.body, number) if comment.author == bot else ()
        fresh = [record for record in records if identity(record) not in seen]
        if records and not fresh:
            twins.append(comment.id)
        for record in fresh:
            seen.add(identity(record))
            entries.append(Entry(record, number, comment.id, comment.created_s))
    return tuple(entries), tuple(twins)


def incident_of(issue: Issue, keyring: Keyring, bot: str) -> IncidentRecord | None:
    """The incident that an issue's body records; None when the issue is not ours (forged, copied by somebody, or somebody else's)."""
    if issue.author != bot:
        return None
    return next((r for r in keyring.read(issue.body, None) if isinstance(r, IncidentRecord)), None)


async def incidents(forge: ForgeReader, keyring: Keyring, bot: str, state: str = "open") -> list[tuple[Issue, IncidentRecord]]:
    """Our incidents, lowest number first."""
    issues = await forge.issues(label=INCIDENT_LABEL, state=state)
    found = [(issue, record) for issue in issues if (record := incident_of(issue, keyring, bot))]
    return sorted(found, key=lambda pair: pair[0].number)


async def ensure_issue(forge: ReadWriteIssues, keyring: Keyring, bot: str, record: IncidentRecord, title: str, body: str) -> int:
    """The number of the one open issue of this incident. A younger twin made by somebody else at the same moment is closed by the loop."""
    for issue, known in await incidents(forge, keyring, bot):
        if known.fingerprint == record.fingerprint:
            return issue.number
    created = await forge.create_issue(title, f"{body}\n\n{keyring.seal(record, None)}\n", [INCIDENT_LABEL])
    twins = [i.number for i, known in await incidents(forge, keyring, bot) if known.fingerprint == record.fingerprint]
    return min([created.number, *twins])


async def ensure_comment(forge: ReadWriteIssues, keyring: Keyring, bot: str, number: int, record: Record, text: str) -> None:
    """One comment with this record. Of twins the oldest stays, the others go."""
    if await _holders(forge, keyring, bot, number, record):
        return
    await forge.create_comment(number, f"{text}\n\n{keyring.seal(record, number)}\n")
    for comment_id in (await _holders(forge, keyring, bot, number, record))[1:]:
        with contextlib.suppress(Missing):  # the other one was quicker
            await forge.delete_comment(comment_id)


async def _holders(forge: ForgeReader, keyring: Keyring, bot: str, number: int, record: Record) -> Sequence[int]:
    wanted = identity(record)
    return sorted(
        comment.id
        for comment in await forge.comments(number)
        if comment.author == bot and any(identity(found) == wanted for found in keyring.read(comment.body, number))
    )


async def ensure_sticky(forge: ReadWriteIssues, keyring: Keyring, bot: str, number: int, record: Record, text: str) -> None:
    """One comment with this record, edited in place when its text differs."""
    body = f"{text}\n\n{keyring.seal(record, number)}\n"
    for comment in await forge.comments(number):
        if comment.author == bot and any(identity(found) == identity(record) for found in keyring.read(comment.body, number)):
            if comment.body.strip() != body.strip():
                await forge.update_comment(comment.id, body)
            return
    await ensure_comment(forge, keyring, bot, number, record, text)


async def ensure_branch(forge: ReadWriteCode, branch: str, sha: str) -> bool:
    """The branch at `sha`; True when this call made it. Raises Conflict when it exists elsewhere."""
    try:
        await forge.create_branch(branch, sha)
    except Conflict:
        if await forge.branch_sha(branch) != sha:
            raise
        return False
    return True


async def ensure_pull(forge: ReadWriteCode, *, branch: str, base: str, title: str, body: str) -> tuple[Pull, bool]:
    """The pull request of this branch, whatever its state (one that a person closed is not opened again); True when this call made it."""
    if existing := await forge.pulls(branch=branch):
        return existing[0], False
    try:
        return await forge.create_pull(branch=branch, base=base, title=title, body=body), True
    except Conflict:
        existing = await forge.pulls(branch=branch)
        if not existing:
            raise
        return existing[0], False
