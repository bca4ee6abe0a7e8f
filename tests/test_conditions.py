"""Gauges near their limit and error logs, through whole incidents: noticed, told, grouped, measured again, closed; also over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from bot.agents.verifier import verify
from bot.forge import Issue
from bot.journal import IncidentRecord
from bot.model import Health, OutcomeKind, Signal, SignalKind
from bot.policy.schema import Detection, Saturation, Traffic
from bot.telemetry.log_line import LogLine
from bot.telemetry.metric_point import MetricPoint
from tests.house import House
from tests.telemetry.world import BUY, FRONT, T0, objective, root_spans

POOL = "db.client.connection.count"
STEP_S = 5.0


class Plant(House):
    """The front with an objective; its pool of connections is read every `read_s`, and `shop-worker` logs. Both as functions of time."""

    def __init__(self, detection: Detection | None = None) -> None:
        self.in_use: Callable[[float], float] = lambda _: 4.0
        self.errors_a_step: Callable[[float], int] = lambda _: 0
        self.read_s, self.logs_info = STEP_S, True
        self.service = FRONT
        super().__init__((objective(),), detection=detection or Detection(traffic=Traffic(enabled=False)))

    @property
    def at_s(self) -> float:
        """Since the beginning."""
        return self.clock.now_s - T0

    def also(self, now_s: float) -> None:
        if self.at_s % self.read_s == 0:
            pool = (("db.client.connection.pool.name", "main"),)
            readings = (("count", self.in_use(self.at_s), (*pool, ("db.client.connection.state", "used"))), ("max", 20.0, pool))
            name = POOL.rpartition(".")[0]
            points = [
                MetricPoint(self.service, "", f"{name}.{last}", "1", "gauge", attributes, now_s, value)
                for last, value, attributes in readings
            ]
            self.scout.observe_points(points, now_s)
        failed = LogLine("shop-worker", "error", "job failed", "job failed", "", b"", b"", now_s)
        self.scout.observe_logs([failed] * self.errors_a_step(self.at_s), now_s)
        if self.logs_info:
            self.scout.observe_logs([replace(failed, severity="info", body="alive", template="")], now_s)

    def requests(self, start_s: float, end_s: float, took_s: float = 0.2) -> None:
        """To the front, three a second."""
        starts = [T0 + start_s + i / 3 for i in range(int((end_s - start_s) * 3))]
        self.system.ids += len(starts)
        made = root_spans(starts, took_s, first_id=self.system.ids * 10)
        self.system.arrivals += [(one.end_s + 0.1, self.system.ids * 10 + i, one) for i, one in enumerate(made)]
        self.system.arrivals.sort()

    def signals(self) -> list[Signal]:
        return list(self.scout.signals(self.clock.now_s))

    def health(self, record: IncidentRecord) -> Health:
        signal = record.signal
        return self.scout.health(signal.service, signal.operation, self.clock.now_s, signal)[0]

    async def only_incident(self) -> tuple[Issue, IncidentRecord]:
        ((issue, record),) = await self.open()
        return issue, record


def full_between(start_s: float, end_s: float) -> Callable[[float], float]:
    return lambda at_s: 20.0 if start_s <= at_s < end_s else 4.0


def test_a_pool_that_stays_used_up_is_an_incident_until_it_is_not_also_over_a_restart() -> None:
    async def story() -> None:
        plant = Plant()
        plant.in_use = full_between(200, 500)
        await plant.run(250, STEP_S)
        assert await plant.open() == [] and plant.signals() == [], "it has to last"
        await plant.run(50, STEP_S)
        issue, record = await plant.only_incident()
        signal = record.signal
        assert (signal.kind, signal.service, signal.operation) == (SignalKind.SATURATION, FRONT, POOL)
        assert signal.first_bad_s == T0 + 200 and signal.detected_s - signal.first_bad_s < 75
        assert signal.before.share == 0.2 and signal.now.share == 1.0
        assert issue.title == f"{POOL} in {FRONT} is nearly used up: 100.0 %, limit 90 %"
        assert "is **nearly used up** since" in issue.body and "| **in use, latest reading** | **20.0 %** | **100.0 %** |" in issue.body
        assert 'title "in use; the flat line is the objective, at most 90 %"' in issue.body
        plant.start()
        assert plant.health(record) is Health.UNKNOWN
        await plant.run(100, STEP_S)
        assert plant.health(record) is Health.UNHEALTHY
        await plant.run(220, STEP_S)
        assert await plant.open() == []
        assert "Healthy again" in await plant.comments(issue.number)
        assert len(plant.said("at or above 90%")) == 1, "not again after the restart"

    asyncio.run(story())


def test_what_is_always_full_or_as_long_as_every_hour_is_nobodys_incident() -> None:
    plant = Plant()
    plant.in_use = lambda _: 20.0
    plant.listen(300, STEP_S)
    assert plant.signals() == [] and plant.said("above 90%")
    busy = Plant()
    busy.in_use = lambda at_s: 20.0 if at_s % 300 >= 245 else 4.0  # 55 s: below what is held against it
    busy.listen(600, STEP_S)
    busy.in_use = lambda at_s: 20.0 if at_s % 300 >= 150 else 4.0  # now 150 s: less than three times as long
    busy.listen(300, STEP_S)
    assert busy.signals() == []
    busy.in_use = lambda _: 20.0
    busy.listen(500, STEP_S)
    assert [one.kind for one in busy.signals()] == [SignalKind.SATURATION]


def test_a_service_may_have_a_limit_of_its_own() -> None:
    nearly = Plant(Detection(saturation=Saturation(services=((FRONT, 0.99),))))
    nearly.in_use = lambda at_s: 19.0 if at_s >= 100 else 4.0
    nearly.listen(300, STEP_S)
    assert nearly.signals() == []
    nearly.in_use = lambda _: 20.0
    nearly.listen(100, STEP_S)
    (signal,) = nearly.signals()
    assert signal.objective.limit == 0.99


def test_slow_requests_and_the_pool_that_they_wait_for_are_one_incident() -> None:
    async def story() -> None:
        plant = Plant()
        plant.in_use = full_between(195, 10_000)
        plant.requests(0, 200)
        plant.requests(200, 340, took_s=3.0)
        await plant.run(330, STEP_S)
        assert {signal.kind for signal in plant.signals()} == {SignalKind.LATENCY, SignalKind.SATURATION}
        issue, record = await plant.only_incident()
        assert (record.signal.kind, record.signal.operation) == (SignalKind.LATENCY, BUY), "noticed first"
        assert f"`{POOL}` in `{FRONT}` (nearly used up)" in await plant.comments(issue.number)

    asyncio.run(story())


def test_error_logs_that_go_on_are_an_incident_and_its_fix_is_proven_by_their_rate() -> None:
    async def story() -> None:
        plant = Plant()
        plant.errors_a_step = lambda at_s: 6 if 300 <= at_s < 500 else int(at_s % 120 == 0)
        await plant.run(320, STEP_S)
        assert await plant.open() == [], "it may be over in a moment"
        await plant.run(60, STEP_S)
        issue, record = await plant.only_incident()
        signal = record.signal
        assert (signal.kind, signal.service) == (SignalKind.LOG_ERRORS, "shop-worker")
        assert abs(signal.first_bad_s - (T0 + 300)) <= STEP_S
        assert issue.title.startswith("shop-worker logs unusually many errors: ")
        assert "logs **unusually many errors** since" in issue.body and "job failed" in issue.body
        assert plant.health(record) is Health.UNHEALTHY
        autonomy = plant.loop._hands.eyes.policies.autonomy

        def finding(since_s: float) -> OutcomeKind | None:
            now_s = plant.clock.now_s
            after = plant.scout.measure(signal.service, signal.operation, since_s, now_s, signal)
            health = plant.health(record)
            found = verify(signal, merged_s=since_s, serving_s=since_s, after=after, health=health, now_s=now_s, a=autonomy)
            return found[0] if found else None

        merged_s = plant.clock.now_s
        await plant.run(100, STEP_S)
        assert finding(merged_s) is OutcomeKind.FAILED
        plant.start()  # and it has stopped by now
        await plant.run(150, STEP_S)
        assert finding(T0 + 510) is OutcomeKind.HEALED
        assert await plant.open() == []

    asyncio.run(story())


def test_the_first_burst_of_a_service_that_never_said_a_word_is_judged_and_its_silence_is_its_health() -> None:
    async def story() -> None:
        plant = Plant()
        plant.logs_info = False  # the front's readings are all that is heard
        plant.errors_a_step = lambda at_s: 10 if 400 <= at_s < 500 else 0
        await plant.run(500, STEP_S)
        _, record = await plant.only_incident()
        assert record.signal.kind is SignalKind.LOG_ERRORS and record.signal.before.errors == 0
        await plant.run(200, STEP_S)
        assert await plant.open() == []

    asyncio.run(story())


def test_who_has_always_logged_errors_calls_nobody() -> None:
    plant = Plant()
    plant.logs_info = False
    plant.errors_a_step = lambda at_s: 5 + int(at_s % 3)
    assert plant.listen(2_000, STEP_S) == set()
    assert plant.signals() == [] and not plant.said("errors")
