"""What past incidents taught, read from their closed issues. A cache over GitHub: losing it costs a few reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.agents.lessons import amended, reverted_by
from bot.ensure import INCIDENT_LABEL, incident_of, incidents, read_entries
from bot.forge import Issue
from bot.journal import PostMortemRecord
from bot.model import PostMortem, UseResult
from bot.ports import ForgeReader
from bot.record import Keyring

REMEMBERED_INCIDENTS = 100  # the youngest; older ones are for the vector memory
COMMITS_READ = 100  # of the default branch, newest first: where a revert would stand
LAG_S = 60.0  # GitHub's list of what changed since then may be late by this much
_REVERTED_COMMIT = re.compile(r"\bThis reverts commit ([0-9a-f]{40})\b")
_REVERTED_PULL = re.compile(r"\bReverts (?:([\w.-]+/[\w.-]+))?#([1-9][0-9]{0,9})\b")


@dataclass(frozen=True)
class Reverted:
    """Fixes that commits on the default branch took back, by merge commit and by pull request."""

    commits: frozenset[str]
    pulls: frozenset[int]


class Chronicle:
    """`past` gives the post-mortems of closed incidents, oldest first, with what people said and did about them since."""

    def __init__(self, keyring: Keyring, bot: str) -> None:
        self._keyring = keyring
        self._bot = bot
        self._known: dict[int, PostMortem | None] = {}
        self._seen_s = 0.0  # the newest entry that was read

    async def past(self, forge: ForgeReader, limit: int = REMEMBERED_INCIDENTS) -> tuple[PostMortem, ...]:
        """Raises what the forge raises."""
        return tuple(with_reverts(await self.told(forge, limit), await reverts(forge)))

    async def told(self, forge: ForgeReader, limit: int = REMEMBERED_INCIDENTS) -> list[PostMortem]:
        """As the issues tell it, without a look at the default branch's commits."""
        closed = [issue for issue, _ in await incidents(forge, self._keyring, self._bot, "closed")][-limit:]
        changed = await self._changed(forge) if self._known else set[int]()
        for issue in closed:
            if issue.number not in self._known or issue.number in changed:
                await self._read(forge, issue)
        return [one for number in sorted(self._known) if (one := self._known[number])]

    async def _changed(self, forge: ForgeReader) -> set[int]:
        found = await forge.issues(label=INCIDENT_LABEL, state="closed", since_s=max(0.0, self._seen_s - LAG_S))
        return {issue.number for issue in found if incident_of(issue, self._keyring, self._bot)}

    async def _read(self, forge: ForgeReader, issue: Issue) -> None:
        entries = await read_entries(forge, self._keyring, issue.number, self._bot)
        records = [entry.record for entry in entries]
        lesson = next((record.post_mortem for record in records if isinstance(record, PostMortemRecord)), None)
        self._known[issue.number] = amended(lesson, records) if lesson else None
        self._seen_s = max([self._seen_s, issue.closed_s or 0.0, *(entry.created_s for entry in entries)])


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
