"""What Scout hands over about a signal: it shows the cause, stays small, hides secrets, and does not depend on names."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace

import pytest

from bot.agents.scout import Scout
from bot.codec import from_json, to_json
from bot.evidence import Evidence
from bot.model import Signal
from bot.policy.schema import ServiceSpec
from bot.telemetry import limits
from bot.telemetry.evidence import bounded, size
from bot.telemetry.span import SpanException
from bot.telemetry.unfinished import MIN_REQUESTS
from tests.telemetry.world import (
    ASK,
    BROWSE,
    BUY,
    CARRIERS,
    ENGINE,
    FRONT,
    GATE,
    OFFERS,
    PRICE,
    STACK,
    T0,
    Faults,
    System,
    new_scout,
    objective,
    play,
    policies,
    root_spans,
    span,
)


def incident(
    faults: Faults, seconds: float, *, seed: int = 1, first_only: bool = False, rename: dict[str, str] | None = None
) -> tuple[Scout, Signal, float]:
    """40 s of health, then `faults`; the Scout, its first or latest signal, and the moment of that."""
    named = rename or {}
    system = System(random.Random(seed), names=lambda name: named.get(name, name))
    system.traffic(T0, T0 + 40)
    system.faults = faults
    system.traffic(T0 + 40, T0 + 40 + seconds)
    entry = objective(named.get(FRONT, FRONT), named.get(BUY, BUY))
    scout, _ = new_scout(policies(entry, services=(ServiceSpec("any", ("shop/engine/**",)),)))
    seen = play(system, scout, T0, T0 + 40 + seconds)
    if first_only:
        scout, _ = new_scout(policies(entry))
        again = incident_spans(faults, seconds, seed, named)
        seen = play(again, scout, T0, seen[0][0])
    moment, signal = seen[-1]
    return scout, signal, moment


def incident_spans(faults: Faults, seconds: float, seed: int, named: dict[str, str]) -> System:
    system = System(random.Random(seed), names=lambda name: named.get(name, name))
    system.traffic(T0, T0 + 40)
    system.faults = faults
    system.traffic(T0 + 40, T0 + 40 + seconds)
    return system


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_edge_to_the_hanging_carrier_stands_out_once_customers_have_left(carrier: str) -> None:
    scout, signal, now_s = incident(Faults(hanging=carrier), 20.0)
    evidence = scout.evidence(signal, now_s)
    by_peer = {edge.peer: edge for edge in evidence.edges}
    assert {(edge.caller, edge.operation, edge.peer) for edge in evidence.edges} >= {(GATE, OFFERS, peer) for peer in CARRIERS}
    guilty = by_peer[carrier]
    assert guilty.before_requests > 100
    assert guilty.before_p99_ms is not None
    assert guilty.before_p99_ms < 1_000
    assert guilty.now_p50_ms is not None
    assert guilty.now_p50_ms > 5_000
    for peer in set(CARRIERS) - {carrier}:
        innocent = by_peer[peer].now_p99_ms
        assert innocent is not None
        assert innocent < 1_000
        assert by_peer[peer].self_ms == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_at_the_first_signal_the_call_that_has_not_come_back_is_known_by_its_absence(carrier: str) -> None:
    scout, signal, now_s = incident(Faults(hanging=carrier), 6.0, first_only=True)
    evidence = scout.evidence(signal, now_s)
    by_peer = {edge.peer: edge for edge in evidence.edges}
    assert by_peer[carrier].error_types == ("unfinished",)
    assert (by_peer[carrier].now_p50_ms or 0) > 1_500
    assert all(by_peer[peer].error_types == () for peer in set(CARRIERS) - {carrier})
    bad = [trace for trace in evidence.traces if trace.bad]
    open_spans = [(span.service, span.kind, span.name, span.peer) for span in bad[0].spans if not span.finished]
    assert open_spans == [
        (FRONT, "server", BUY, ""),
        (FRONT, "client", BUY, ENGINE),
        (ENGINE, "server", PRICE, ""),
        (ENGINE, "client", OFFERS, GATE),
        (GATE, "server", OFFERS, ""),
        (GATE, "client", ASK, carrier),
    ]
    parents = {span.id: span.parent for span in bad[0].spans}
    assert list(parents.values()).count(None) == 1


def test_a_request_that_never_ended_long_before_the_first_bad_one_is_no_part_of_the_story() -> None:
    """As one that its customer's process left behind when it died: its call to the other carrier never came back either."""
    system = System(random.Random(4))
    system.traffic(T0, T0 + 20)
    system.faults = Faults(hanging="south", hang_s=500.0, patience_s=400.0)
    system.buy(T0 + 20)
    system.faults = Faults()
    system.traffic(T0 + 20, T0 + 40)
    system.faults = Faults(hanging="north")
    system.traffic(T0 + 40, T0 + 44)
    scout, _ = new_scout()
    now_s, signal = play(system, scout, T0, T0 + 44)[-1]
    by_peer = {edge.peer: edge for edge in scout.evidence(signal, now_s).edges}
    assert by_peer["north"].error_types == ("unfinished",)
    assert by_peer["south"].error_types == ()
    assert (by_peer["south"].now_p99_ms or 0.0) < 1_000


