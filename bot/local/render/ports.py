"""A loopback port that nobody listens on right now."""

from __future__ import annotations

import socket


def free_port() -> int:
    """The kernel's choice. Somebody else may take it before it is used; the deploy fails then and says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
