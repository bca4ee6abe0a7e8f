"""GitHub as one process sees it in a rough world: lists lag, calls fail, writes land without an answer, the process dies around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from bot.errors import Retry
from bot.local.memory import MemoryForge
from bot.ports import Forge
from tests.sim.checker import Checker
from tests.sim.clock import pause
from tests.sim.service import SimTelemetry
from tests.sim.world import Crash, World

LISTS = frozenset({"issues", "comments", "pulls", "recent_pulls", "runs"})
WRITES = frozenset(
    {"create_issue", "update_issue", "add_labels", "remove_label", "create_comment", "update_comment", "delete_comment", "react"}
    | {"create_commit", "create_branch", "create_pull", "update_pull", "merge", "dispatch", "rerun"}
)
READ_S, WRITE_S = 0.02, 0.2


class RoughForge:
    """Every method of the Forge port, through `_call`. Before each call somebody else may go first."""

    def __init__(self, world: World, name: str, telemetry: SimTelemetry, checker: Checker) -> None:
        self._world = world
        self._name = name
        self._telemetry = telemetry
        self._checker = checker
        self._inner = MemoryForge(world.hub, world.bot)
        self.calls: list[str] = []

    @property
    def repository(self) -> str:
        return self._inner.repository

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        kind = self._write if name in WRITES else self._read

        async def call(*args: Any, **options: Any) -> Any:
            await pause()
            self._telemetry.calls += 1
            return await kind(name, args, options)

        setattr(self, name, call)
        return call

    async def _read(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        world = self._world
        world.clock.now_s += READ_S
        forge = self._inner
        if not world.calm:
            if world.hit("GitHub does not answer a read", 0.002):
                raise Retry("GitHub did not answer", 5.0)
            if name in LISTS and (older := world.lists()) is not None and world.hit("stale list", 0.15):
                forge = forge.with_lists(older)
        self._checker.read(self._name, name, args)
        return await getattr(forge, name)(*args, **options)

    async def _write(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        world = self._world
        world.clock.now_s += WRITE_S
        if world.hit("crash before a write", 0.02):
            raise Crash
        if world.hit("GitHub refuses a write for now", 0.01):
            raise Retry("GitHub answered 502", 5.0)
        self._checker.before(self._name, name, args, options, self._telemetry)
        result = await getattr(self._inner, name)(*args, **options)
        world.changes += 1
        world.tell(self._name, f"{name} {_short(args)} {_short(tuple(options.values()))}")
        self._checker.after(self._name, name, args, options, self._telemetry)
        if name == "merge":
            world.main_moved()
        if world.hit("crash after a write", 0.02):
            raise Crash
        if world.hit("write lands but is not answered", 0.01):
            raise Retry("GitHub did not answer in time", 5.0)
        return result


def rough_forge(world: World, name: str, telemetry: SimTelemetry, checker: Checker) -> Forge:
    return cast(Forge, RoughForge(world, name, telemetry, checker))


def _short(values: tuple[Any, ...]) -> str:
    return " ".join(str(v)[:60].replace("\n", " ") for v in values)
