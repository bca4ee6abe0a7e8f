"""The store stays small whatever comes, and knows deploys and peers from the spans alone."""

from __future__ import annotations

import random
import tracemalloc

from bot.telemetry import limits
from bot.telemetry.attributes import COMMIT
from bot.telemetry.span import Span, SpanException
from bot.telemetry.store import OVERFLOW, SpanStore
from tests.telemetry.world import T0, root_spans, span


def hostile(i: int, rng: random.Random) -> Span:
    """A span of which nothing repeats, everything as long as decoding lets it be."""
    text = f"{i:08d}" + "x" * (limits.NAME_CHARS - 8)
    stack = f'  File "/{i}/a.py", line {i}, in f\n'.ljust(limits.STACKTRACE_CHARS, "y")
    return span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_id=rng.randbytes(8),
        service=f"{text}s",
        name=f"{text}n",
        operation=f"{text}o",
        error_type=f"{text}e",
        peer_service=f"{text}p",
        server_address=f"{text}a",
        commit=text[: limits.COMMIT_CHARS],
        kind=rng.choice(["server", "client"]),
        exception=SpanException(f"{text}t", text + "m" * (limits.MESSAGE_CHARS - 8), stack),
    )


def test_ordinary_spans_at_the_limit_take_less_than_16_mib() -> None:
    rng = random.Random(1)
    tracemalloc.start()
    store = SpanStore()
    trace_id = b""
    for i in range(limits.STORED_SPANS + 5_000):
        if i % 12 == 0:
            trace_id = rng.randbytes(16)
        parts = {"trace_id": bytes(trace_id), "span_id": rng.randbytes(8), "parent_id": rng.randbytes(8)}
        store.add(span(**parts, start_s=T0 + i / 100, end_s=T0 + i / 100 + 0.1), T0 + i / 100)
    used_mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    assert limits.STORED_SPANS - 12 <= len(store) <= limits.STORED_SPANS
    assert used_mib < 16


def test_spans_of_which_nothing_repeats_take_little_more() -> None:
    rng = random.Random(2)
    tracemalloc.start()
    store = SpanStore(max_spans=10_000)
    for i in range(12_000):
        store.add(hostile(i, rng), T0 + i / 1_000)
    used_mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    assert len(store) <= 10_000
    assert used_mib < 16
    assert list(store.spans())[-1][1].name == OVERFLOW


def test_the_oldest_traces_go_first_by_count_and_by_age() -> None:
    store = SpanStore()
    for item in root_spans([T0, T0 + 1, T0 + 2]):
        store.add(item, item.end_s)
    store.add(span(trace_id=b"z" * 16), T0 + limits.STORED_S + 1.5)
    assert [trace_id[-1] for trace_id in store.traces] == [3, ord("z")]
    assert store.horizon_s == T0 + 1.2


def test_an_exporters_second_try_changes_nothing_and_a_trace_has_an_end() -> None:
    store = SpanStore()
    assert store.add(span(), T0) is not None
    assert store.add(span(end_s=T0 + 5.0), T0) is None
    kept = [store.add(span(span_id=i.to_bytes(8, "big")), T0) for i in range(2, limits.SPANS_PER_TRACE + 10)]
    assert len(store) == limits.SPANS_PER_TRACE
    assert kept[-1] is None


def test_one_place_has_one_stack_trace_whatever_the_message_says() -> None:
    store = SpanStore()
    for i, item in enumerate(root_spans([T0] * 3)):
        stack = f'Traceback:\n  File "/a.py", line 1, in f\nKeyError: {i}\n'
        store.add(span(trace_id=item.trace_id, exception=SpanException("KeyError", str(i), stack)), T0)
    kept = [found.exception for _, found in store.spans() if found.exception]
    assert [exception.message for exception in kept] == ["0", "1", "2"]
    assert len({id(exception.stacktrace) for exception in kept}) == 1


def test_a_peer_gets_its_real_name_as_soon_as_one_trace_shows_it() -> None:
    call = span(kind="client", service="a", peer_service="b-alias", server_address="10.0.0.1", server_port=80, span_id=b"callcall")
    other = span(kind="client", service="a", server_address="10.0.0.9", server_port=81, trace_id=b"o" * 16)
    for callee_first in (True, False):
        store = SpanStore()
        assert (store.peers.name(call), store.peers.name(other)) == ("b-alias", "10.0.0.9:81")
        callee = span(service="b", parent_id=b"callcall", span_id=b"calleeee")
        for item in [callee, call] if callee_first else [call, callee]:
            store.add(item, T0)
        assert store.peers.name(span(kind="client", service="a", peer_service="b-alias", server_address="10.0.0.1", server_port=80)) == "b"
        assert store.peers.name(other) == "10.0.0.9:81"


def serve(store: SpanStore, commit: str, starts: list[float], first_id: int) -> None:
    for item in root_spans([T0 + start for start in starts], first_id=first_id, commit=commit):
        store.add(item, item.end_s)


def test_a_deploy_is_seen_when_the_new_commit_answers() -> None:
    store = SpanStore()
    assert store.commits.serving("front", T0) is None
    serve(store, "old", [0, 1, 2], 1)
    serve(store, "new", [3, 4], 10)
    serve(store, "old", [2.5, 3.5], 20)  # late, and the last request of the old process
    assert store.commits.serving("front", T0 + 5) == ("new", T0 + 3)
    assert store.commits.since(T0 - 1) == [("front", "old", "", T0), ("front", "new", "old", T0 + 3)]
    assert store.commits.since(T0 + 2) == [("front", "new", "old", T0 + 3)]
    assert store.commits.serving("front", T0 + 40) is None


def test_a_rollback_counts_once_the_newer_commit_is_silent() -> None:
    store = SpanStore()
    serve(store, "old", [0, 1], 1)
    serve(store, "new", [2, 3], 10)
    serve(store, "old", [4, 10, 20], 20)
    assert store.commits.serving("front", T0 + 20.2) == ("new", T0 + 2)
    serve(store, "old", [34], 30)
    assert store.commits.serving("front", T0 + 34.2) == ("old", T0 + 4)
    assert store.commits.since(T0 + 2)[-1] == ("front", "old", "new", T0 + 4)


def test_a_commit_that_is_first_heard_late_is_no_deploy() -> None:
    store = SpanStore()
    serve(store, "new", [5], 1)
    serve(store, "old", [3], 10)
    assert store.commits.serving("front", T0 + 6) == ("new", T0 + 5)
    assert COMMIT[0] == "vcs.ref.head.revision"
