"""Trace bodies in gzip through the front: whichever way one takes, the sender gets the same answer and each span is counted once."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

import pytest

from bot.web.ingest import PROTOBUF, Admitted, Front
from tests.telemetry.test_reader import make_request
from tests.telemetry.world import SimulatedClock
from tests.web.otlp_world import FrontDoor

TRACES = Admitted("/v1/traces", PROTOBUF, gzip=True)


def packed(seed: int, spans: int = 5) -> bytes:
    return gzip.compress(make_request(random.Random(seed), spans, 0.0), mtime=0)


def front_door() -> FrontDoor:
    """At the time of the spans."""
    door = FrontDoor()
    door.plane.clock = SimulatedClock()  # type: ignore[assignment]
    return door


def lies(body: bytes, size_bytes: int) -> bytes:
    return body[:-4] + size_bytes.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: packed(1), 200),
        (lambda: packed(1) + packed(2), 200),
        (lambda: packed(1)[:3] + b"\x08" + packed(1)[4:10] + b"spans\0" + packed(1)[10:], 200),
        (lambda: packed(1)[:-1], 400),
        (lambda: packed(1) + b"more" + bytes(4), 400),
        (lambda: lies(packed(1), 10), 400),
        (lambda: gzip.compress(b"no spans at all"), 400),
        (lambda: b"", 200),
    ],
)
def test_the_answer_is_the_same_as_without_the_quick_way(make: Callable[[], bytes], status: int) -> None:
    quick, thorough = front_door(), front_door()
    thorough.plane.reader._fast = None
    told = [Front(door.parts()).at_once(TRACES, make()) for door in (quick, thorough)]
    assert [answer.status if answer else None for answer in told] == [status, status]
    assert quick.plane.counters.get("spans") == thorough.plane.counters.get("spans")
    assert (quick.plane.counters.get("spans") > 0) == (status == 200 and make() != b"")


def test_who_claims_to_hold_much_is_not_inflated_on_the_event_loop() -> None:
    door = front_door()
    assert Front(door.parts()).at_once(TRACES, lies(packed(1), 2**32 - 1)) is None
    assert door.plane.counters.get("spans") == 0
    assert door.plane.scout.catalogue.detail.halvings == 0, "and nothing is kept less of for it"


def test_a_request_that_comes_twice_is_counted_once_whichever_ways_it_takes() -> None:
    door = front_door()
    front, body = Front(door.parts()), make_request(random.Random(4), 5, 0.0)
    for sent, admitted in (
        (gzip.compress(body), TRACES),
        (body, Admitted("/v1/traces", PROTOBUF, gzip=False)),
        (gzip.compress(body, 1), TRACES),
    ):
        answer = front.at_once(admitted, sent)
        assert answer is not None and answer.status == 200
    assert door.plane.counters.get("spans_repeated") == 2 * door.plane.counters.get("spans")
    assert door.plane.counters.get("spans") > 0
