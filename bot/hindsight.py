"""What people say under incidents that are over: `/sre correct …` and the other commands, heard whenever they are said.

A sweep looks where something has changed since it looked last, a few places at a time. What was looked at is remembered by the process
alone: a new one looks everywhere again, a few places a sweep, the ones that changed last first. Answers are records on GitHub, so that
nothing is answered twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.agents import replies
from bot.ensure import ReadWriteIssues, entries_in
from bot.errors import Refused
from bot.forge import Issue
from bot.journal import IncidentRecord
from bot.model import Event, Phase
from bot.names import parse_branch
from bot.observe import Eyes, asked_in, over
from bot.ports import EventSink

PLACES_A_SWEEP = 5  # each costs a request, and incidents that go on wait for the next look meanwhile
ANSWERS_A_SWEEP = 5  # each is three writes, a second apart; what is left is answered in the next one
LAG_S = 60.0  # a list of comments may be late by this much: a place that changed within it is looked at again


@dataclass(frozen=True)
class Place:
    """A closed incident, or a pull request of one, under which somebody may have said something."""

    number: int
    updated_s: float
    issue: Issue
    incident: IncidentRecord


class Hindsight:
    def __init__(self, eyes: Eyes, forge: ReadWriteIssues, sink: EventSink) -> None:
        self._eyes = eyes
        self._forge = forge
        self._sink = sink
        self._looked: dict[int, float] = {}  # place → up to which change of it was seen

    async def listen(self, closed: Sequence[tuple[Issue, IncidentRecord]], now_s: float) -> None:
        """Answers what is new under `closed` and under the pull requests that belong to them. Raises Retry."""
        places = await self._places(closed)
        self._looked = {place.number: self._looked[place.number] for place in places if place.number in self._looked}
        changed = [place for place in places if place.number not in self._looked or place.updated_s > self._looked[place.number]]
        left = ANSWERS_A_SWEEP
        for place in sorted(changed, key=lambda one: -one.updated_s)[:PLACES_A_SWEEP]:
            try:
                left -= await self._look(place, left, now_s)
            except Refused as problem:  # the others are no worse for it; this one is tried again when it changes
                self._say(place, f"could not answer under #{place.number}: {problem}", now_s)
            if left == 0:
                return
            self._looked[place.number] = min(place.updated_s, now_s - LAG_S)

    async def _places(self, closed: Sequence[tuple[Issue, IncidentRecord]]) -> list[Place]:
        """Of pull requests the hundred youngest of the repository are looked through."""
        if not closed:
            return []
        by_number = {issue.number: (issue, record) for issue, record in closed}
        found = [Place(issue.number, issue.updated_s, issue, record) for issue, record in closed]
        for pull in await self._eyes.forge.recent_pulls():
            branch = parse_branch(pull.branch)
            about = by_number.get(branch.issue) if branch else None
            if branch and about and about[1].fingerprint == branch.fingerprint:
                found.append(Place(pull.number, pull.updated_s, *about))
        return found

    async def _look(self, place: Place, limit: int, now_s: float) -> int:
        """How many commands it answered; `limit` at most."""
        eyes = self._eyes
        comments = await eyes.forge.comments(place.number)
        entries, _ = entries_in(comments, eyes.keyring, place.number, eyes.bot)
        wanted = asked_in(eyes, comments, entries, place.number)[:limit]
        if not wanted or (await eyes.forge.issue(place.issue.number)).state != "closed":
            return 0  # open again: the loop's
        for asked in wanted:
            reply = await replies.answer(asked, over(place.issue, place.incident, now_s), self._forge, eyes.keyring, eyes.bot)
            done = "done" if reply.accepted else "refused"
            self._say(place, f"{asked.by} said /sre {asked.verb} after it was over: {done}", now_s)
        return len(wanted)

    def _say(self, place: Place, text: str, now_s: float) -> None:
        self._sink.say(Event(now_s, "human", Phase.DECIDE, str(place.issue.number), text))