def test_without_enough_healthy_requests_an_absent_call_is_not_guessed() -> None:
    system = System(random.Random(2))
    system.traffic(T0, T0 + 1.5)
    scout, _ = new_scout()
    system.faults = Faults(hanging="south", patience_s=4.0)
    system.traffic(T0 + 1.5, T0 + 6.0)
    seen = play(system, scout, T0, T0 + 12)
    assert seen[-1][1].before.requests < MIN_REQUESTS
    evidence = scout.evidence(seen[-1][1], T0 + 12)
    assert all("unfinished" not in edge.error_types for edge in evidence.edges)


def test_the_exception_of_a_bad_release_is_found_where_it_was_raised_with_its_deploy() -> None:
    scout, signal, now_s = incident(Faults(fail_share=0.6, commits={ENGINE: "bad"}), 15.0)
    evidence = scout.evidence(signal, now_s)
    group = evidence.errors[0]
    assert (group.service, group.operation, group.type, group.message, group.commit) == (ENGINE, PRICE, "KeyError", "'boat'", "bad")
    assert group.frames == ("shop/engine/prices.py:price:31", "shop/engine/prices.py:factor:12")
    since = scout.measure(FRONT, BUY, signal.first_bad_s, now_s)
    assert since is not None
    assert (group.count, group.before_count) == (since.errors, 0)
    assert evidence.bad_requests == since.errors, "what the failed calls of an edge are measured against"
    assert group.first_seen_s >= signal.first_bad_s
    assert len(evidence.errors) == 1
    mark = next(mark for mark in evidence.deploys if mark.commit == "bad")
    assert (mark.service, mark.previous_commit) == (ENGINE, "c0ffee")
    assert mark.first_seen_s <= group.first_seen_s
    assert [trace.bad for trace in evidence.traces] == [True, True, True, False, False]
    assert any(ratio > 0.3 for _, _, ratio in evidence.series)


def test_a_failure_without_an_exception_is_grouped_at_its_deepest_span() -> None:
    scout, _ = new_scout()
    ids = [i.to_bytes(16, "big") for i in range(100, 110)]
    for trace_id in ids:
        scout.observe(
            [
                span(
                    trace_id=trace_id,
                    service="leaf",
                    name="GET /leaf",
                    span_id=b"leafleaf",
                    parent_id=b"rootroot",
                    error=True,
                    error_type="503",
                ),
                span(trace_id=trace_id, span_id=b"rootroot", error=True, error_type="502"),
            ],
            T0 + 1,
        )
    signal = scout.signals(T0 + 1)[0]
    groups = scout.evidence(signal, T0 + 1).errors
    assert [(g.service, g.operation, g.type, g.count, g.frames) for g in groups] == [("leaf", "GET /leaf", "503", 10, ())]


