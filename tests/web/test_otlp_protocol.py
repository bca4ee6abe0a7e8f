"""Export requests over real connections: plain ones take the short way, all others uvicorn's, and no bytes whatever mix them up."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from bot.web import otlp_protocol
from bot.web.ingest import MAX_BODY_BYTES, MAX_HELD_BYTES, Front
from bot.web.otlp_asgi import OtlpApp
from bot.web.otlp_head import parse_head
from bot.web.otlp_protocol import protocol_for
from tests.web.web_world import World

PATIENCE_S = 5.0


class Counting(OtlpApp):
    """The application, counting the requests that reach it. `GET /slow` waits until it is let go."""

    asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked += 1
            if scope["path"] == "/slow":
                await asyncio.sleep(0.1)
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
                await send({"type": "http.response.body", "body": b"slow"})
                return
        await super().__call__(scope, receive, send)


class Door:
    """A server on loopback with a real front; raw bytes in, raw bytes out."""

    def __init__(self, world: World, read_timeout_s: float = PATIENCE_S, **config: float) -> None:
        self.world = world
        self.front = Front(world.parts)
        self.app = Counting(world.app, self.front, read_timeout_s)
        self.listener = socket.create_server(("127.0.0.1", 0))
        protocol = protocol_for(self.front, read_timeout_s)
        self.server = uvicorn.Server(
            uvicorn.Config(self.app, http=protocol, log_level="critical", timeout_graceful_shutdown=2, **config)  # type: ignore[arg-type]
        )

    @contextmanager
    def open(self) -> Iterator[Door]:
        thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        thread.start()
        while not self.server.started and thread.is_alive():
            time.sleep(0.002)
        try:
            yield self
        finally:
            self.server.should_exit = True
            thread.join(5)
            self.listener.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), PATIENCE_S)

    def bodies(self) -> list[bytes]:
        return [body for body, _ in self.world.spans.bodies]


def export(body: bytes, *headers: str, path: str = "/v1/traces", version: str = "1.1") -> bytes:
    lines = (f"POST {path} HTTP/{version}", "Host: 127.0.0.1", "Content-Type: application/x-protobuf", *headers)
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


def answers(connection: socket.socket, count: int = 0) -> list[tuple[int, bytes]]:
    """(status, body) of the next `count` answers; with 0 of all until the server closes."""
    found: list[tuple[int, bytes]] = []
    data = b""
    while not count or len(found) < count:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        informational = head.startswith(b"HTTP/1.1 1")
        if end and (informational or (length and len(rest) >= int(length[1]))):
            size = 0 if informational or not length else int(length[1])
            found.append((int(head[9:12]), rest[:size]))
            data = rest[size:]
            continue
        try:
            more = connection.recv(65536)
        except ConnectionResetError:  # it closed without reading all that came
            more = b""
        if not more:
            assert not count, f"closed after {found}, with {data!r}"
            return found
        data += more
    assert not data
    return found


def ask(door: Door, data: bytes, count: int = 0) -> list[tuple[int, bytes]]:
    with door.connect() as connection:
        connection.sendall(data)
        if not count:
            connection.shutdown(socket.SHUT_WR)
        return answers(connection, count)


@pytest.fixture(scope="module")
def shared() -> Iterator[Door]:
    with Door(World()).open() as door:
        yield door


@pytest.fixture
def door(shared: Door) -> Door:
    """The server of the module with nothing taken yet."""
    shared.world.spans.bodies.clear()
    shared.app.asked = 0
    return shared


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


CHUNKED = (
    b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nspa\r\n2;x=y\r\nns\r\n0\r\nTrailer: x\r\n\r\n"
)


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
