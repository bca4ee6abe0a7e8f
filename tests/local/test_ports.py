"""Ports for processes that bind them later: nobody else gets them in the meantime."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from bot.local.ports import HOST, OURS, claim_port, free_port
from bot.local.server import bind
from bot.local.world import World, WorldSettings

LINUX_FROM, MACOS_FROM = 32_768, 49_152  # where their kernels begin to hand out ports, unless somebody set it otherwise


def test_what_the_kernel_hands_out_by_itself_is_never_chosen() -> None:
    assert OURS.start >= 1_024 and max(OURS) < min(LINUX_FROM, MACOS_FROM)
    assert all(free_port() in OURS for _ in range(50))


def test_a_taken_port_is_not_given_out_again() -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind((HOST, port))
        assert free_port(port) != port
    assert free_port(port) == port


def test_a_claimed_port_is_nobody_elses_until_it_is_released_though_nobody_has_bound_it() -> None:
    first = claim_port()
    second = claim_port(first.port)
    assert second.port != first.port
    with socket.socket() as server:
        server.bind((HOST, first.port))  # as the process that it is for
    first.release()
    second.release()
    third = claim_port(first.port)
    assert third.port == first.port
    third.release()


def test_two_worlds_never_promise_the_same_control_plane(tmp_path: Path) -> None:
    async def story() -> None:
        first = World(WorldSettings(tmp_path / "first", port=0, github_port=0))
        second = World(WorldSettings(tmp_path / "second", port=int(first.url.rpartition(":")[2]), github_port=0))
        try:
            assert first.url != second.url
        finally:
            for world in (first, second):
                await world.stop()
                await world._github_server.stop()  # which `start` would have pushed upon what `stop` undoes

    asyncio.run(story())


def test_a_port_that_somebody_listens_on_cannot_be_claimed() -> None:
    with bind(0) as server:
        taken = server.getsockname()[1]
        claim = claim_port(taken)
        assert claim.port != taken
        claim.release()


def test_two_demos_that_want_one_port_at_the_same_moment_get_two() -> None:
    with bind(0) as first, bind(first.getsockname()[1]) as second:
        assert first.getsockname() != second.getsockname()