def test_an_exception_that_passes_through_several_spans_is_one_failure_at_its_innermost_span() -> None:
    scout, _ = new_scout()
    inner = SpanException("KeyError", "'boat'", STACK)
    outer = SpanException("KeyError", "'boat'", STACK.replace("KeyError", '  File "/srv/shop/engine/outer.py", line 1, in f\nKeyError'))
    for item in root_spans([T0 + 0.1 * i for i in range(10)], error=True):
        child = span(
            trace_id=item.trace_id, span_id=b"workwork", parent_id=item.span_id, kind="internal", name="rate", error=True, exception=inner
        )
        scout.observe([child, replace(item, exception=outer)], T0 + 2)
    groups = scout.evidence(scout.signals(T0 + 2)[0], T0 + 2).errors
    assert [(group.operation, group.count, group.frames[-1]) for group in groups] == [(BUY, 10, "shop/engine/prices.py:factor:12")]


def test_evidence_survives_its_json_and_the_same_spans_give_the_same_bytes() -> None:
    texts = []
    for _ in range(2):
        scout, signal, now_s = incident(Faults(hanging="west"), 15.0, seed=5)
        evidence = scout.evidence(signal, now_s)
        assert scout.evidence(signal, now_s) == evidence
        texts.append(json.dumps(to_json(evidence)))
        assert from_json(Evidence, json.loads(texts[-1])) == evidence
        assert len(evidence.series) <= limits.SERIES_POINTS
    assert texts[0] == texts[1]


@pytest.mark.parametrize("faults", [Faults(hanging="south"), Faults(fail_share=0.5, commits={ENGINE: "bad"})])
def test_names_never_matter(faults: Faults) -> None:
    names = [FRONT, ENGINE, GATE, *CARRIERS, BUY, BROWSE, PRICE, OFFERS, ASK, *(f"{peer}-api" for peer in (ENGINE, GATE, *CARRIERS))]
    rename = dict(zip(names, [f"q{(7 * i) % len(names)}" for i in range(len(names))], strict=True))
    scout, signal, now_s = incident(faults, 15.0, seed=9)
    renamed_scout, renamed_signal, renamed_now_s = incident(faults, 15.0, seed=9, rename=rename)
    assert (renamed_now_s, renamed_signal.first_bad_s, renamed_signal.now) == (now_s, signal.first_bad_s, signal.now)
    text = json.dumps(to_json(scout.evidence(signal, now_s)))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f'"{name}"', f'"{rename[name]}"')
    assert json.loads(text) == to_json(renamed_scout.evidence(renamed_signal, renamed_now_s))


def test_secrets_in_telemetry_do_not_reach_the_evidence() -> None:
    scout, _ = new_scout()
    secret = "sk-proj-abcdefghijklmnopqrstuvwx"
    raised = SpanException("AuthError", f"bad key {secret} of jane@example.com\nBearer {secret}", STACK)
    for item in root_spans([T0 + i * 0.1 for i in range(30)], 0.1, error=True):
        call = {"trace_id": item.trace_id, "span_id": b"callcall", "parent_id": item.span_id, "kind": "client", "start_s": item.start_s}
        scout.observe(
            [
                span(**call, end_s=item.end_s, name=f"GET /?token={secret}", peer_service=f"pay:{secret}"),
                replace(item, exception=raised, error_type=f"password={secret}"),
            ],
            T0 + 5,
        )
    signal = scout.signals(T0 + 5)[0]
    evidence = scout.evidence(signal, T0 + 5)
    text = json.dumps(to_json(evidence))
    assert evidence.edges
    assert evidence.errors
    assert evidence.traces
    assert secret not in text
    assert "jane@" not in text
    assert "[redacted]" in text


