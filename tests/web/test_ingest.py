"""OTLP over HTTP: what is taken, what is refused, and in which words."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bot.web.answers import Declined
from bot.web.body import inflate
from tests.web.web_world import World

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}


def test_spans_are_handed_on_plain_and_inflated_and_answered_in_their_own_encoding() -> None:
    world = World()
    plain = world.ask("POST", "/v1/traces", content=b"spans", headers=PROTOBUF)
    packed = world.ask(
        "POST",
        "/v1/traces",
        content=gzip.compress(b"sp", mtime=0) + gzip.compress(b"ans", mtime=0),
        headers={**JSON, "Content-Encoding": "gzip"},
    )
    assert world.spans.bodies == [(b"spans", "application/x-protobuf"), (b"spans", "application/json")]
    assert (plain.status_code, plain.headers["content-type"], plain.content) == (200, "application/x-protobuf", b"")
    assert (packed.status_code, packed.json()) == (200, {})


def test_rejected_spans_are_told_as_partial_success() -> None:
    world = World()
    world.spans.rejected, world.spans.reason = 300, "no trace id – dropped"
    answer = ExportTraceServiceResponse.FromString(world.ask("POST", "/v1/traces", content=b"x", headers=PROTOBUF).content)
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (300, "no trace id – dropped")
    as_json = world.ask("POST", "/v1/traces", content=b"x", headers=JSON).json()
    assert as_json == {"partialSuccess": {"rejectedSpans": "300", "errorMessage": "no trace id – dropped"}}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"GARBAGE", JSON, 400),
        (b"not gzip", {**JSON, "Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"spans", mtime=0)[:-6], {**JSON, "Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"\0" * (33 << 20), mtime=0), {**JSON, "Content-Encoding": "gzip"}, 413),
        (gzip.compress(b"\0" * (17 << 20), mtime=0) * 2, {**JSON, "Content-Encoding": "gzip"}, 413),
        (b"x" * (4 * 1024 * 1024 + 1), JSON, 413),
        (zlib.compress(b"spans"), {**JSON, "Content-Encoding": "br"}, 415),
        (b"spans", {"Content-Type": "text/plain"}, 415),
        (b"spans", {}, 415),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_reason_and_nothing_is_handed_on(
    content: bytes, headers: dict[str, str], status: int
) -> None:
    world = World()
    answer = world.ask("POST", "/v1/traces", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"] and answer.json()["do"]
    assert world.spans.bodies == []


def test_gzip_is_inflated_however_many_members_within_reason() -> None:
    body = b"spans " * 100
    assert inflate(gzip.compress(body, mtime=0), 1_000) == body
    assert inflate(gzip.compress(body, mtime=0) + gzip.compress(b"more", mtime=0), 1_000) == body + b"more"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (gzip.compress(b"\0" * 50_000_000, mtime=0), "inflates to more than 1000000 bytes"),
        (gzip.compress(b"\0" * 600_000, mtime=0) * 2, "inflates to more than 1000000 bytes"),
        (gzip.compress(b"", mtime=0) * 1_000, "more than 8 members"),
        (gzip.compress(b"spans" * 1_000, mtime=0)[:-9], "cut off"),
        (b"spans that nobody compressed", "not valid gzip"),
    ],
)
def test_bombs_and_damaged_bodies_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(Declined, match=message):
        inflate(body, 1_000_000)


def test_a_bomb_takes_no_more_memory_than_its_limit_allows() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20), mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(Declined, match="inflates to more"):
            inflate(bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_full_store_asks_the_exporter_to_come_again() -> None:
    world = World()
    world.spans.full = True
    answer = world.ask("POST", "/v1/traces", content=b"spans", headers=PROTOBUF)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert b"no room for more spans" in answer.content and answer.headers["content-type"] == "application/x-protobuf"


def test_with_a_token_only_its_bearer_may_send() -> None:
    world = World({"SRE_INGEST_TOKEN": "sesame"})
    for wrong in ({}, {"Authorization": "Bearer sesam"}, {"Authorization": "Basic sesame"}, {"Authorization": b"Bearer s\xe9same"}):
        assert world.ask("POST", "/v1/traces", content=b"spans", headers={**JSON, **wrong}).status_code == 401
    far = ("203.0.113.9", 4000)
    assert (
        world.ask("POST", "/v1/traces", content=b"spans", headers={**JSON, "Authorization": "bearer sesame"}, client=far).status_code == 200
    )
    assert len(world.spans.bodies) == 1


def test_without_a_token_only_this_machine_may_send_and_no_proxy_on_it() -> None:
    world = World()
    assert world.ask("POST", "/v1/traces", content=b"spans", headers=JSON, client=("203.0.113.9", 4000)).status_code == 401
    assert world.ask("POST", "/v1/traces", content=b"spans", headers={**JSON, "X-Forwarded-For": "127.0.0.1"}).status_code == 401
    assert world.spans.bodies == []
    assert world.ask("POST", "/v1/traces", content=b"spans", headers=JSON, client=("::1", 4000)).status_code == 200


def test_metrics_and_logs_are_not_claimed_to_be_taken() -> None:
    for path in ("/v1/metrics", "/v1/logs"):
        answer = World().ask("POST", path, content=b"x", headers=JSON)
        assert answer.status_code == 404 and "/v1/traces" in answer.json()["do"]
