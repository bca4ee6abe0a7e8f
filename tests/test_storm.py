"""When much is unwell at once: one incident for one cause, none during maintenance or while everything is on hold."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import replace

from bot.ensure import ensure_issue
from bot.journal import IncidentRecord
from bot.names import HOLD_ALL_LABEL
from bot.observe import fingerprint_of
from bot.policy.maintenance import ALL, Window
from tests.house import BOT, KEYRING, THREE, House
from tests.telemetry.world import BUY, ENGINE, FRONT, GATE, OFFERS, PRICE, T0, Faults, objective, root_spans

OTHER = objective("billing", "POST /bill")


def hanging(house: House, seconds: float, well_s: float = 40.0) -> None:
    house.system.traffic(T0, T0 + well_s)
    house.system.faults = Faults(hanging="south")
    house.system.traffic(T0 + well_s, T0 + well_s + seconds)


def test_a_carrier_hangs_and_the_three_services_before_it_are_one_incident() -> None:
    async def story() -> None:
        house = House()
        hanging(house, 40.0)
        await house.run(75.0)
        assert len({(s.service, s.operation) for s in house.scout.signals(house.clock.now_s)}) == 3
        ((issue, record),) = await house.open()
        assert (record.signal.service, record.signal.operation) == (FRONT, BUY), "the most user-facing one"
        assert len(house.said("from the same cause as")) == 2, "each of the others is told once"
        status = await house.comments(issue.number)
        assert f"`{PRICE}` in `{ENGINE}`" in status and f"`{OFFERS}` in `{GATE}`" in status and "`south`" in status

    asyncio.run(story())


def test_two_faults_at_the_same_time_are_two_incidents() -> None:
    async def story() -> None:
        house = House((*THREE, OTHER))
        hanging(house, 30.0)
        for item in root_spans([T0 + 0.2 * i for i in range(350)], first_id=10**9, service="billing", name="POST /bill"):
            house.system.arrivals.append(
                (item.end_s + 0.1, 10**9 + len(house.system.arrivals), replace(item, error=item.start_s > T0 + 42))
            )
        heapq.heapify(house.system.arrivals)
        await house.run(65.0)
        assert sorted(record.signal.service for _, record in await house.open()) == ["billing", FRONT]

    asyncio.run(story())


def test_an_incident_takes_in_what_joins_it_later() -> None:
    async def story() -> None:
        house = House((objective(GATE, OFFERS), replace(objective(FRONT, BUY), window_s=30.0, min_bad=40)))
        hanging(house, 40.0)
        await house.run(48.0)
        ((issue, record),) = await house.open()
        assert record.signal.service == GATE, "noticed first"
        await house.run(30.0)
        assert [i.number for i, _ in await house.open()] == [issue.number]
        assert house.said(f"{BUY} in {FRONT} is unwell from the same cause as #{issue.number}")
        assert f"`{BUY}` in `{FRONT}`" in await house.comments(issue.number)

    asyncio.run(story())


def test_a_restart_in_the_middle_of_a_storm_opens_nothing_more() -> None:
    async def story() -> None:
        house = House((objective(GATE, OFFERS), replace(objective(FRONT, BUY), window_s=30.0, min_bad=40)))
        hanging(house, 80.0)
        await house.run(48.0)
        ((issue, record),) = await house.open()
        assert record.signal.service == GATE
        house.start()
        await house.run(60.0)
        assert {s.service for s in house.scout.signals(house.clock.now_s)} == {FRONT, GATE}
        assert [i.number for i, _ in await house.open()] == [issue.number]

    asyncio.run(story())


def test_during_maintenance_nothing_is_opened_and_afterwards_what_is_still_broken_is() -> None:
    async def story() -> None:
        window = Window(ALL, T0, 70.0, False, "the database moves", 9)
        house = House(windows=(window,))
        hanging(house, 60.0)
        await house.run(69.0)
        assert await house.open() == []
        (text,) = house.said(f"{BUY} in {FRONT} is unwell; no incident is opened during maintenance")
        assert text.endswith("UTC: the database moves")
        await house.run(3.0)
        assert len(await house.open()) == 1

    asyncio.run(story())


def test_the_maintenance_of_one_service_excuses_no_other() -> None:
    async def story() -> None:
        house = House(windows=(Window(GATE, T0, 3_600.0, False, "an upgrade", 9),))
        hanging(house, 25.0)
        await house.run(60.0)
        assert [record.signal.service for _, record in await house.open()] == [FRONT]

    asyncio.run(story())


def test_while_everything_is_on_hold_no_incident_is_opened() -> None:
    async def story() -> None:
        house = House((objective(),))
        freeze = await house.forge.as_user("ann").create_issue("Freeze", "", [HOLD_ALL_LABEL])
        hanging(house, 40.0)
        await house.run(55.0)
        assert await house.open() == []
        assert len(house.said(HOLD_ALL_LABEL)) == 1
        await house.forge.update_issue(freeze.number, state="closed")
        await house.run(2.0)
        assert len(await house.open()) == 1

    asyncio.run(story())


def test_two_open_incidents_that_turn_out_to_have_one_cause_become_one_and_that_is_said_once() -> None:
    async def story() -> None:
        house = House()
        hanging(house, 60.0)
        await house.run(52.0)
        ((first, _),) = await house.open()
        signal = next(s for s in house.scout.signals(house.clock.now_s) if s.service == ENGINE)
        record = IncidentRecord(fingerprint_of(signal), signal, house.scout.evidence(signal, house.clock.now_s))
        number = await ensure_issue(house.forge, KEYRING, BOT, record, "slow", "opened before the calls were known")
        await house.run(1.0)
        house.start()
        await house.run(20.0)
        assert [i.number for i, _ in await house.open()] == [first.number]
        younger = await house.forge.issue(number)
        assert younger.state == "closed"
        assert (await house.comments(number)).count(f"the same cause as #{first.number}") == 1
        assert f"`{PRICE}` in `{ENGINE}`" in await house.comments(first.number)

    asyncio.run(story())
