"""Thoughts from jobs: signed, fresh, once; and a sink in the job that never fails it."""

from __future__ import annotations

import io
import json
import socket
import time
from itertools import count

import pytest

from bot.codec import to_json
from bot.model import Event
from bot.web.job_events import MAX_TEXT
from bot.web.remote import RemoteSink
from bot.web.signing import sign_post
from tests.web.web_world import FEED_KEY, NOW_S, World, serving, thought

NONCE = "0123456789abcdef"


def post(world: World, body: bytes, *, key: str = FEED_KEY, at_s: float = NOW_S, nonce: str = NONCE) -> int:
    return world.ask("POST", "/api/events", content=body, headers=sign_post(key, body, now_s=at_s, nonce=nonce)).status_code


def body_of(*events: Event) -> bytes:
    return json.dumps({"events": [to_json(event) for event in events]}).encode()


def said(world: World) -> list[str]:
    return [event.text for event in world.feed.since(0).events]


def test_a_signed_post_is_said_on_the_feed_with_the_feeds_own_ids() -> None:
    world = World()
    world.feed.say(thought("here"))
    assert post(world, body_of(thought("one", agent="brain", id=99), thought("two", data=(("a", "b"),)))) == 202
    assert [(event.id, event.text) for event in world.feed.since(0).events] == [(1, "here"), (2, "one"), (3, "two")]


def test_unsigned_tampered_stale_and_replayed_posts_say_nothing() -> None:
    world = World()
    body = body_of(thought("one"))
    headers = sign_post(FEED_KEY, body, now_s=NOW_S, nonce=NONCE)
    assert world.ask("POST", "/api/events", content=body).status_code == 401
    assert world.ask("POST", "/api/events", content=body.replace(b"one", b"two"), headers=headers).status_code == 401
    for name, changed in (("X-SRE-Nonce", "fedcba9876543210"), ("X-SRE-Timestamp", str(int(NOW_S) + 1))):
        assert world.ask("POST", "/api/events", content=body, headers={**headers, name: changed}).status_code == 401
    assert post(world, body, key="other") == 401
    assert post(world, body, at_s=NOW_S - 301) == 401
    assert post(world, body, at_s=NOW_S + 301) == 401
    assert post(world, body, nonce="short") == 401
    assert said(world) == []
    assert world.ask("POST", "/api/events", content=body, headers=headers).status_code == 202
    assert world.ask("POST", "/api/events", content=body, headers=headers).status_code == 409
    assert said(world) == ["one"]


def test_without_a_key_nothing_is_taken() -> None:
    world = World({"SRE_FEED_KEY": ""})
    assert post(world, body_of(thought("one"))) == 401
    assert post(world, body_of(thought("one")), key="") == 401


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"events": [], "more": 1}',
        b'{"events": [{"text": "x"}]}',
        b'{"events": [{"at_s": NaN}]}',
        body_of(thought("x", agent="mallory")),
        body_of(thought("x", at_s=NOW_S + 9_999)),
        body_of(*[thought("x")] * 101),
        b"[" * 100_000,
    ],
)
def test_a_post_that_is_not_events_is_refused_whole(body: bytes) -> None:
    world = World()
    assert post(world, body) == 400
    assert said(world) == []


def test_text_from_jobs_is_one_bounded_printable_line() -> None:
    world = World()
    assert post(world, body_of(thought("\x1b[2Ja\nb\u202e" + "c" * 5_000, data=tuple((str(n), "v" * 900) for n in range(50))))) == 202
    (event,) = world.feed.since(0).events
    assert event.text.startswith(" [2Ja b c") and len(event.text) == MAX_TEXT
    assert len(event.data) == 32 and max(len(value) for _, value in event.data) == 500
    assert post(world, b"x" * (256 * 1024 + 1), nonce="another-nonce-000") == 413


def test_a_jobs_thoughts_reach_the_feed_in_order() -> None:
    world, warnings, numbers = World(), io.StringIO(), count()
    with serving(world.app) as url:
        with RemoteSink(
            f"{url}/api/events", FEED_KEY, clock=world.clock.now, nonce=lambda: f"nonce-{next(numbers):020}", warnings=warnings
        ) as sink:
            for number in range(120):
                sink.say(thought(str(number)))
        assert said(world) == [str(number) for number in range(120)]
    assert warnings.getvalue() == ""


def test_a_dead_feed_costs_the_job_one_warning_and_no_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    warnings = io.StringIO()
    began_s = time.monotonic()
    with RemoteSink(f"http://127.0.0.1:{port}/api/events", FEED_KEY, clock=lambda: NOW_S, nonce=lambda: NONCE, warnings=warnings) as sink:
        for number in range(5_000):
            sink.say(thought(str(number)))
    assert time.monotonic() - began_s < 2.0
    assert warnings.getvalue().count("warning:") == 1


def test_a_feed_that_refuses_costs_the_job_one_warning() -> None:
    world, warnings = World(), io.StringIO()
    with serving(world.app) as url:
        with RemoteSink(f"{url}/api/events", "wrong", clock=world.clock.now, nonce=lambda: NONCE, warnings=warnings) as sink:
            sink.say(thought("one"))
            sink.say(thought("two"))
    assert warnings.getvalue().count("warning:") == 1 and "401" in warnings.getvalue()
    assert said(world) == []
