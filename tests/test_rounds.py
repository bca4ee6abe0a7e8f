"""How many attempts a round has had: in the order in which GitHub got them, whatever the clocks of stalled workers say."""

from __future__ import annotations

import random
from collections import Counter

from bot.ensure import ensure_comment, ensure_issue
from bot.journal import AttemptRecord, CommandRecord, IncidentRecord
from bot.observe import Eyes, fingerprint_of, observe
from tests.sim.scheduler import drive
from tests.sim.service import SimTelemetry
from tests.sim.world import KEYRING, OWNER, POLICIES, World


def test_an_attempt_that_a_stalled_worker_writes_down_after_a_retry_counts_in_the_new_round() -> None:
    """It was begun before the retry by its own account: the worker stood still for minutes."""

    async def counted(world: World) -> int:
        forge, telemetry, begun_s = world.eye, SimTelemetry(world.service), world.clock.now_s
        world.clock.now_s += 60
        (signal,) = telemetry.signals(world.clock.now_s)
        incident = IncidentRecord(fingerprint_of(signal), signal, telemetry.evidence(signal, world.clock.now_s))
        number = await ensure_issue(forge, KEYRING, world.bot, incident, "Quotes hang", "They do.")
        retry = CommandRecord(1, "retry", OWNER, True, at_s=begun_s + 50)
        for record in (AttemptRecord(1, begun_s), retry, AttemptRecord(2, begun_s + 10)):
            await ensure_comment(forge, KEYRING, world.bot, number, record, "so it was")
        facts = await observe(Eyes(forge, telemetry, KEYRING, POLICIES, world.bot), incident.fingerprint, world.clock.now_s)
        return facts.counted

    assert drive(counted(World(3, random.Random(3), Counter()))) == 1
