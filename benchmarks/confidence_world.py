"""A made-up system shortly after something happened to it: what a story of an incident changes, before it is turned into a case.

A system is a front, one to three services in a row behind it, and third parties behind the last one. Names, figures, numbers of calls,
other people's commits and the noise in all of it come from the seed. Nothing here knows how Brain reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from bot.diagnosis.case import Change
from bot.evidence import ConfigChange, DeployMark, ErrorGroup, LogGroup
from bot.forge import ChangedFile, Commit
from bot.model import SignalKind

START_S = 1_700_000_000.0
LINES = 200  # of every file
HARMLESS_SWITCH = 0.2  # of the incidents


@dataclass
class World:
    """One system shortly after something happened; the story of a family changes it before it is turned into a case."""

    rng: Random
    chain: list[str]  # services, the front first
    parties: list[str]  # called by the last service
    first_bad_s: float
    kind: SignalKind = SignalKind.LATENCY
    slow: dict[str, float] = field(default_factory=dict)  # service or third party → times as long as usual, by itself
    failing: dict[tuple[str, str], float] = field(default_factory=dict)  # edge → share of calls
    errors: list[ErrorGroup] = field(default_factory=list)
    deploys: list[DeployMark] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    settings: list[ConfigChange] = field(default_factory=list)
    traffic: float = 1.0
    repeated: dict[tuple[str, str], int] = field(default_factory=dict)  # edge → calls of each request, one after the other
    slow_step: dict[str, float] = field(default_factory=dict)  # name of a part → times as long as usual
    gauge: str = "pool.in_use"
    operation: str = "GET /"
    concerns: str = ""  # the service that the signal is about; "" the front
    logs: list[LogGroup] = field(default_factory=list)
    steps: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)  # service → names and shares of parts that have spans

    def word(self) -> str:
        return "".join(self.rng.choice("bdfglmnprstv") + self.rng.choice("aeiou") for _ in range(3))

    def edges(self) -> list[tuple[str, str]]:
        last = self.chain[-1]
        return [*zip(self.chain, self.chain[1:], strict=False), *((last, party) for party in self.parties)]

    def times_asked(self, edge: tuple[str, str]) -> int:
        """Calls of one edge for each request, now."""
        return self.repeated.get(edge, 1)

    def path(self, service: str, name: str = "main") -> str:
        return f"src/{service}/{name}.py"

    def deploy(self, ago_s: float, *changes: Change) -> None:
        """All services are deployed together, so many seconds before the first bad request, with these commits."""
        commit = changes[-1].commit.sha
        marks = [
            DeployMark(f"d{len(self.deploys) + i}", service, commit, f"{self.rng.getrandbits(160):040x}", self.first_bad_s - ago_s)
            for i, service in enumerate(self.chain, 1)
        ]
        self.deploys += marks
        self.changes += [replace(change, deploys=tuple(mark.id for mark in marks)) for change in changes]

    def commit(self, service: str, name: str = "main", lines: tuple[int, int] | None = None, text: str = "new") -> Change:
        """A commit that rewrites some lines of one file of a service."""
        somewhere = self.rng.randrange(1, LINES)
        first, last = lines or (somewhere, somewhere + self.rng.randrange(6))
        count, path = last - first + 1, self.path(service, name)
        patch = f"@@ -{first},{count} +{first},{count} @@\n" + "\n".join(["-old"] * count + [f"+{text}"] * count)
        made = Commit(f"{self.rng.getrandbits(160):040x}", "Change", "dev", "Dev", START_S - 3600, ("0" * 40,))
        touched = ChangedFile(path, "modified", count, count, patch=patch)
        return Change(replace(made, files=(touched,)), (), (service,), (service,) if name == "manifest" else ())

    def others(self, most: int = 4) -> list[Change]:
        """What other people changed meanwhile; it breaks nothing."""
        return [
            self.commit(self.rng.choice(self.chain), self.rng.choice(("main", "page", "text"))) for _ in range(self.rng.randint(0, most))
        ]

    def raises(self, service: str, path: str, line: int, count: int, before: int = 0, late_s: float = 0.0) -> None:
        """A new kind of exception, `late_s` after the first bad request, in requests that this service answers."""
        frames = (f"{self.path(service, 'api')}:serve:20", f"{path}:work:{line}", "/usr/lib/python3/x.py:get:3")
        commit = self.deploys[-1].commit if self.deploys else ""
        name, first_s = f"x{len(self.errors) + 1}", self.first_bad_s + late_s
        self.errors.append(ErrorGroup(name, service, "GET /", self.word(), "", frames, count, before, first_s, commit))


def release(w: World, guilty: Change) -> None:
    """The guilty commit goes out with others, right before it gets bad; sometimes more is released after it."""
    w.deploy(w.rng.uniform(0, 90), *w.others(3), guilty, *w.others(2))


def breaks(w: World, service: str, path: str, line: int) -> None:
    """A service raises; everybody before it hands the failure on."""
    w.kind, share = SignalKind.ERRORS, w.rng.uniform(0.1, 1.0)
    for caller, callee in zip(w.chain, w.chain[1:], strict=False):
        if w.chain.index(callee) <= w.chain.index(service):
            w.failing[caller, callee] = share
    w.raises(service, path, line, max(5, round(100 * share)), late_s=w.rng.uniform(0, 2))


def switch_something(w: World) -> None:
    """In some systems somebody switches a setting now and then, without harm."""
    if w.rng.random() < HARMLESS_SWITCH:
        at_s = w.first_bad_s - w.rng.uniform(0, 1700)
        w.settings.append(ConfigChange(f"c{len(w.settings) + 1}", w.rng.choice(w.chain), w.word(), "a", "b", at_s))
