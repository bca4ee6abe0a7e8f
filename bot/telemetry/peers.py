"""Who a client span's peer really is: learned from traces that hold both the call and the callee's server span."""

from __future__ import annotations

from bot.telemetry import limits
from bot.telemetry.span import Span

Address = tuple[str, str, str, int | None]  # caller, peer.service, server.address, server.port


class Peers:
    """(caller, what it calls its peer) → the callee's service.name, of the most recent trace that showed it. Oldest go first."""

    def __init__(self) -> None:
        self._callee: dict[Address, str] = {}

    def learn(self, client: Span, server: Span) -> None:
        address = _address(client)
        if not any(address[1:]):
            return
        self._callee.pop(address, None)
        self._callee[address] = server.service
        if len(self._callee) > limits.PEERS:
            del self._callee[next(iter(self._callee))]

    def name(self, client: Span) -> str:
        """The callee's service.name when a trace ever showed it, else peer.service, else host:port, else ""."""
        return self._callee.get(_address(client)) or client.peer_name


def _address(client: Span) -> Address:
    return client.service, client.peer_service, client.server_address, client.server_port
