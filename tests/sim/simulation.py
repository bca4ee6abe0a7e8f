"""One seeded run: two workers, people, Actions and a platform in a rough world; then the weather calms down, and it must come to rest."""

from __future__ import annotations

import random
from collections import Counter

from bot.adapters.bus import MemoryBus
from bot.chronicle import Chronicle
from bot.decide import Conclude, Escalate, Merge, Step, Wait
from bot.facts import Facts
from bot.loop import Loop, Pace
from bot.model import Event, Health
from bot.observe import Eyes, fingerprint_of
from bot.perform import Hands
from tests.sim.actions import LINKS, SimActions
from tests.sim.checker import Checker
from tests.sim.forge import rough_forge
from tests.sim.people import People
from tests.sim.repository import CARRIERS
from tests.sim.scheduler import Scheduler
from tests.sim.service import SimTelemetry
from tests.sim.world import KEYRING, POLICIES, World

ROUGH_TICKS = 36
CALM_PASSES = 150
REST_S = 4000.0  # nothing changes for longer than any time limit: at rest
EXPECTED = (": Retry:", ": Refused:", ": Conflict:", ": Missing:")
PACE = Pace(tick_s=1.0, waiting_s=5.0, sweep_s=60.0)


class Ears:
    """Satisfies `bot.ports.EventSink`: the loop goes on when it trips over a bug of ours; the simulation does not."""

    def __init__(self, world: World) -> None:
        self._world = world

    def say(self, event: Event) -> None:
        if event.text.startswith("could not finish") and not any(kind in event.text for kind in EXPECTED):
            raise self._world.fail(f"the loop trips over a bug: {event.text}")


class Worker:
    """One always-on process after the other: when one dies, the next starts from nothing."""

    def __init__(self, name: str, simulation: Simulation) -> None:
        self.name = name
        self._simulation = simulation
        self.busy = False
        self._begin()

    def _begin(self) -> None:
        sim = self._simulation
        telemetry = SimTelemetry(sim.world.service)
        forge = rough_forge(sim.world, self.name, telemetry, sim.checker)
        bot = sim.world.bot
        eyes = Eyes(forge, telemetry, KEYRING, POLICIES, bot)
        self.hands = Hands(eyes, forge, sim.world.clock, Ears(sim.world), Chronicle(KEYRING, bot), LINKS)
        self.loop = Loop(self.hands, PACE, self._watch, MemoryBus())

    def _watch(self, facts: Facts, step: Step) -> None:
        sim = self._simulation
        sim.last = facts, step
        sim.world.seen[f"step: {type(step).__name__}"] += 1
        if isinstance(step, Merge) and sim.world.hit("a worker stalls before a merge", 0.3):
            sim.scheduler.stalling = self.name
            sim.people.interrupt()
        if isinstance(step, Escalate):
            sim.world.seen[f"call: {step.call}"] += 1
        if isinstance(step, Conclude):
            sim.world.seen[f"outcome: {step.outcome}"] += 1
            diagnosis = facts.attempts[-1].diagnosis
            if diagnosis and diagnosis.diagnosis.remedy:
                sim.world.seen[f"{step.outcome}: {diagnosis.diagnosis.remedy.kind}"] += 1
        if sim.verbose:
            sim.world.tell(self.name, f"-> {step}")

    def look(self) -> None:
        if self.busy:
            return
        self.busy = True
        signals = self.hands.eyes.telemetry.signals(self._simulation.world.clock.now_s)
        self._simulation.scheduler.spawn(self.name, self.loop.look({fingerprint_of(s) for s in signals}, deep=True), self._ended)

    def _ended(self, conclusion: str) -> None:
        self.busy = False
        if conclusion != "success":
            self._begin()


class Simulation:
    def __init__(self, seed: int, seen: Counter[str], *, verbose: bool = False) -> None:
        self.verbose = verbose
        self.last: tuple[Facts, Step] | None = None
        self.world = World(seed, random.Random(seed), seen)
        self.scheduler = Scheduler(self.world)
        self.checker = Checker(self.world)
        self.world.hub.workers = SimActions(self.world, self.scheduler, self.checker)
        self.people = People(self.world, self.checker)
        self.first, self.second = Worker("A", self), Worker("B", self)

    def run(self) -> None:
        for _ in range(ROUGH_TICKS):
            self._rough_tick()
        self._calm_down()
        self._settle()
        self.checker.at_rest()

    def _forget(self) -> None:
        self.last = None

    def _rough_tick(self) -> None:
        world = self.world
        world.clock.now_s += world.rng.choice((0.5, 2, 5, 5, 10, 20, 60, 200))
        world.run_due()
        self._nature()
        self.people.meddle()
        if not world.hit("nobody wakes the loop", 0.1):
            self.first.look()
        if world.hit("a second worker", 0.25):
            self.second.look()
        self.scheduler.run()

    def _nature(self) -> None:
        """What happens to the service by itself."""
        world, service = self.world, self.world.service
        now_s = world.clock.now_s
        if service.heard and world.hit("telemetry is gone", 0.03):
            service.heard = False
        elif not service.heard and world.rng.random() < 0.3:
            service.heard = True
        if not service.trickles and world.hit("hardly anybody asks", 0.04):
            service.trickles = True
        elif service.trickles and world.rng.random() < 0.05:
            service.trickles = False
        if service.hanging and world.hit("gets well by itself", 0.02):
            service.hanging = ""
        if service.health_at(now_s) is Health.HEALTHY and world.hit("breaks again", 0.06):
            if world.rng.random() < 0.7:
                world.hang(world.rng.choice(CARRIERS))
            else:
                world.land_bug()
        if service.health_at(now_s) is Health.UNHEALTHY and world.hit("something else breaks as well", 0.04):
            world.break_otherwise()
        service.changed(now_s)

    def _calm_down(self) -> None:
        world = self.world
        world.calm = True
        world.tell("nemesis", "calm")
        self.people.rest()
        world.service.heard, world.service.trickles = True, False
        world.service.changed(world.clock.now_s)
        world.main_moved()

    def _settle(self) -> None:
        """Leaps to what is due, and further and further while nothing changes."""
        world, leap_s, still_s = self.world, 5.0, 0.0
        for _ in range(CALM_PASSES):
            before = world.changes
            self.scheduler.run()
            world.clock.now_s += min([leap_s, *(max(1.0, d.at_s - world.clock.now_s) for d in world.due)])
            world.run_due()
            self._forget()
            self.first.look()
            self.scheduler.run()
            waits = self.last is None or isinstance(self.last[1], Wait)
            if world.changes != before or world.due or not waits:
                leap_s, still_s = 5.0 if world.changes != before else min(leap_s * 3, 1000.0), 0.0
                continue
            still_s += leap_s
            leap_s = min(leap_s * 3, 1000.0)
            if still_s >= REST_S and not self.people.rest():
                return
        raise world.fail(f"does not come to rest: {self.last[1] if self.last else 'nobody looked'}")


def simulate(seed: int, seen: Counter[str], *, verbose: bool = False) -> None:
    Simulation(seed, seen, verbose=verbose).run()
