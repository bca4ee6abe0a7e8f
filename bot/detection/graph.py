"""Who calls whom, bounded."""

from __future__ import annotations

from collections.abc import Set

MAX_EDGES = 20_000  # a service graph of a thousand services with twenty callees each


class CallGraph:
    """Edges client → server. Beyond MAX_EDGES new ones are dropped and counted in `dropped`."""

    def __init__(self) -> None:
        self._callees: dict[str, set[str]] = {}
        self._callers: dict[str, set[str]] = {}
        self._edges = 0
        self.dropped = 0

    def add(self, client: str, server: str) -> None:
        if client == server or server in self._callees.get(client, ()):
            return
        if self._edges >= MAX_EDGES:
            self.dropped += 1
            return
        self._edges += 1
        self._callees.setdefault(client, set()).add(server)
        self._callers.setdefault(server, set()).add(client)

    def callees(self, service: str) -> Set[str]:
        return self._callees.get(service, frozenset())

    def callers(self, service: str) -> Set[str]:
        return self._callers.get(service, frozenset())

    def __len__(self) -> int:
        return self._edges
