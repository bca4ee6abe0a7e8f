"""Loopback ports for processes that bind them themselves, some of them again and again."""

from __future__ import annotations

import secrets
import socket

HOST = "127.0.0.1"
# Below what Linux (from 32768 on) and macOS (from 49152 on) hand out by themselves: a port from there may be given to any outgoing
# connection, or to the next one who asks, before its process has bound it, or while that process is being started again.
OURS = range(20_000, 32_000)
TRIES = 100


def free_port(preferred: int = 0) -> int:
    """`preferred` unless it is 0 or taken, else one of OURS that is free now. Raises OSError when there is none."""
    candidates = [OURS[secrets.randbelow(len(OURS))] for _ in range(TRIES)]
    for port in [preferred, *candidates] if preferred else candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {HOST} between {OURS.start} and {OURS.stop}")
