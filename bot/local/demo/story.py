"""The demo's plot: wait until the patient is well, break it, and watch until it is healed and remembered, or time is up."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from bot.ensure import incidents, read_entries
from bot.errors import Refused
from bot.forge import Issue
from bot.journal import IncidentRecord, PostMortemRecord
from bot.local.chaos import Injected
from bot.local.demo.report import Report, read_report
from bot.local.demo.screen import Screen
from bot.local.world import World
from bot.tls import trusted

WELL_WITHIN_S = 60.0
BASELINE_S = 5.0  # healthy traffic to compare with
HEALED_WITHIN_S = 180.0
INJECTED_WITHIN_S = 180.0  # the control plane gives up before this and says why
POLL_S = 0.5


async def wait_until_well(world: World) -> None:
    """Every objective measured healthy, and a little longer: the past to compare with. Raises Refused when it takes too long."""
    deadline_s = world.clock.now() + WELL_WITHIN_S
    async with httpx.AsyncClient(trust_env=False, timeout=5.0, verify=trusted(world.url)) as client:
        while True:
            state = (await client.get(f"{world.url}/api/state")).json()
            operations = [operation for service in state["services"] for operation in service["operations"]]
            if operations and all(operation["health"] == "healthy" for operation in operations):
                break
            if world.clock.now() > deadline_s:
                raise Refused(f"the marketplace is not healthy after {WELL_WITHIN_S:.0f} s: see the logs in {world.settings.workdir}")
            await world.clock.sleep(POLL_S)
    await world.clock.sleep(BASELINE_S)


async def break_and_watch(world: World, fault: str, screen: Screen) -> Report:
    """Injects through the control plane's front door, as anybody would with curl; returns when the incident is over."""
    before = await known_issues(world)
    done = len(world.chaos.done)
    async with httpx.AsyncClient(trust_env=False, timeout=INJECTED_WITHIN_S, verify=trusted(world.url)) as client:
        answer = await client.post(f"{world.url}/demo/inject-failure?type={quote(fault)}")
    if answer.status_code != 200:
        raise Refused(f"the fault was not injected: {answer.text}")
    injected = world.chaos.done[done]
    screen.say(f"\nA fault is in: {fault}. Nobody told the control plane which.\n")
    return await watch(world, injected, before)


async def known_issues(world: World) -> set[int]:
    """The numbers of all incidents so far, closed ones too."""
    return {issue.number for issue, _ in await incidents(world.owner, world.keyring, world.bot_login, "all")}


async def watch(world: World, injected: Injected, before: set[int]) -> Report:
    """Waits until the incident that is not among `before` is over, or time is up."""
    issue, incident = await _until_over(world, before)
    return await read_report(world, injected, issue, incident)


async def _until_over(world: World, before: set[int]) -> tuple[Issue | None, IncidentRecord | None]:
    deadline_s = world.clock.now() + HEALED_WITHIN_S
    newest: tuple[Issue, IncidentRecord] | None = None
    while world.clock.now() < deadline_s:
        world.serve.sample_memory()
        fresh = [pair for pair in await incidents(world.owner, world.keyring, world.bot_login, "all") if pair[0].number not in before]
        newest = fresh[0] if fresh else None
        if newest and newest[0].state == "closed":
            entries = await read_entries(world.owner, world.keyring, newest[0].number, world.bot_login)
            if any(isinstance(entry.record, PostMortemRecord) for entry in entries):
                await world.actions.idle()  # lets the curator's last thought reach the feed
                return newest
        await world.clock.sleep(POLL_S)
    return newest or (None, None)
