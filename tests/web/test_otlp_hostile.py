"""Bytes made to mix requests up, or to be never at an end, over real connections."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.web.ingest import MAX_HELD_BYTES
from tests.web.otlp_door import CHUNKED, Door, answers, ask, export

SMUGGLED = export(b"smuggled")


@pytest.mark.parametrize(
    "headers",
    [
        ("Transfer-Encoding: chunked",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: identity, chunked",),
        ("Content-Length: 0",),
        ("Content-Length: 5, 5",),
        ("Content-Length: +0",),
        ("Content-Length: 0x0",),
        ("Content-Length:\t-1",),
        ("Content-Length : 0",),
        (" Content-Length: 0",),
        ("X: y\nContent-Length: 0",),
        ("X: y\r\n Content-Length: 0",),
        ("X: \0",),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_body_framed_in_two_ways_is_never_taken_for_a_request(door: Door, headers: tuple[str, ...], known: bool) -> None:
    """Whatever a proxy before us makes of it: what is inside a body is not answered, and the connection is not used again."""
    before = export(b"good") if known else b""
    told = [status for status, _ in ask(door, before + export(b"0\r\n\r\n" + SMUGGLED, *headers))]
    assert told in ([200] * known + [400], [200] * known + [200])
    assert b"smuggled" not in door.bodies()


@pytest.mark.parametrize("length", [b"-8", b"8 8", b"8,8", b"0x8", b"", b"8e0", b"\xb28", b"99999999999999999999", b"8\n", b"8\r"])
def test_a_known_head_with_another_length_than_a_number_is_refused(door: Door, length: bytes) -> None:
    bad = SMUGGLED.replace(b"Content-Length: 8", b"Content-Length: " + length)
    told = ask(door, export(b"good") + bad)
    assert [status for status, _ in told] in ([200, 400], [200, 413])
    assert door.bodies() == [b"good"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 1000,
        b"POST /v1/traces HTTP/3.7\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\n\n\n" + b"\xff" * 100,
    ],
)
def test_garbage_is_answered_with_400_and_the_next_connection_is_served(door: Door, data: bytes) -> None:
    assert [status for status, _ in ask(door, data)] in ([400], [])
    assert ask(door, export(b"spans"), 1) == [(200, b"")]


@pytest.mark.parametrize("piece", [b"X-%d: y\r\n", b"x%d", b"/%d"])
def test_a_head_without_end_is_cut_off(door: Door, piece: bytes) -> None:
    begin = {b"/": b"POST /v1/traces", b"x": b"GET / HTTP/1.1\r\nX: ", b"X": b"POST /v1/traces HTTP/1.1\r\n"}[piece[:1]]
    with door.connect() as connection:
        connection.sendall(begin)
        try:
            for _ in range(200):
                connection.sendall(b"".join(piece % i for i in range(1000)))
            assert answers(connection) in ([(431, b"")], []), "whoever reads on runs into the time-out of the connection"
        except ConnectionError:
            pass  # cut off while it was still sending


def test_a_trailer_without_end_is_cut_off(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(CHUNKED[: CHUNKED.index(b"Trailer")])
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            connection.sendall(b"X: y\r\n" * 5_000_000)
    assert door.bodies() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.sampled_from(
            (export(b"a"), export(b"bb"), CHUNKED, b"\r\n", b"Content-Length: 3", b"POST ", b"\0", b"5\r\n", b"GET / HTTP/1.1\r\n")
        ),
        max_size=6,
    ),
    flip=st.integers(0, 5000),
)
def test_no_bytes_whatever_break_the_server_or_leave_room_taken(door: Door, pieces: list[bytes], flip: int) -> None:
    data = bytearray(b"".join(pieces) or b"x")
    data[flip % len(data)] ^= flip % 251
    told = ask(door, bytes(data))
    assert {status for status, _ in told} <= {200, 400, 404, 405, 411, 413, 415, 421, 431}
    assert ask(door, export(b"spans"), 1) == [(200, b"")]
    assert door.front.reserve(MAX_HELD_BYTES), "all room is free again"
    door.front.release(MAX_HELD_BYTES)
