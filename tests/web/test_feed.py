"""The feed: in order, resumable, honest about gaps, within a second, and never held up by a reader."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import httpx
from starlette.types import Message

from bot.web.feed import Feed
from bot.web.stream import FeedResponse
from tests.web.web_world import World, serving, thought


def texts(feed: Feed, after: int) -> list[str]:
    return [event.text for event in feed.since(after).events]


def test_ids_grow_and_the_ring_forgets_the_oldest() -> None:
    feed = Feed(ring=3, first_id=10)
    for text in "abcde":
        feed.say(thought(text))
    assert [event.id for event in feed.since(0).events] == [12, 13, 14]
    assert texts(feed, 13) == ["e"] and texts(feed, 14) == [] and texts(feed, 11) == ["c", "d", "e"]
    assert not feed.since(11).gap, "the reader saw 11, and 12 is the oldest kept: nothing is missing"
    assert feed.since(10).gap and texts(feed, 10) == ["c", "d", "e"]
    assert feed.since(99).gap, "an id from another life of the process"
    assert not feed.since(0).gap


def test_a_reader_that_was_up_to_date_before_a_restart_is_told_of_the_gap() -> None:
    before, after = Feed(first_id=1_000), Feed(first_id=5_000)
    before.say(thought("old"))
    assert after.since(1_000).gap
    after.say(thought("new"))
    assert after.since(1_000).gap and texts(after, 1_000) == ["new"]


class Reader:
    """Reads server-sent events from a real socket."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def block(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.strip()
        raise AssertionError("the stream ended")

    def ends_within(self, lines: int) -> bool:
        return len(list(islice(self._lines, lines))) < lines

    def thought(self) -> tuple[int, str]:
        while (block := self.block()).get("event") != "thought":
            pass
        data = json.loads(block["data"])
        assert data["id"] == int(block["id"])
        return data["id"], data["text"]


@contextmanager
def reading(url: str, **headers: str) -> Iterator[Reader]:
    with httpx.stream("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=5) as response:
        yield Reader(response)


def eventually(holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_a_reader_hears_a_thought_at_once_and_after_a_cut_only_what_it_missed() -> None:
    world = World()
    with serving(world.app) as url:
        assert world.lifespans == ["up"]
        world.feed.say(thought("first", data=(("p99_ms", "6100"),)))
        with reading(f"{url}/feed") as reader:
            assert reader.response.headers["content-type"].startswith("text/event-stream")
            assert reader.block() == {"retry": "1000"}
            block = reader.block()
            assert (block["id"], block["event"]) == ("1", "thought")
            assert json.loads(block["data"])["data"] == {"p99_ms": "6100"}
            said_s = time.monotonic()
            world.feed.say(thought("second\n\ndata: forged\r\nid: 77"))
            assert reader.thought() == (2, "second\n\ndata: forged\r\nid: 77")
            assert time.monotonic() - said_s < 1.0
        eventually(lambda: world.feed.followers == 0)
        world.feed.say(thought("third"))
        with reading(f"{url}/feed?after=1", Last_Event_ID="2") as reader:
            assert reader.thought() == (3, "third")
        with reading(f"{url}/feed?after=1") as reader:
            assert reader.thought()[0] == 2
    assert world.lifespans == ["up", "down"]


def test_a_reader_whose_id_is_too_old_is_told_of_the_gap_first() -> None:
    world = World(feed=Feed(ring=2))
    for text in "abcd":
        world.feed.say(thought(text))
    with serving(world.app) as url, reading(f"{url}/feed", Last_Event_ID="1") as reader:
        assert reader.block() == {"retry": "1000"}
        assert reader.block() == {"event": "gap", "data": '{"after": 1, "oldest": 3}'}
        assert reader.thought() == (3, "c")
        world.feed.close()


def test_a_reader_from_another_life_of_the_process_is_told_of_the_gap_once_and_then_hears_everything() -> None:
    world = World(heartbeat_s=0.02)
    with serving(world.app) as url, reading(f"{url}/feed", Last_Event_ID="99") as reader:
        blocks = [reader.block() for _ in range(4)]
        assert [block.get("event") for block in blocks] == [None, "gap", None, None]
        world.feed.say(thought("first"))
        assert reader.thought() == (1, "first")
        world.feed.close()


def test_silence_is_broken_by_a_heartbeat_and_closing_the_feed_ends_the_stream() -> None:
    world = World(heartbeat_s=0.05)
    with serving(world.app) as url, reading(f"{url}/feed") as reader:
        assert reader.block() == {"retry": "1000"}
        assert reader.block() == {"comment": "still here"}
        world.feed.close()
        assert reader.ends_within(lines=50)
    assert world.feed.followers == 0


def test_a_reader_that_does_not_read_is_dropped_and_the_others_hear_everything() -> None:
    world = World(feed=Feed(ring=400), write_timeout_s=1.5, heartbeat_s=0.1)
    with serving(world.app) as url:
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as lazy, reading(f"{url}/feed") as reader:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(f"GET /feed HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            eventually(lambda: world.feed.followers == 2)
            said = threading.Thread(target=lambda: [world.feed.say(thought("x" * 60_000)) for _ in range(200)])
            said.start()
            ids = [reader.thought()[0] for _ in range(200)]
            said.join()
            assert ids == list(range(1, 201))
            eventually(lambda: world.feed.followers == 1)


def test_the_stream_writes_a_backlog_at_once_and_not_event_by_event() -> None:
    async def story() -> list[Message]:
        feed = Feed()
        for number in range(50):
            feed.say(thought(str(number)))
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)
            if b"thought" in message.get("body", b""):
                feed.close()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        await FeedResponse(feed, 0, heartbeat_s=9, write_timeout_s=9)({"type": "http", "method": "GET"}, receive, send)
        return sent

    sent = asyncio.run(story())
    assert len(sent) == 4 and sent[2]["body"].count(b"event: thought") == 50


def test_a_bad_id_and_too_many_readers_are_refused() -> None:
    world = World(max_followers=0)
    assert world.ask("GET", "/feed").status_code == 503
    for bad in ("-1", "x", "1e9", "9" * 17, "²"):
        assert World().ask("GET", f"/feed?after={bad}").status_code == 400
