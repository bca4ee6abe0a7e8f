"""Ports for processes that bind them later: nobody else gets them in the meantime."""

from __future__ import annotations

import socket

from bot.local.ports import HOST, OURS, free_port


def test_what_the_kernel_hands_out_is_never_chosen() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        assert other.getsockname()[1] not in OURS
    assert all(free_port() in OURS for _ in range(50))


def test_a_taken_port_is_not_given_out_again() -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind((HOST, port))
        assert free_port(port) != port
    assert free_port(port) == port
