"""Concurrency groups as on GitHub: one holder runs, one waits, an older waiting one is cancelled by a newer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Ticket:
    """A place in a group; `ready` becomes True to run and False when a newer one took the place."""

    group: str
    cancel: Callable[[], None]
    ready: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ConcurrencyGroups:
    def __init__(self) -> None:
        self._running: dict[str, Ticket] = {}
        self._waiting: dict[str, Ticket] = {}

    def enter(self, group: str, *, cancel_in_progress: bool, cancel: Callable[[], None]) -> Ticket:
        """Takes a place; await the ticket's `ready`, and `leave` in any case. `cancel` is called if a newer one wants us gone."""
        ticket = Ticket(group.lower(), cancel)
        running = self._running.get(ticket.group)
        if running is None:
            self._running[ticket.group] = ticket
            ticket.ready.set_result(True)
            return ticket
        older = self._waiting.get(ticket.group)
        if older is not None and not older.ready.done():
            older.ready.set_result(False)
        self._waiting[ticket.group] = ticket
        if cancel_in_progress:
            running.cancel()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Gives the place back and lets the waiting one run."""
        if self._waiting.get(ticket.group) is ticket:
            del self._waiting[ticket.group]
        if self._running.get(ticket.group) is not ticket:
            return
        del self._running[ticket.group]
        following = self._waiting.pop(ticket.group, None)
        if following is not None:
            self._running[ticket.group] = following
            if not following.ready.done():  # done only when its task is being cancelled, which leaves by itself
                following.ready.set_result(True)
