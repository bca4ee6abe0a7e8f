"""A call that has not ended leaves no span: its caller's time is not the caller's own, also right after the caller was released."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.diagnosis.case import Case, Change
from bot.diagnosis.localise import localise
from bot.diagnosis.silence import begun
from bot.diagnosis.spent import spent
from bot.evidence import Evidence, SpanView, TraceView
from bot.forge import ChangedFile
from bot.journal import IncidentRecord
from bot.model import SignalKind
from bot.signature import fingerprint
from bot.telemetry.unfinished import MIN_REQUESTS
from tests.diagnosis import cases
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S, edge
from tests.telemetry.world import GATE, T0, Faults, System, new_scout, objective, play, policies

RELEASED_S, BROKEN_S, END_S = T0 + 30, T0 + 42, T0 + 60
FEW_A_SECOND = 1.5
BEFORE, AFTER = "a" * 40, "b" * 40


def released_then_hanging(seed: int) -> tuple[System, float, float]:
    """The gate is released (a repair of an earlier incident), and twelve seconds later a carrier hangs."""
    system = System(random.Random(seed), faults=Faults(commits={GATE: BEFORE}))
    system.traffic(T0, RELEASED_S, buys_per_s=FEW_A_SECOND)
    system.faults = Faults(commits={GATE: AFTER})
    system.traffic(RELEASED_S, BROKEN_S, buys_per_s=FEW_A_SECOND)
    system.faults = Faults(hanging="south", commits={GATE: AFTER})
    system.traffic(BROKEN_S, END_S, buys_per_s=FEW_A_SECOND)
    return system, RELEASED_S, END_S


@pytest.mark.parametrize("seed", [0, 1, 3])  # with fewer requests since the release than an absent call is inferred from
def test_a_carrier_hangs_right_after_a_release_then_the_release_is_no_rival(seed: int) -> None:
    system, well_since_s, end_s = released_then_hanging(seed)
    scout, _ = new_scout(policies(objective()))
    now_s, signal = play(system, scout, T0, end_s)[0]
    system, _, _ = released_then_hanging(seed)
    scout, _ = new_scout(policies(objective()))
    play(system, scout, T0, now_s)
    signal = replace(signal, before=replace(signal.before, start_s=well_since_s))  # what was before is no past to compare with
    evidence = scout.evidence(signal, now_s)
    assert all(one.before_requests < MIN_REQUESTS for one in evidence.edges if one.caller == GATE)
    record = IncidentRecord(fingerprint(signal.service, signal.operation, signal.kind.value), signal, evidence)
    deploys = tuple(mark.id for mark in evidence.deploys if mark.previous_commit)
    assert deploys
    commit = cases.commit(AFTER, ChangedFile("deploy/gate.yaml", "modified", 1, 1, patch="@@ -1 +1 @@\n-north: 30\n+north: 1"))
    found = localise(Case(record, evidence, (Change(commit, deploys, (GATE,)),), (), "f" * 40)).candidates
    assert (found[0].suspect.kind, found[0].suspect.name) == ("dependency", "south")
    assert found[0].measure("unrivalled") == 1.0


def call(n: int, peer: str, offset_ms: float) -> SpanView:
    return SpanView(f"s{n}", "hub", "POST", "client", f"s{n // 10 * 10}", offset_ms, 20.0, False, 200, "", peer, "")


def hub(n: int, ms: float, *, finished: bool = True) -> SpanView:
    return SpanView(f"s{n}", "hub", "POST /orders", "server", None, 0.0, ms, False, None, "", "", "", finished)


@pytest.mark.parametrize(("second_ms", "whose"), [(2.0, "depot-south"), (25.0, "hub")], ids=["at the same time", "one after the other"])
def test_an_absent_call_is_waited_for_only_if_it_must_have_begun(second_ms: float, whose: str) -> None:
    """The hub asks both depots at once, or the second when the first has answered. Then it may be the hub that never gets so far."""
    bad = [TraceView(f"t{i}", True, FIRST_BAD_S, (hub(10 * i, 5000, finished=False), call(10 * i + 1, "depot-north", 1))) for i in (1, 2)]
    good = TraceView("t3", False, FIRST_BAD_S - 60, (hub(30, 50), call(31, "depot-north", 1), call(32, "depot-south", second_ms)))
    edges = (edge(1, "hub", "depot-north", 20, 20), replace(edge(2, "hub", "depot-south", 20, None), now_requests=0))
    evidence = Evidence(NOW_S, traces=(*bad, good), edges=edges)
    record = cases.incident(SignalKind.LATENCY, evidence, cases.measured(50), cases.measured(5000))
    found = spent(evidence.traces, begun(Case(record, evidence, (), (), "f" * 40)))
    assert found[whose].share > 0.95
