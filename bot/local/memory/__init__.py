"""GitHub in memory: one repository with its commits, issues, pull requests and workflow runs, as quick as a dictionary.

Speaks the Forge port without HTTP, for simulations and quick tests. What GitHub refuses, it refuses the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bot.local.memory.forge import MemoryForge
from bot.local.memory.hub import Hub, Idle, User, Workers

__all__ = ["Hub", "Idle", "MemoryForge", "User", "Workers", "make_memory_forge"]


def make_memory_forge(
    files: Mapping[str, str] | None = None,
    *,
    repository: str = "acme/shop",
    login: str = "sre-space[bot]",
    permissions: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    workers: Workers | None = None,
) -> MemoryForge:
    """A forge on a fresh repository whose `main` holds `files` in one commit, as `login` sees it.

    `permissions`: further accounts (login → admin | write | read). `forge.as_user(login)` is the same repository seen by another one.
    """
    hub = Hub(repository=repository, clock=clock, workers=workers or Idle())
    for name, permission in {login: "write", **(permissions or {})}.items():
        hub.users[name] = User(name, permission)
    hub.push("main", files or {"README.md": "# shop\n"}, "Begin", login)
    return MemoryForge(hub, login)
