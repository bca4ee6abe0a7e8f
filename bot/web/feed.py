"""The feed of thoughts: a bounded ring that any number of readers follow by id, each at its own pace."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bot.model import Event

RING_EVENTS = 1_000


@dataclass(frozen=True)
class Backlog:
    """What a reader has not seen. `gap`: something between its last id and `events` is no longer known."""

    events: tuple[Event, ...]
    gap: bool


class Feed:
    """An EventSink that keeps the last `ring` events and wakes its readers.

    `first_id` should grow from one process to the next (Unix milliseconds at the start, say): then an id that a reader brings
    from an earlier process is never mistaken for one of ours. Readers hold a position in the ring and no queue of their own, so a
    slow one costs nothing and blocks nobody. `say` may be called from any thread.
    """

    def __init__(self, *, ring: int = RING_EVENTS, first_id: int = 1) -> None:
        if ring < 1 or first_id < 1:
            raise ValueError("ring and first_id must be at least 1")
        self._ring: deque[Event] = deque(maxlen=ring)
        self._first_id = first_id
        self._next_id = first_id
        self._wakers: set[Callable[[], None]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def say(self, event: Event) -> None:
        """Gives the event the next id and shows it to everybody who follows."""
        with self._lock:
            self._ring.append(replace(event, id=self._next_id))
            self._next_id += 1
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def since(self, after: int) -> Backlog:
        """Events with an id above `after`, oldest first. 0: the reader has seen nothing, so nothing can be missing for it."""
        with self._lock:
            events = tuple(self._ring)
            next_id = self._next_id
        if after == 0:
            return Backlog(events, gap=False)
        oldest = next_id - len(events)
        if oldest - 1 <= after < next_id:
            return Backlog(events[after + 1 - oldest :], gap=False)
        return Backlog(events, gap=True)

    @contextmanager
    def follow(self) -> Iterator[asyncio.Event]:
        """Within it, the given flag is set whenever something may be new (or the feed has closed). Needs a running loop."""
        loop = asyncio.get_running_loop()
        flag = asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(flag.set)

        with self._lock:
            self._wakers.add(wake)
        try:
            yield flag
        finally:
            with self._lock:
                self._wakers.discard(wake)

    @property
    def followers(self) -> int:
        return len(self._wakers)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Ends every stream, so that a stopping server need not wait for its readers."""
        with self._lock:
            self._closed = True
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()
