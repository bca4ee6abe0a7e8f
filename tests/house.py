"""A house: services whose spans go to Scout, and the loop over a small GitHub, on a simulated clock. The process can be started anew."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace

from bot.adapters.bus import MemoryBus
from bot.agents.scout import Scout
from bot.chronicle import Chronicle
from bot.ensure import incidents
from bot.forge import Issue
from bot.journal import IncidentRecord
from bot.local.memory import MemoryForge, make_memory_forge
from bot.loop import Loop, Pace
from bot.model import Objective
from bot.observe import Eyes, fingerprint_of
from bot.perform import Hands
from bot.policy.maintenance import Window
from bot.policy.schema import Detection, Policies
from bot.record import Keyring
from bot.texts import Links
from tests.sim.repository import files
from tests.telemetry.world import BUY, ENGINE, FRONT, GATE, OFFERS, PRICE, Heard, SimulatedClock, System, objective, policies

BOT = "sre-space[bot]"
KEYRING = Keyring(b"key", "acme/shop")
THREE = (objective(FRONT, BUY), objective(ENGINE, PRICE), objective(GATE, OFFERS))


@dataclass
class House:
    """A system whose spans go to Scout, and the loop over a small GitHub."""

    objectives: tuple[Objective, ...] = THREE
    windows: tuple[Window, ...] = ()
    detection: Detection = field(default_factory=Detection)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    heard: Heard = field(default_factory=Heard)
    system: System = field(default_factory=lambda: System(random.Random(4)))

    def __post_init__(self) -> None:
        self.forge: MemoryForge = make_memory_forge(files(), login=BOT, permissions={"ann": "write"}, clock=self.clock.now)
        self.start()

    def start(self) -> None:
        """The process, which remembers nothing of the one before it."""
        shop: Policies = replace(policies(*self.objectives), maintenance=self.windows, detection=self.detection)
        self.scout = Scout(shop, self.clock, self.heard)
        eyes = Eyes(self.forge, self.scout, KEYRING, shop, BOT)
        links = Links("https://github.com", "acme/shop")
        hands = Hands(eyes, self.forge, self.clock, self.heard, Chronicle(KEYRING, BOT), links)
        self.loop = Loop(hands, Pace(0.5, 0.5, 20.0), None, MemoryBus())

    def listen(self, seconds: float, step_s: float = 1.0) -> set[str]:
        """Spans arrive and Scout looks; the fingerprints of what is broken in the end."""
        broken: set[str] = set()
        for _ in range(round(seconds / step_s)):
            self.clock.now_s += step_s
            batch = []
            while self.system.arrivals and self.system.arrivals[0][0] <= self.clock.now_s:
                batch.append(heapq.heappop(self.system.arrivals)[2])
            self.scout.observe(batch)
            self.also(self.clock.now_s)
            broken = {fingerprint_of(s) for s in self.scout.signals(self.clock.now_s)}
        return broken

    def also(self, now_s: float) -> None:
        """What else arrives at this moment, beside spans."""

    async def run(self, seconds: float, step_s: float = 0.5) -> None:
        """Spans arrive and the loop looks, every `step_s`."""
        for _ in range(round(seconds / step_s)):
            await self.loop.look(self.listen(step_s, step_s), deep=False)

    async def open(self) -> list[tuple[Issue, IncidentRecord]]:
        return await incidents(self.forge, KEYRING, BOT)

    async def comments(self, number: int) -> str:
        return "\n".join(comment.body for comment in await self.forge.comments(number))

    def said(self, words: str) -> list[str]:
        return [text for text in self.heard.texts if words in text]
