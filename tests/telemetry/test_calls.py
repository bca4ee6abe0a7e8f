"""The map on which trouble spreads: who calls whom, and which calls got worse, from spans alone."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from bot.detection.group import Symptom, groups
from bot.evidence import ServiceCall
from bot.telemetry.calls import FRESH_S, CallMap, Tally, service_calls
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore
from tests.telemetry.world import ASK, BUY, CARRIERS, ENGINE, FRONT, GATE, OFFERS, PRICE, T0, Faults, System, span

CHAIN = {(FRONT, BUY, ENGINE, PRICE), (ENGINE, PRICE, GATE, OFFERS), *((GATE, OFFERS, carrier, ASK) for carrier in CARRIERS)}


def stored(spans: Iterable[Span]) -> SpanStore:
    store = SpanStore()
    for item in spans:
        store.add(item, item.end_s)
    return store


def played(faults: Faults, until_s: float, lost: str = "") -> SpanStore:
    """40 s of health, then `faults`; what has arrived by `until_s`. Services named in `lost` send no spans."""
    system = System(random.Random(3), lost=lambda made: made.service == lost)
    system.traffic(T0, T0 + 40)
    system.faults = faults
    system.traffic(T0 + 40, T0 + until_s)
    return stored(made for at_s, _, made in sorted(system.arrivals) if at_s <= T0 + until_s)


def routes(calls: Iterable[ServiceCall], *, worse: bool) -> set[tuple[str, str, str, str]]:
    return {(c.caller, c.operation, c.callee, c.callee_operation) for c in calls if c.worse is worse}


def test_a_system_that_is_well_shows_its_calls_and_none_is_worse() -> None:
    for seconds in (45.0, 60.0, 100.0):
        calls = service_calls(played(Faults(), seconds), T0 + 40)
        assert routes(calls, worse=False) == CHAIN
        assert routes(calls, worse=True) == set()


def test_the_way_to_the_hanging_carrier_got_worse_and_its_neighbours_did_not() -> None:
    calls = service_calls(played(Faults(hanging="south"), 60.0), T0 + 40)
    worse = {(caller, callee) for caller, _, callee, _ in routes(calls, worse=True)}
    assert worse == {(FRONT, ENGINE), (ENGINE, GATE), (GATE, "south")}


def test_a_map_is_drawn_anew_when_it_is_old_or_another_time_is_asked_for() -> None:
    store = played(Faults(hanging="south"), 30.0)
    calls = CallMap(store)
    assert routes(calls.calls(T0 + 40, T0 + 60), worse=True) == set()
    later = played(Faults(hanging="south"), 60.0)
    for _, made in later.spans():
        store.add(made, made.end_s)
    assert routes(calls.calls(T0 + 40, T0 + 60 + FRESH_S / 2), worse=True) == set()
    assert {callee for _, _, callee, _ in routes(calls.calls(T0 + 40, T0 + 60 + FRESH_S), worse=True)} == {ENGINE, GATE, "south"}
    assert calls.calls(T0 + 41, T0 + 60 + FRESH_S) == service_calls(store, T0 + 41)


def test_the_carrier_that_does_not_come_back_shows_before_anybody_has_given_up() -> None:
    calls = service_calls(played(Faults(hanging="south"), 45.5), T0 + 40)
    assert {callee for _, _, callee, _ in routes(calls, worse=True)} == {ENGINE, GATE, "south"}


def test_calls_of_which_only_failures_have_come_back_got_worse() -> None:
    """Two of about thirteen, because the first customers have just given up: too few failures to judge by, and too many for silence."""
    tally = Tally()

    def call(at_s: float, took_s: float, error_type: str = "") -> None:
        start_s = T0 + at_s
        made = span(service=ENGINE, kind="client", start_s=start_s, end_s=start_s + took_s, error_type=error_type)
        tally.add(made, T0 + 90)

    for at_s in range(59):
        call(at_s, 0.25)
    for at_s in (100, 101):
        call(at_s, 6.6, "cancelled")
    assert tally.worse(caller_before=4 * 59, caller_now=42, stretch=0.3)
    for at_s in (102, 103):
        call(at_s, 0.2)
    assert not tally.worse(caller_before=4 * 59, caller_now=44, stretch=0.3), "some have come back well"


def test_a_caller_without_work_makes_no_call_look_worse() -> None:
    system = System(random.Random(3))
    system.traffic(T0, T0 + 40)
    system.traffic(T0 + 40, T0 + 100, buys_per_s=0.02, browses_per_s=0.02)
    calls = service_calls(stored(made for _, _, made in sorted(system.arrivals)), T0 + 40)
    assert routes(calls, worse=True) == set()


def test_a_failing_engine_makes_the_calls_to_it_worse() -> None:
    calls = service_calls(played(Faults(fail_share=0.5), 60.0), T0 + 40)
    assert routes(calls, worse=True) == {(FRONT, BUY, ENGINE, PRICE)}


def test_a_callee_that_sends_no_spans_is_known_by_its_address() -> None:
    calls = service_calls(played(Faults(hanging="south"), 60.0, lost="south"), T0 + 40)
    assert (GATE, OFFERS, "south-api", "") in routes(calls, worse=True)


@pytest.mark.parametrize("callee_kind", ["server", "consumer"])
def test_a_message_and_a_call_without_a_client_span_are_calls_too(callee_kind: str) -> None:
    parent = span(service="orders", name="POST /order")
    child = span(span_id=b"childddd", parent_id=parent.span_id, service="mail", name="send", kind=callee_kind)
    assert routes(service_calls(stored([parent, child]), T0), worse=False) == {("orders", "POST /order", "mail", "send")}


def test_a_job_that_nobody_asked_for_calls_by_its_own_name() -> None:
    job = span(service="nightly", name="tidy", kind="internal")
    call = span(span_id=b"callcall", parent_id=job.span_id, service="nightly", name="GET", kind="client", peer_service="mq")
    assert routes(service_calls(stored([job, call]), T0), worse=False) == {("nightly", "tidy", "mq", "")}


def test_a_service_calling_itself_is_no_call() -> None:
    parent = span(service="orders", name="POST /order")
    inner = span(span_id=b"innerrrr", parent_id=parent.span_id, service="orders", name="work", kind="internal")
    assert service_calls(stored([parent, inner]), T0) == ()


def test_fronts_that_fall_silent_together_wait_for_the_dependency_that_both_call() -> None:
    """It sends no spans, and neither do they, since everything hangs; a third service goes on, and calls it no more than before."""
    made = []
    for i in range(200):
        at_s = T0 + i * 0.5
        calling = ("alpha", "beta") if at_s < T0 + 60 else ()
        for j, service in enumerate((*calling, "gamma")):
            ids = {"trace_id": (3 * i + j + 1).to_bytes(16, "big"), "service": service}
            server, call = (6 * i + 2 * j + 1).to_bytes(8, "big"), (6 * i + 2 * j + 2).to_bytes(8, "big")
            made.append(span(**ids, span_id=server, name=f"GET /{service}", start_s=at_s, end_s=at_s + 0.2))
            if service != "gamma":
                to = {"kind": "client", "peer_service": "ledger", "parent_id": server}
                made.append(span(**ids, **to, span_id=call, name="post", start_s=at_s + 0.01, end_s=at_s + 0.1))
    calls = service_calls(stored(made), T0 + 60)
    assert {(caller, callee) for caller, _, callee, _ in routes(calls, worse=True)} == {("alpha", "ledger"), ("beta", "ledger")}
    symptoms = [Symptom(name, f"GET /{name}", T0 + 60, T0 + 95) for name in ("alpha", "beta")]
    (group,) = groups(symptoms, calls)
    assert group.upstream == ("ledger",)