def test_hostile_spans_cannot_make_evidence_large() -> None:
    scout, _ = new_scout()
    rng = random.Random(4)

    def text() -> str:
        return "".join(map(chr, rng.choices(range(0x4E00, 0x9FFF), k=limits.NAME_CHARS)))

    for item in root_spans([T0 + i * 0.01 for i in range(200)], 0.5, error=True):
        spans = [replace(item, exception=SpanException(text(), text(), f'File "/{text()}.py", line 1, in f\n' * 12))]
        for _ in range(30):
            ids = {"trace_id": item.trace_id, "span_id": rng.randbytes(8), "parent_id": item.span_id}
            spans.append(span(**ids, kind="client", name=text(), peer_service=text(), error=True, error_type=text(), start_s=item.start_s))
        scout.observe(spans, T0 + 5)
    signal = scout.signals(T0 + 5)[0]
    evidence = scout.evidence(signal, T0 + 5)
    assert size(evidence) <= limits.EVIDENCE_CHARS
    assert evidence.errors
    assert evidence.edges


def test_a_flood_of_attributes_cannot_make_evidence_large_and_what_differs_is_still_told() -> None:
    scout, _ = new_scout()
    for i, item in enumerate(root_spans([T0 + i * 0.1 for i in range(400)])):
        bad = i >= 300 and i % 2 == 0
        flood = tuple((f"key-{k}".ljust(limits.EXTRA_KEY_CHARS, "k"), f"{bad}-{k}".ljust(limits.EXTRA_VALUE_CHARS, "v")) for k in range(16))
        scout.observe([replace(item, error=bad, extra=flood)], item.end_s)
    signal = scout.signals(T0 + 40.2)[0]
    evidence = scout.evidence(signal, T0 + 40.2)
    assert size(evidence) <= limits.EVIDENCE_CHARS
    assert len(evidence.differences) == limits.DIFFERENCES
    for limit in (12_000, 6_000, 3_000):
        assert size(bounded(evidence, limit)) <= limit
        assert bounded(evidence, limit).differences


def test_how_long_requests_took_is_told_of_all_of_them_and_of_those_that_hang() -> None:
    scout, signal, now_s = incident(Faults(hanging="south"), 6.0, first_only=True)
    (took,) = scout.evidence(signal, now_s).histograms
    assert sum(took.before) == signal.before.requests
    assert sum(took.now[took.upper_ms.index(1_000.0) + 1 :]) >= signal.now.slow
    assert sum(took.before[took.upper_ms.index(1_000.0) + 1 :]) == 0


def test_evidence_from_before_it_told_differences_is_still_read() -> None:
    old = {
        "taken_s": 1.0,
        "edges": [],
        "deploys": [{"id": "d1", "service": "s", "commit": "c", "previous_commit": "", "first_seen_s": 0.5}],
    }
    read = from_json(Evidence, old)
    assert (read.differences, read.logs, read.histograms, read.changes, read.affected, read.upstream) == ((), (), (), (), (), ())
    assert "differences" not in to_json(read), "and written as before"


def test_what_is_cut_goes_in_a_fixed_order_and_ids_stay() -> None:
    scout, signal, now_s = incident(Faults(hanging="north"), 20.0)
    whole = scout.evidence(signal, now_s)
    for limit in (12_000, 8_000, 4_000, 2_500):
        cut = bounded(whole, limit)
        assert size(cut) <= limit
        assert {edge.id for edge in cut.edges} <= {edge.id for edge in whole.edges}
        assert "north" in {edge.peer for edge in cut.edges}
        for trace in cut.traces:
            known = {view.id for view in trace.spans}
            assert all(view.parent is None or view.parent in known for view in trace.spans)


def test_one_evidence_of_a_full_store_takes_less_than_two_seconds() -> None:
    system = System(random.Random(1))
    system.traffic(T0, T0 + 400, buys_per_s=8.0)
    system.faults = Faults(hanging="north")
    system.traffic(T0 + 400, T0 + 410)
    scout, _ = new_scout()
    moment, signal = play(system, scout, T0, T0 + 410)[-1]
    started = time.process_time()
    scout.evidence(signal, moment)
    assert time.process_time() - started < 2.0
