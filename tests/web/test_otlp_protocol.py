"""Export requests over real connections: plain ones take the short way, all others uvicorn's, and no bytes whatever mix them up."""

from __future__ import annotations

import gzip
import socket
import time

import pytest

from bot.web import otlp_protocol
from bot.web.ingest import MAX_BODY_BYTES, MAX_HELD_BYTES
from bot.web.otlp_head import parse_head
from tests.web.otlp_door import CHUNKED, PATIENCE_S, Door, answers, ask, export
from tests.web.web_world import World


def test_plain_requests_of_one_connection_are_answered_without_the_application(door: Door) -> None:
    packed = gzip.compress(b"packed", mtime=0)
    with door.connect() as connection:
        for data in (export(b"first"), export(b"the second"), export(packed, "Content-Encoding: gzip"), export(b"again")):
            connection.sendall(data)
            assert answers(connection, 1) == [(200, b"")]
    assert door.bodies() == [b"first", b"the second", b"packed", b"again"]
    assert door.app.asked == 0


def test_an_answer_has_a_date_and_leaves_the_connection_open(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(export(b"one"))
        head = connection.recv(4096).lower()
    assert head.startswith(b"http/1.1 200 ok\r\n") and b"\r\ndate: " in head and b"\r\ncontent-length: 0\r\n" in head
    assert b"connection:" not in head and head.count(b"\r\ndate:") == 1 and b"\r\nx-content-type-options: nosniff\r\n" in head


def test_a_request_may_come_in_pieces_however_it_is_cut(door: Door) -> None:
    whole = export(b"0123456789" * 3)
    with door.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(whole), 3):
            connection.sendall(whole[:cut])
            time.sleep(0.001)
            connection.sendall(whole[cut:])
            assert answers(connection, 1) == [(200, b"")]
    assert door.bodies() == [b"0123456789" * 3] * len(range(1, len(whole), 3))


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    slow = b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    told = ask(door, export(b"one") + export(b"two") + slow + export(b"three") + health + export(b"four"), 6)
    assert [status for status, _ in told] == [200] * 6
    assert told[2][1] == b"slow" and b"rss_mib" in told[4][1]
    assert door.bodies() == [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED,
        export(b"spans", "content-LENGTH: 5").replace(b"Content-Length: 5\r\n", b""),
        export(b"spans").replace(b"Content-Length: 5", b"Content-Length:  5 "),
        export(b"spans").replace(b"Content-Length: 5", b"Content-Length: 005"),
        export(b"spans", "Connection: keep-alive"),
        export(b"spans", "Connection: close"),
        export(b"spans", "X-More: " + "x" * 10_000),
        export(b"spans", version="1.0"),
        b"\r\n" + export(b"spans"),
    ],
)
def test_whatever_http_allows_is_taken(door: Door, data: bytes) -> None:
    with door.connect() as connection:
        connection.sendall(data)
        assert answers(connection, 1) == [(200, b"")]
    assert door.bodies() == [b"spans"]


def test_who_expects_to_be_told_to_continue_is_told(door: Door) -> None:
    head, _, body = export(b"spans", "Expect: 100-continue").partition(b"\r\n\r\n")
    with door.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert answers(connection, 1) == [(100, b"")]
        connection.sendall(body)
        assert answers(connection, 1) == [(200, b"")]


def test_what_is_large_or_unfolds_to_much_goes_the_long_way(door: Door) -> None:
    most = door.world.spans.at_once_bytes
    unfolds = gzip.compress(b"\0" * (most + 1), mtime=0)
    large = b"x" * (otlp_protocol.SMALL_BODY_BYTES + 1)
    assert [status for status, _ in ask(door, export(unfolds, "Content-Encoding: gzip") + export(large) + export(b"plain"), 3)] == [200] * 3
    assert [len(body) for body in door.bodies()] == [most + 1, len(large), 5]
    assert door.app.asked >= 2
    assert [status for status, _ in ask(door, export(b"x" * (MAX_BODY_BYTES + 1))[:5000])] == [413]


def test_what_is_refused_is_told_and_counted_once(door: Door) -> None:
    before = door.world.parts.counters.get("requests_refused", "/v1/traces 415")
    wrong = export(b"spans").replace(b"application/x-protobuf", b"text/plain")
    assert [status for status, _ in ask(door, wrong + export(b"spans") + wrong, 3)] == [415, 200, 415]
    assert door.world.parts.counters.get("requests_refused", "/v1/traces 415") == before + 2
    damaged = export(b"no gzip", "Content-Encoding: gzip")
    assert [status for status, _ in ask(door, damaged + export(b"GARBAGE") + export(b"fine"), 3)] == [400, 400, 200]


