"""Loopback ports for processes that bind them themselves, some of them again and again."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

HOST = "127.0.0.1"
# Below what Linux (from 32768 on) and macOS (from 49152 on) hand out by themselves: a port from there may be given to any outgoing
# connection, or to the next one who asks, before its process has bound it, or while that process is being started again.
OURS = range(20_000, 32_000)
TRIES = 100


def free_port(preferred: int = 0) -> int:
    """`preferred` unless it is 0 or taken, else one of OURS that is free now. Raises OSError when there is none."""
    for port in _candidates(preferred):
        if _is_free(port):
            return port
    raise _nothing_free()


@dataclass(frozen=True)
class Claim:
    """A port that nobody else claims until it is released, or this process ends."""

    port: int
    _guard: socket.socket

    def release(self) -> None:
        self._guard.close()


def claim_port(preferred: int = 0) -> Claim:
    """As `free_port`, for a port that two demos may want at the same moment, some time before a process of theirs binds it.

    What is claimed is UDP's port of that number: TCP's stays free for the process, and UDP has no connections that linger.
    """
    for port in _candidates(preferred):
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with suppress(OSError):
            guard.bind((HOST, port))
            if _is_free(port):
                return Claim(port, guard)
        guard.close()
    raise _nothing_free()


def _candidates(preferred: int) -> Iterator[int]:
    if preferred:
        yield preferred
    for _ in range(TRIES):
        yield OURS[secrets.randbelow(len(OURS))]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _nothing_free() -> OSError:
    return OSError(f"no free port on {HOST} between {OURS.start} and {OURS.stop}")
