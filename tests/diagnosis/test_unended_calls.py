"""A call that has not ended leaves no span: its caller's time is not the caller's own, also right after the caller was released."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.diagnosis.case import Case, Change
from bot.diagnosis.describe import HANGS, describe
from bot.diagnosis.localise import localise
from bot.diagnosis.silence import begun
from bot.diagnosis.spent import spent
from bot.evidence import DeployMark, Evidence, SpanView, TraceView
from bot.forge import ChangedFile
from bot.journal import IncidentRecord
from bot.model import SignalKind
from bot.signature import fingerprint
from bot.telemetry.unfinished import MIN_REQUESTS
from tests.diagnosis import cases
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S, edge
from tests.telemetry.world import CARRIERS, GATE, T0, Faults, System, new_scout, objective, play, policies

RELEASED_S, BROKEN_S, END_S = T0 + 30, T0 + 38, T0 + 60
FEW_A_SECOND = 1.5
BEFORE, AFTER = "a" * 40, "b" * 40
SOUTH_HANGS = Faults(hanging="south")


def released_then_broken(seed: int, listening_s: float, fault: Faults) -> System:
    """The gate is released, and eight seconds later something breaks."""
    system = System(random.Random(seed), faults=Faults(commits={GATE: BEFORE}))
    system.traffic(RELEASED_S - listening_s, RELEASED_S, buys_per_s=FEW_A_SECOND)
    system.faults = Faults(commits={GATE: AFTER})
    system.traffic(RELEASED_S, BROKEN_S, buys_per_s=FEW_A_SECOND)
    system.faults = replace(fault, commits={GATE: AFTER})
    system.traffic(BROKEN_S, END_S, buys_per_s=FEW_A_SECOND)
    return system


def at_first_sight(seed: int, listening_s: float, fault: Faults = SOUTH_HANGS) -> Case:
    """The case at the moment of the signal; only what came since the release counts as the past. The release is its only change."""
    scout, _ = new_scout(policies(objective()))
    now_s, signal = play(released_then_broken(seed, listening_s, fault), scout, T0, END_S)[0]
    scout, _ = new_scout(policies(objective()))
    play(released_then_broken(seed, listening_s, fault), scout, T0, now_s)
    signal = replace(signal, before=replace(signal.before, start_s=RELEASED_S))
    evidence = scout.evidence(signal, now_s)
    assert all(one.before_requests < MIN_REQUESTS for one in evidence.edges if one.caller == GATE)
    deploys = tuple(mark.id for mark in evidence.deploys if mark.previous_commit)
    assert deploys
    commit = cases.commit(AFTER, ChangedFile("deploy/gate.yaml", "modified", 1, 1, patch="@@ -1 +1 @@\n-north: 30\n+north: 1"))
    record = IncidentRecord(fingerprint(signal.service, signal.operation, signal.kind.value), signal, evidence)
    return Case(record, evidence, (Change(commit, deploys, (GATE,)),), (), "f" * 40)


@pytest.mark.parametrize("seed", [0, 3, 5])
@pytest.mark.parametrize("listening_s", [2.0, 30.0], ids=["just started", "listening for long"])
def test_a_carrier_hangs_right_after_a_release_then_the_release_is_no_rival(seed: int, listening_s: float) -> None:
    case = at_first_sight(seed, listening_s)
    first = localise(case).candidates[0]
    assert (first.suspect.kind, first.suspect.name) == ("dependency", "south")
    assert first.measure("unrivalled") == 1.0
    assert describe(case, first).errors == (HANGS,), "memory knows it by that, whether a call was given up, has not ended, or left no span"


@pytest.mark.parametrize("seed", [0, 3, 5])
@pytest.mark.parametrize("stalls_first", [True, False], ids=["before its calls", "after its calls"])
def test_the_released_gate_itself_does_not_come_to_an_end_then_no_carrier_is_blamed_for_it(seed: int, stalls_first: bool) -> None:
    found = localise(at_first_sight(seed, 30.0, Faults(stall_s=30.0, stalls_first=stalls_first))).candidates
    assert (found[0].suspect.kind, found[0].suspect.name, found[0].suspect.at) == ("change", AFTER, GATE)
    assert not {one.suspect.name for one in found} & set(CARRIERS)


def test_what_calls_what_is_known_from_before_an_earlier_incident_too() -> None:
    for listening_s, known in ((2.0, False), (30.0, True)):
        bad = [trace for trace in at_first_sight(5, listening_s).evidence.traces if trace.bad]
        assert any(span.peer == "south" and not span.finished for trace in bad for span in trace.spans) is known


def call(n: int, peer: str, offset_ms: float) -> SpanView:
    return SpanView(f"s{n}", "hub", "POST", "client", f"s{n // 10 * 10}", offset_ms, 20.0, False, 200, "", peer, "")


def hub(n: int, ms: float, *, finished: bool = True) -> SpanView:
    return SpanView(f"s{n}", "hub", "POST /orders", "server", None, 0.0, ms, False, None, "", "", "", finished)


@pytest.mark.parametrize(("second_ms", "must"), [(2.0, True), (25.0, False)], ids=["at the same time", "one after the other"])
def test_an_absent_call_is_waited_for_only_if_it_must_have_begun(second_ms: float, must: bool) -> None:
    """The hub asks both depots at once, or the second when the first has answered. Then it may be the hub that never gets so far."""
    bad = [TraceView(f"t{i}", True, FIRST_BAD_S, (hub(10 * i, 5000, finished=False), call(10 * i + 1, "depot-north", 1))) for i in (1, 2)]
    good = TraceView("t3", False, FIRST_BAD_S - 60, (hub(30, 50), call(31, "depot-north", 1), call(32, "depot-south", second_ms)))
    edges = (edge(1, "hub", "depot-north", 20, 20), replace(edge(2, "hub", "depot-south", 20, None), now_requests=0))
    release = DeployMark("d1", "hub", cases.sha(2), cases.sha(1), FIRST_BAD_S - 10)
    evidence = Evidence(NOW_S, traces=(*bad, good), edges=edges, deploys=(release,))
    record = cases.incident(SignalKind.LATENCY, evidence, cases.measured(50), cases.measured(5000))
    change = Change(cases.commit(cases.sha(2), ChangedFile("app/hub/main.py", "modified", 1, 1)), ("d1",), ("hub",))
    case = Case(record, evidence, (change,), (), "f" * 40)
    assert spent(evidence.traces, begun(case))["depot-south" if must else "hub"].share > 0.95
    south = next(one for one in localise(case).candidates if one.suspect.name == "depot-south")
    assert (south.measure("unrivalled") == 1.0) is must
    assert describe(case, south).errors == (HANGS,)
