"""What the jobs in Actions share: one connection to GitHub, policies of the checkout, thoughts to the log and to the feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from bot.ensure import Entry, incident_of, read_entries
from bot.errors import Refused
from bot.evidence import Evidence
from bot.forge import Issue
from bot.journal import AttemptRecord, IncidentRecord
from bot.model import Event
from bot.policy.schema import Policies
from bot.settings import Settings
from bot.web.remote import RemoteSink
from bot.wiring import GitHubSide, open_github, policies_of, remote_sink


class JobSink:
    """Says every thought in the job's log, and on the feed when there is one. `incident`: for thoughts that know only a fingerprint."""

    def __init__(self, remote: RemoteSink | None, incident: str) -> None:
        self._remote = remote
        self._incident = incident

    def say(self, event: Event) -> None:
        event = replace(event, incident=self._incident) if self._incident else event
        print(f"[{event.phase}] {event.agent}: {event.text}", flush=True)
        if self._remote is not None:
            self._remote.say(event)


@dataclass(frozen=True)
class Job:
    settings: Settings
    side: GitHubSide
    policies: Policies
    sink: JobSink


@asynccontextmanager
async def open_job(env: Mapping[str, str], incident: int = 0) -> AsyncIterator[Job]:
    """Raises Refused for missing settings or policies, Retry when GitHub is away."""
    settings = Settings.from_env(env)
    async with AsyncExitStack() as stack:
        side = await open_github(settings, stack)
        remote = stack.enter_context(remote_sink(settings, side.clock)) if settings.feed_url and settings.feed_key else None
        yield Job(settings, side, policies_of(settings), JobSink(remote, str(incident) if incident else ""))


def run_job(body: Callable[[], Awaitable[int]]) -> int:
    async def story() -> int:
        return await body()

    return asyncio.run(story())


@dataclass(frozen=True)
class Recorded:
    """An incident as its issue records it."""

    issue: Issue
    incident: IncidentRecord
    entries: tuple[Entry, ...]

    def evidence(self, attempt: int) -> Evidence:
        """What the attempt was begun with. Raises Refused when it was never begun."""
        for entry in self.entries:
            if isinstance(entry.record, AttemptRecord) and entry.record.attempt == attempt:
                return entry.record.evidence or self.incident.evidence
        raise Refused(f"#{self.issue.number} records no attempt {attempt}: the always-on process begins attempts")


async def read_incident(side: GitHubSide, number: int) -> Recorded:
    """Raises Refused when the issue is not an incident of ours (or its marker is forged, or sealed with another key)."""
    issue = await side.forge.issue(number)
    incident = incident_of(issue, side.keyring, side.bot)
    if incident is None:
        raise Refused(f"#{number} is not an incident of {side.bot}: no record sealed with this marker key in it")
    return Recorded(issue, incident, await read_entries(side.forge, side.keyring, number, side.bot))
