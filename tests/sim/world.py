"""One simulated world: the repository, the service and its platform, the clock, the faults that may happen, and what has happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from bot.ensure import INCIDENT_LABEL, incident_of
from bot.forge import Issue
from bot.journal import IncidentRecord, Record
from bot.local.memory import Hub, MemoryForge, make_memory_forge
from bot.local.memory.hub import Tables
from bot.record import Keyring
from tests.sim import repository
from tests.sim.clock import SimClock
from tests.sim.service import Service

APP, OWNER = "sre-space[bot]", "olga"
THEMES: tuple[
    frozenset[str], ...
] = (  # what one world has much of: rare things meet more often there than in a world with a bit of everything
    frozenset(),
    frozenset({"gets well by itself", "breaks again", "the guardrail is late", "telemetry is gone"}),
    frozenset({"the check is red", "the check is green, whatever it should say", "the guardrail never runs", "a diagnosis is unsure"}),
    frozenset({"a diagnosis is unsure", "a diagnosis has no remedy", "a diagnosis never answers", "a remedy can't be built"}),
    frozenset({"a diagnosis names the wrong one", "a person pushes to main", "deploy fails", "deploy is slow"}),
    frozenset({"a person answers the pull", "a person closes the pull", "a person reopens the pull", "a person commands"}),
    frozenset({"a person toggles hold", "telemetry is gone", "a worker acts on old facts"}),
    frozenset({"hardly anybody asks", "a diagnosis names the wrong one"}),
    frozenset({"a second worker", "stale list", "a worker acts on old facts", "write lands but is not answered"}),
)
MORE = 8.0
LAG_S = 4.0  # how long a list may lag behind
POLICIES = repository.policies()


class Crash(BaseException):
    """The process died, before or after the write landed; nobody catches it."""


class Violation(BaseException):
    """The world is in a state that it must never be in; nobody catches it."""


@lru_cache(maxsize=20_000)
def _read(keyring: Keyring, text: str, number: int | None) -> tuple[Record, ...]:
    return Keyring.read(keyring, text, number)


class QuickKeyring(Keyring):
    """Reads every text once: most of the simulation is reading the same comments again."""

    def read(self, text: str, number: int | None) -> tuple[Record, ...]:
        return _read(self, text, number)


KEYRING = QuickKeyring(b"simulated", "acme/shop")


@dataclass
class Due:
    at_s: float
    what: Callable[[], None]
    name: str


@dataclass
class World:
    """Faults happen by `hit`, and only while `calm` is False."""

    seed: int
    rng: random.Random
    seen: Counter[str]
    clock: SimClock = field(default_factory=SimClock)
    calm: bool = False
    bot: str = APP
    due: list[Due] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    changes: int = 0
    held_since_s: dict[int, float] = field(default_factory=dict)
    closed_by_people: set[int] = field(default_factory=set)
    reopened_s: dict[int, float] = field(default_factory=dict)
    reopened_by_people: set[int] = field(default_factory=set)
    _older: tuple[float, Tables] | None = None

    def __post_init__(self) -> None:
        self.bot = OWNER if self.rng.random() < 0.3 else APP
        self.theme = self.rng.choice(THEMES)
        self.nature = self.rng.choice((0.3, 1.0, 1.0, 2.0))  # how rough this world is
        permissions = {OWNER: "admin", "mallory": "read", APP: "write"}
        forge = make_memory_forge(repository.files(), login=self.bot, permissions=permissions, clock=self.clock.now)
        self.hub: Hub = forge.hub
        self.hub.before_change = self._remember
        if self.rng.random() < 0.5:
            self.hub.required_checks = ("guardrail.yml",)
        if self.hit("a rule of the repository forbids to merge", 0.04):
            self.hub.required_checks = ("reviews.yml",)
        self.eye: MemoryForge = forge
        started = self.hub.git.branches["main"]
        self.service = Service(self.hub, POLICIES.objectives[0], started, self.clock.now_s)
        self.service.changed(self.clock.now_s)
        self.clock.now_s += 300
        self._begin_trouble()

    def _begin_trouble(self) -> None:
        if self.rng.random() < 0.6:
            self.hang(self.rng.choice(repository.CARRIERS))
        else:
            self.land_bug()

    def hang(self, carrier: str) -> None:
        self.service.hanging = carrier
        self.service.changed(self.clock.now_s)
        self.tell("trouble", f"{carrier} hangs")

    def land_bug(self) -> str:
        text = self.hub.git.at("main").tree[repository.RATES]
        sha = self.hub.push("main", {repository.RATES: text.replace(repository.GOOD_LINE, repository.BAD_LINE)}, "Use factors", OWNER)
        self.service.deploy(sha, self.clock.now_s)
        self.tell("trouble", "a bad release")
        return sha

    def break_otherwise(self) -> None:
        """Beside what is broken: a bad release where a carrier hangs, and the other way round."""
        if not self.service.hanging:
            self.hang(self.rng.choice(repository.CARRIERS))
        elif not repository.has_bug(self.hub.git.at("main").tree):
            self.land_bug()

    def _remember(self) -> None:
        self.changes += 1
        self._older = (self.clock.now_s, self.hub.tables.copy())

    def lists(self) -> Tables | None:
        """What a list may show instead of the present: the state before the last change, if that is not long ago."""
        if self._older is None or self.clock.now_s - self._older[0] > LAG_S:
            return None
        return self._older[1]

    def chance(self, name: str, p: float) -> float:
        return min(0.6, p * self.nature * (MORE if name in self.theme else 1.0))

    def hit(self, name: str, p: float) -> bool:
        if self.calm or self.rng.random() >= self.chance(name, p):
            return False
        self.seen[f"fault: {name}"] += 1
        self.tell("nemesis", name)
        return True

    def tell(self, who: str, what: str) -> None:
        self.history.append(f"{self.clock.now_s - 1_800_000_000:9.2f} {who}: {what}")

    def later(self, delay_s: float, name: str, what: Callable[[], None]) -> None:
        self.due.append(Due(self.clock.now_s + delay_s, what, name))

    def run_due(self) -> None:
        for one in sorted((d for d in self.due if d.at_s <= self.clock.now_s), key=lambda d: d.at_s):
            if one in self.due:
                self.due.remove(one)
                one.what()

    # --- the platform

    def main_moved(self) -> None:
        """Deploys the head of main after a while, or never."""
        if self.hit("deploy fails", 0.1):
            return
        delay_s = 700.0 + self.rng.random() * 500 if self.hit("deploy is slow", 0.1) else 5 + self.rng.random() * 40
        sha = self.hub.git.branches["main"]
        self.later(delay_s, "deploy", lambda: self._deploy(sha))

    def _deploy(self, sha: str) -> None:
        if self.service.commit in self.hub.git.ancestors(sha):  # an older deploy that is late does not win
            self.service.deploy(sha, self.clock.now_s)
            self.tell("platform", f"serves {sha[:7]}")

    # --- looking at it from outside

    def incidents(self) -> list[tuple[Issue, IncidentRecord]]:
        issues = sorted(self.hub.tables.issues.values(), key=lambda i: i.number)
        found = [(i, incident_of(i, KEYRING, self.bot)) for i in issues if INCIDENT_LABEL in i.labels and not i.is_pull]
        return [(i, r) for i, r in found if r is not None]

    def fail(self, why: str) -> Violation:
        return Violation(f"seed {self.seed}: {why}\n" + "\n".join(self.history[-60:]))
