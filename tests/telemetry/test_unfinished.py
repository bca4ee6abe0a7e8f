"""What is concluded from spans that are not there: only what finished requests have always shown."""

from __future__ import annotations

from bot.telemetry.entries import Entries, entry_of
from bot.telemetry.hanging import Hanging
from bot.telemetry.peers import Peers
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.unfinished import MIN_REQUESTS, Habits, unfinished
from tests.telemetry.world import BUY, FRONT, T0, objective, root_spans, span


def trace_of(number: int, *spans: Span) -> Trace:
    return Trace(number.to_bytes(16, "big"), T0, {item.span_id: item for item in spans})


def sequential(number: int) -> tuple[Span, Span, Span, Span]:
    """A server span that works, then calls `first`, then `second`."""
    ids = {"trace_id": number.to_bytes(16, "big"), "parent_id": b"rootroot"}
    return (
        span(trace_id=ids["trace_id"], span_id=b"rootroot", start_s=T0, end_s=T0 + 0.5),
        span(**ids, span_id=b"workwork", kind="internal", name="work", start_s=T0, end_s=T0 + 0.1),
        span(**ids, span_id=b"callone1", kind="client", name="GET", peer_service="first", start_s=T0 + 0.1, end_s=T0 + 0.2),
        span(**ids, span_id=b"calltwo2", kind="client", name="GET", peer_service="second", start_s=T0 + 0.2, end_s=T0 + 0.4),
    )


def pending(*arrived: Span) -> list[str]:
    habits = Habits([trace_of(i, *sequential(i)) for i in range(1, MIN_REQUESTS + 1)], Peers())
    found = unfinished(trace_of(99, *arrived), habits, Peers(), (FRONT, BUY))
    return [missing.callee for missing in found if missing.role[2] == "client"]


def test_of_calls_one_after_the_other_only_the_one_under_way_is_pending() -> None:
    _, work, first, second = sequential(99)
    assert pending(work) == ["first"]
    assert pending(work, first) == ["second"]
    assert pending(work, first, second) == []


def test_a_span_that_several_entries_share_names_none_of_them() -> None:
    entries = Entries()
    child = ("engine", "GET /price")
    for i, operation in enumerate([BUY] * 20 + ["GET /other"] * 2):
        root = span(trace_id=i.to_bytes(16, "big"), name=operation, span_id=b"rootroot")
        below = span(trace_id=root.trace_id, service=child[0], name=child[1], span_id=b"childchi", parent_id=b"rootroot")
        entries.learn(trace_of(i, root, below), root)
    assert entries.name([child]) is None
    assert entries.name([("engine", "never seen")]) is None


def test_an_entry_is_only_known_when_the_way_up_to_the_root_has_come() -> None:
    root, work, *_ = sequential(1)
    below = span(service="engine", span_id=b"engineee", parent_id=b"callone1", start_s=T0 + 0.1)
    assert entry_of(trace_of(1, root, work)) is root
    assert entry_of(trace_of(1, work, below)) is None


def test_the_rest_of_a_trace_that_has_left_the_store_is_not_waited_for() -> None:
    store = SpanStore(max_spans=20)
    hanging = Hanging([objective()], store)
    for item in root_spans([T0 + i for i in range(40)]):
        trace = store.add(item, item.end_s)
        assert trace is not None
        hanging.observe(trace, item, item.end_s)
    rest = span(trace_id=(5).to_bytes(16, "big"), span_id=b"restrest", parent_id=b"rootroot", service="engine", start_s=T0 + 5)
    trace = store.add(rest, T0 + 41)
    assert trace is not None
    hanging.observe(trace, rest, T0 + 41)
    assert trace.settled
