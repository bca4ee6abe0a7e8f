"""Who runs when: coroutines that pause at every call to GitHub, resumed in a seeded order, some of them much later."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.errors import Refused, Retry
from tests.sim.world import Crash, World

T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never really waits."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value


@dataclass
class Process:
    name: str
    coroutine: Coroutine[Any, Any, Any]
    ended: Callable[[str], None]
    asleep_until_s: float = 0.0


class Scheduler:
    def __init__(self, world: World) -> None:
        self._world = world
        self.processes: list[Process] = []
        self.stalling = ""  # who is put to sleep at its next call, by name

    def spawn(self, name: str, coroutine: Coroutine[Any, Any, Any], ended: Callable[[str], None] = lambda _: None) -> None:
        self.processes.append(Process(name, coroutine, ended))

    def run(self) -> None:
        """Until everybody has ended or sleeps. In calm weather nobody sleeps."""
        world = self._world
        while True:
            ready = [p for p in self.processes if world.calm or p.asleep_until_s <= world.clock.now_s]
            if not ready:
                return
            self._turn(ready[0] if len(ready) == 1 else world.rng.choice(ready), alone=len(ready) == 1)

    def _turn(self, process: Process, *, alone: bool) -> None:
        world = self._world
        while True:
            try:
                process.coroutine.send(None)
            except StopIteration:
                return self._end(process, "success")
            except Crash:
                world.tell(process.name, "dies")
                return self._end(process, "failure")
            except (Retry, Refused) as problem:
                world.tell(process.name, f"gives up: {problem}")
                return self._end(process, "failure")
            if world.calm:
                if not alone and world.rng.random() < 0.1:
                    return None
                continue
            if process.name == self.stalling or world.hit("a worker acts on old facts", 0.004):
                self.stalling = ""
                process.asleep_until_s = world.clock.now_s + world.rng.choice((1, 5, 30, 120, 400))
                return None
            if not alone and world.rng.random() < 0.1:
                return None

    def _end(self, process: Process, conclusion: str) -> None:
        self.processes.remove(process)
        process.coroutine.close()
        process.ended(conclusion)
