"""An operation that nobody wrote an objective for, through a whole incident: learnt, broken, told, measured, well again; over a restart."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from bot.agents.verifier import verify
from bot.forge import Issue
from bot.journal import IncidentRecord
from bot.model import Health, Measurement, OutcomeKind, SignalKind
from bot.policy.schema import Detection, Learn, Traffic
from tests.house import House
from tests.telemetry.world import T0, root_spans

BILLING, BILL = "billing", "POST /bill"
LEARNT_S = 600.0
DETECTION = Detection(learn=Learn(min_history_s=300.0), traffic=Traffic(enabled=False))
PER_S = 2


class Billing(House):
    """One service without an objective; every one of its requests is a span of the usual length until `spoil` says otherwise."""

    def __init__(self) -> None:
        super().__init__(detection=DETECTION)
        self.rng = random.Random(11)
        self.made_until_s = T0

    def make(self, seconds: float, *, slow_share: float = 0.0, error_share: float = 0.0, commit: str = "aaaa111") -> None:
        """The requests of the next seconds."""
        start_s, self.made_until_s = self.made_until_s, self.made_until_s + seconds
        for i in range(int(seconds * PER_S)):
            self.system.ids += 1
            at_s = start_s + i / PER_S
            took_s = 2.0 if self.rng.random() < slow_share else self.rng.lognormvariate(-2.0, 0.3)
            error = self.rng.random() < error_share
            name = {"service": BILLING, "name": BILL, "commit": commit}
            (made,) = root_spans([at_s], took_s, error=error, first_id=self.system.ids, **name)
            self.system.arrivals.append((made.end_s + 0.1, self.system.ids, made))
        self.system.arrivals.sort()

    @property
    def now_s(self) -> float:
        return self.clock.now_s

    def learn(self) -> None:
        self.make(LEARNT_S)
        assert self.listen(LEARNT_S, 2.0) == set()

    async def only_incident(self) -> tuple[Issue, IncidentRecord]:
        ((issue, record),) = await self.open()
        return issue, record

    def health(self, record: IncidentRecord) -> Health:
        return self.scout.health(BILLING, BILL, self.now_s, record.signal)[0]

    def measured(self, record: IncidentRecord, start_s: float) -> Measurement:
        found = self.scout.measure(BILLING, BILL, start_s, self.now_s, record.signal)
        assert found is not None
        return found


async def slow_for_a_while(house: Billing) -> tuple[Issue, IncidentRecord]:
    house.learn()
    house.make(120.0, slow_share=0.5)
    await house.run(90.0, 2.0)
    return await house.only_incident()


def test_what_is_learnt_is_noticed_told_and_closed_when_it_is_well_again() -> None:
    async def story() -> None:
        house = Billing()
        issue, record = await slow_for_a_while(house)
        signal = record.signal
        assert signal.kind is SignalKind.LATENCY and signal.objective.learnt
        assert abs(signal.first_bad_s - (T0 + LEARNT_S)) < 5.0 and signal.detected_s < T0 + LEARNT_S + 60.0
        assert signal.before.requests > 100 and signal.before.slow < 10
        assert issue.title.startswith(f"{BILL} in {BILLING} is slow: p99 2 s")
        assert "what is normal was learnt from its own past" in issue.body
        assert house.health(record) is Health.UNHEALTHY
        house.make(300.0)
        await house.run(60.0, 2.0)
        assert [i.number for i, _ in await house.open()] == [issue.number], "it has not been good for long enough"
        await house.run(240.0, 2.0)
        assert await house.open() == []
        assert "Healthy again" in await house.comments(issue.number)

    asyncio.run(story())


def test_after_a_restart_the_incident_is_still_judged_by_what_was_learnt_before_it() -> None:
    async def story() -> None:
        house = Billing()
        _, record = await slow_for_a_while(house)
        house.start()
        assert house.health(record) is Health.UNKNOWN, "nothing has been heard since"
        house.make(600.0, slow_share=0.5)
        await house.run(60.0, 2.0)
        assert house.health(record) is Health.UNHEALTHY
        assert not house.said(f"{BILL} in {BILLING} is healthy again")
        await house.run(570.0, 10.0)
        assert house.health(record) is Health.UNHEALTHY, "an incident does not become normal by lasting"
        house.make(300.0)
        await house.run(300.0, 5.0)
        assert await house.open() == []
        assert len(house.said("p99 of")) == 1, "it was said once, before the restart"
        house.make(900.0)
        assert house.listen(600.0, 5.0) == set(), "and it is learnt anew"
        house.make(100.0, slow_share=0.5)
        house.listen(300.0, 5.0)
        assert house.listen(80.0, 2.0)

    asyncio.run(story())


def test_a_fix_of_what_is_learnt_is_proven_by_the_same_operation_after_a_restart_too() -> None:
    async def story() -> None:
        house = Billing()
        _, record = await slow_for_a_while(house)
        merged_s = house.now_s
        house.start()
        for commit, share, outcome in (("bbbb222", 0.5, OutcomeKind.FAILED), ("cccc333", 0.0, OutcomeKind.HEALED)):
            house.make(140.0, slow_share=share, commit=commit)
            house.listen(150.0, 2.0)
            serving = house.scout.serving(BILLING, house.now_s)
            assert serving is not None and serving[0] == commit
            autonomy = house.loop._hands.eyes.policies.autonomy
            after = house.measured(record, serving[1])
            finding = verify(
                record.signal,
                merged_s=merged_s,
                serving_s=serving[1],
                after=after,
                health=house.health(record),
                now_s=house.now_s,
                a=autonomy,
            )
            assert finding is not None and finding[0] is outcome

    asyncio.run(story())


def test_lost_traffic_is_not_back_because_a_restart_has_forgotten_how_much_there_was() -> None:
    async def story() -> None:
        house = Billing()
        _, record = await slow_for_a_while(house)
        before = replace(record.signal.before, requests=PER_S * 600, start_s=T0, end_s=T0 + 600.0)
        lost = replace(record.signal, kind=SignalKind.THROUGHPUT, before=before)
        house.start()
        house.listen(40.0)
        house.make(800.0)
        house.system.arrivals = house.system.arrivals[::3]
        house.listen(750.0, 10.0)
        found, now = house.scout.health(BILLING, BILL, house.now_s, lost)
        assert found is Health.UNKNOWN and now is not None and now.requests >= lost.objective.min_requests
        house.make(200.0)
        house.listen(200.0, 10.0)
        assert house.scout.health(BILLING, BILL, house.now_s, lost)[0] is Health.HEALTHY

    asyncio.run(story())