def test_only_the_digits_of_the_length_may_differ_from_a_head_that_was_admitted() -> None:
    """A known token does not let the next request of the connection in without it."""
    with Door(World({"SRE_INGEST_TOKEN": "sesame"})).open() as door:
        good = export(b"spans", "Authorization: Bearer sesame")
        others = (good.replace(b"sesame", b"sesamo"), good.replace(b"Bearer sesame", b""), good.replace(b"/v1/traces", b"/v1/tracks"))
        for other in others:
            assert [status for status, _ in ask(door, good + other, 2)][1] in (401, 404)
        assert door.bodies() == [b"spans"] * len(others)


def drip(connection: socket.socket) -> None:
    """A byte now and then, for a second."""
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.01)


def test_slow_senders_are_waited_for_only_so_long() -> None:
    with Door(World(), read_timeout_s=0.15, timeout_keep_alive=0.05).open() as door:
        whole = export(b"spans")
        with door.connect() as silent, door.connect() as half_head, door.connect() as half_body, door.connect() as idle:
            half_head.sendall(whole[:20])
            half_body.sendall(whole[:-2])
            idle.sendall(whole)
            assert [status for status, _ in answers(idle)] == [200]
            with pytest.raises(OSError, match=r"reset|pipe"):
                drip(half_head)
            assert answers(silent) == []
            assert [status for status, _ in answers(half_body)] == [408]
        assert door.front.reserve(MAX_HELD_BYTES)


def test_who_leaves_half_way_leaves_nothing_behind(door: Door) -> None:
    for _ in range(20):
        with door.connect() as connection:
            connection.sendall(export(b"x" * 200_000)[:100_000])
    assert ask(door, export(b"spans"), 1) == [(200, b"")]
    deadline_s = time.monotonic() + PATIENCE_S
    while not door.front.reserve(MAX_HELD_BYTES):
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    door.front.release(MAX_HELD_BYTES)
    assert door.bodies() == [b"spans"]


def test_without_room_a_sender_is_asked_to_come_again(door: Door) -> None:
    assert door.front.reserve(MAX_HELD_BYTES - 10)
    try:
        with door.connect() as connection:
            connection.sendall(export(b"x" * 100_000)[:50_000])
            assert [status for status, _ in answers(connection)] == [503]
    finally:
        door.front.release(MAX_HELD_BYTES - 10)


def test_a_failure_inside_is_answered_and_the_server_lives_on(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(body: bytes, content_type: str) -> tuple[int, int, str]:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(door.world.spans, "accept", fail)
        assert [status for status, _ in ask(door, export(b"spans") + export(b"never"))] == [500]
        assert [status for status, _ in ask(door, CHUNKED)] == [500]
    assert ask(door, export(b"spans"), 1) == [(200, b"")]


def test_beyond_the_limit_of_connections_a_sender_is_asked_to_come_again() -> None:
    with Door(World(), limit_concurrency=2).open() as door:
        with door.connect() as first:
            first.sendall(export(b"spans"))
            assert answers(first, 1) == [(200, b"")]
            assert [status for status, _ in ask(door, export(b"more"), 1)] == [503]
            first.close()
        time.sleep(0.05)
        assert ask(door, export(b"spans"), 1) == [(200, b"")]


def test_a_server_that_stops_finishes_what_has_begun() -> None:
    with Door(World()).open() as door:
        whole = export(b"spans" * 1000)
        with door.connect() as half, door.connect() as idle:
            idle.sendall(export(b"idle"))
            assert answers(idle, 1) == [(200, b"")]
            half.sendall(whole[:-5])
            time.sleep(0.05)
            door.server.should_exit = True
            assert answers(idle) == []
            half.sendall(whole[-5:])
            assert answers(half) == [(200, b"")]
    assert door.bodies() == [b"idle", b"spans" * 1000]


@pytest.mark.parametrize("cut", [b"\r\n\r\n", b"\n\n", b"\r\n \r\n"])
def test_a_head_is_known_only_when_its_end_is_certain(cut: bytes) -> None:
    plain = export(b"")[:-4]
    assert (parse_head(plain.replace(b"Content-Length: 0", b"Content-Length: 7") + cut + b"1234567\r\n\r\n") is not None) == (
        cut == b"\r\n\r\n"
    )
