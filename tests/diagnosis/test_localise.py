"""Localisation and confidence: what the evidence blames, and how sure it may be."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.diagnosis.case import Case, Change
from bot.diagnosis.challenge import challenge
from bot.diagnosis.conclude import conclude
from bot.diagnosis.localise import localise
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.evidence import DeployMark, ErrorGroup, Evidence, TraceView
from bot.forge import ChangedFile
from bot.model import Diagnosis, SignalKind
from tests.diagnosis import cases
from tests.diagnosis.cases import (
    BAD,
    FIRST_BAD_S,
    SAME_FILE,
    bad_case,
    bad_changes,
    bad_evidence,
    edge,
    error_group,
    hang_case,
    hang_evidence,
)


def diagnose(case: Case) -> Diagnosis:
    found = localise(case)
    claims = challenge(case, EvidenceReasoner().opine(case).claims)
    return conclude(case, found, found.candidates, claims, cases.policies(), reasoner="evidence")


def first(case: Case) -> tuple[str, str]:
    found = localise(case).candidates
    return (found[0].suspect.name, found[0].suspect.at) if found else ("", "")


def test_one_depot_hangs_then_it_is_blamed_at_the_nearest_caller_with_high_confidence() -> None:
    diagnosis = diagnose(hang_case())
    assert (diagnosis.verdict, diagnosis.suspects[0].name, diagnosis.suspects[0].at) == ("culprit", "depot-north", "hub")
    assert diagnosis.confidence > 0.93
    assert diagnosis.claims and all(claim.holds for claim in diagnosis.claims)
    assert diagnosis.remedy is not None and diagnosis.remedy.kind == "bound-dependency"


def test_a_commit_breaks_pricing_and_two_harmless_ones_follow_then_the_guilty_one_is_blamed() -> None:
    diagnosis = diagnose(bad_case())
    assert (diagnosis.verdict, diagnosis.suspects[0].name, diagnosis.suspects[0].at) == ("culprit", BAD, "pricing")
    assert diagnosis.confidence > 0.93
    assert all(claim.holds for claim in diagnosis.claims)
    assert diagnosis.remedy is not None and diagnosis.remedy.commit == BAD


def test_one_stray_failure_among_the_few_calls_that_are_left_does_not_rival_the_commit() -> None:
    """Pricing raises before it calls the hub, so hardly any calls are left, and one of four failed in the restart of the release."""
    evidence = bad_evidence()
    stray = replace(evidence.edges[1], before_requests=76, before_errors=0, now_requests=4, now_errors=1)
    edges = (evidence.edges[0], stray)
    uncounted, counted = (bad_case(replace(evidence, edges=edges, bad_requests=bad)) for bad in (0, 30))
    assert {one.suspect.name for one in localise(uncounted).candidates if one.suspect.score > 0.3} == {BAD, "hub"}
    assert first(counted) == (BAD, "pricing") and diagnose(counted).confidence > 0.93
    assert max((one.suspect.score for one in localise(counted).candidates if one.suspect.name == "hub"), default=0.0) < 0.1


def test_the_harmless_releases_came_later_with_deploys_of_their_own() -> None:
    marks = tuple(DeployMark(f"d{i}", "pricing", cases.sha(i), cases.sha(i - 1), FIRST_BAD_S - 1 + (i - 1) * 6) for i in (1, 2, 3))
    evidence = replace(bad_evidence(), deploys=marks, errors=(error_group(ran=BAD),))
    guilty = replace(bad_changes()[0], deploys=("d1",))
    assert diagnose(bad_case(evidence, (guilty,))).confidence > 0.93


def test_no_deploy_is_known_then_the_same_commit_is_named_but_not_surely() -> None:
    evidence = replace(bad_evidence(), deploys=(), errors=(error_group(ran=""),))
    diagnosis = diagnose(bad_case(evidence, bad_changes(())))
    assert diagnosis.suspects[0].name == BAD
    assert diagnosis.confidence <= 0.90


def test_no_change_is_known_at_all_then_the_failing_service_is_not_bounded_instead() -> None:
    diagnosis = diagnose(bad_case(replace(bad_evidence(), deploys=()), ()))
    assert diagnosis.verdict == "inconclusive" and diagnosis.remedy is None
    assert diagnosis.confidence <= 0.90


def test_the_client_spans_are_missing_then_nobody_is_named() -> None:
    diagnosis = diagnose(hang_case(replace(hang_evidence(), edges=())))
    assert diagnosis.verdict == "inconclusive" and diagnosis.confidence <= 0.90


def test_two_depots_hang_alike_then_confidence_is_not_enough() -> None:
    evidence = hang_evidence()
    twins = tuple(replace(e, now_p99_ms=6000.0, now_p50_ms=6000.0) if e.peer == "depot-south" else e for e in evidence.edges)
    assert diagnose(hang_case(replace(evidence, edges=twins))).confidence <= 0.90


def test_two_commits_changed_the_same_lines_then_confidence_is_not_enough() -> None:
    guilty = bad_changes()[0]
    twin = replace(guilty, commit=replace(guilty.commit, sha=SAME_FILE))
    assert diagnose(bad_case(changes=(guilty, twin))).confidence <= 0.90


@pytest.mark.parametrize("manifest", [None, "service: hub\ndependencies: {}\n", "not: [yaml"])
def test_the_manifest_has_nothing_to_bound_then_confidence_is_not_enough(manifest: str | None) -> None:
    diagnosis = diagnose(hang_case(manifest=manifest))
    assert diagnosis.suspects[0].name == "depot-north" and diagnosis.remedy is None
    assert diagnosis.confidence <= 0.90


def test_there_is_no_before_then_the_answer_is_inconclusive() -> None:
    case = hang_case()
    record = cases.incident(SignalKind.LATENCY, case.evidence, cases.measured(None, requests=0), cases.measured(6100))
    diagnosis = diagnose(replace(case, incident=record))
    assert (diagnosis.verdict, diagnosis.confidence, diagnosis.suspects) == ("inconclusive", 0.0, ())


def test_requests_that_do_not_come_are_explained_by_no_call() -> None:
    """Though a call got slower meanwhile: the few requests that came cannot say why the others did not."""
    case = hang_case()
    record = cases.incident(SignalKind.THROUGHPUT, case.evidence, cases.measured(300), cases.measured(6100, requests=3))
    diagnosis = diagnose(replace(case, incident=record))
    assert (diagnosis.verdict, diagnosis.confidence, diagnosis.remedy) == ("no-culprit", 0.0, None)


def test_nothing_that_is_seen_got_worse_then_there_is_no_culprit() -> None:
    calm = tuple(replace(e, now_p99_ms=e.before_p99_ms, now_p50_ms=e.before_p50_ms) for e in hang_evidence().edges)
    assert diagnose(hang_case(replace(hang_evidence(), edges=calm))).verdict == "no-culprit"


def test_a_callee_that_is_slow_because_of_its_own_callee_is_not_blamed() -> None:
    names = [(c.suspect.at, c.suspect.name) for c in localise(hang_case()).candidates]
    assert names == [("hub", "depot-north")]


def test_the_order_of_the_evidence_does_not_matter() -> None:
    rng = random.Random(7)
    for case in (hang_case(), bad_case()):
        expected = localise(case).candidates
        for _ in range(20):
            evidence = case.evidence
            edges = rng.sample(evidence.edges, len(evidence.edges))
            errors = rng.sample(evidence.errors, len(evidence.errors))
            deploys = rng.sample(evidence.deploys, len(evidence.deploys))
            shuffled = replace(evidence, edges=tuple(edges), errors=tuple(errors), deploys=tuple(deploys))
            assert localise(replace(case, evidence=shuffled)).candidates == expected


def silent_evidence(*, sequential: bool = False) -> Evidence:
    """Seconds after depot-north began to hang: nothing slow has ended, the calls to the other depots go on."""
    edges = [edge(1, "shop", "pricing", 260, None), edge(2, "pricing", "hub", 240, None), edge(3, "hub", "depot-north", 210, None)]
    edges = [replace(e, now_requests=0) for e in edges] + [replace(edge(4, "hub", "depot-south", 200, 200), now_requests=12)]
    last = edge(5, "hub", "depot-west", 200, None if sequential else 200)
    edges.append(replace(last, now_requests=0 if sequential else 12))
    seen = [cases.span(1, "hub", "client", 200, peer="depot-south")]
    normal = [
        replace(cases.span(2 + i, "hub", "client", 200, peer=f"depot-{w}"), offset_ms=200.0 * i)
        for i, w in enumerate(("south", "north", "west"))
    ]
    traces = (TraceView("t1", True, FIRST_BAD_S, tuple(seen)), TraceView("t2", False, FIRST_BAD_S - 60, tuple(normal)))
    return Evidence(cases.NOW_S, traces, tuple(edges))


def test_nothing_slow_has_ended_yet_then_the_silent_call_among_lively_siblings_is_blamed() -> None:
    diagnosis = diagnose(hang_case(silent_evidence()))
    assert (diagnosis.suspects[0].name, diagnosis.suspects[0].at) == ("depot-north", "hub")
    assert diagnosis.confidence > 0.93 and all(claim.holds for claim in diagnosis.claims)


def test_among_few_requests_one_that_was_slow_by_chance_before_hides_nothing() -> None:
    """The p99 of fewer than a hundred requests is the slowest of them."""
    evidence = hang_evidence()
    way = ("pricing", "hub", "depot-north")
    edges = [replace(e, before_requests=30, before_p99_ms=6400.0 if e.peer in way else e.before_p99_ms) for e in evidence.edges]
    case = hang_case(replace(evidence, edges=tuple(edges)))
    record = replace(case.incident, signal=replace(case.incident.signal, before=cases.measured(6450, requests=30)))
    found = localise(replace(case, incident=record)).candidates
    assert [one.suspect.name for one in found] == ["depot-north"]


def test_calls_in_a_row_then_only_the_first_silent_one_is_blamed() -> None:
    names = [c.suspect.name for c in localise(hang_case(silent_evidence(sequential=True))).candidates]
    assert names == ["depot-north"]


def test_silence_without_lively_siblings_blames_nobody() -> None:
    quiet = tuple(replace(e, now_requests=0) for e in silent_evidence().edges)
    assert localise(hang_case(replace(silent_evidence(), edges=quiet))).candidates == ()


def test_errors_that_are_time_outs_of_a_dependency_blame_the_dependency_not_the_last_commit() -> None:
    edges = (
        edge(1, "shop", "pricing", 200, 1000, errors=30, kinds=("500",)),
        edge(2, "pricing", "hub", 180, 1000, errors=30, kinds=("500",)),
        edge(3, "hub", "depot-north", 170, 1000, errors=30, kinds=("timeout",)),
        edge(4, "hub", "depot-south", 170, 180),
    )
    group = ErrorGroup("x1", "hub", "POST /orders", "ReadTimeout", "", ("app/hub/call.py:ask:10",), 30, 0, FIRST_BAD_S + 1, SAME_FILE)
    evidence = replace(bad_evidence(FIRST_BAD_S - 400), edges=edges, errors=(group,))
    case = bad_case(evidence)
    found = localise(case).candidates
    assert (found[0].suspect.name, found[0].suspect.at, found[0].mechanism) == ("depot-north", "hub", "dependency-hangs")


def test_a_wrong_address_was_just_deployed_then_bounding_the_dependency_is_not_done_alone() -> None:
    edges = (
        edge(1, "shop", "pricing", 200, 90, errors=30, kinds=("500",)),
        edge(2, "hub", "depot-north", 170, 3, errors=30, kinds=("connection_error",)),
    )
    group = replace(error_group(), service="hub", type="ConnectError", frames=("app/hub/call.py:ask:10",))
    change = Change(cases.commit(BAD, ChangedFile("app/hub/call.py", "modified", 1, 1, patch="@@ -10 +10 @@\n-a\n+b")), ("d1",), ("hub",))
    mark = DeployMark("d1", "hub", SAME_FILE, "0" * 40, FIRST_BAD_S - 1)
    evidence = replace(bad_evidence(), edges=edges, errors=(group,), deploys=(mark,))
    diagnosis = diagnose(bad_case(evidence, (change,)))
    assert {s.kind for s in diagnosis.suspects} == {"change", "dependency"}
    assert diagnosis.confidence <= 0.90


def test_errors_that_were_there_before_do_not_convict_a_commit() -> None:
    evidence = replace(bad_evidence(), errors=(error_group(before_count=25),))
    assert diagnose(bad_case(evidence)).confidence <= 0.90


def test_a_service_became_slow_right_after_its_deploy_then_the_change_is_suspected_before_the_dependency() -> None:
    edges = (edge(1, "shop", "pricing", 200, 6000), edge(2, "pricing", "hub", 150, 150))
    mark = DeployMark("d1", "pricing", BAD, "0" * 40, FIRST_BAD_S - 2)
    case = hang_case(Evidence(cases.NOW_S, edges=edges, deploys=(mark,)))
    case = replace(case, changes=(replace(bad_changes()[0], deploys=("d1",)),))
    assert first(case) == (BAD, "pricing")
    assert diagnose(case).confidence <= 0.90


def test_an_old_deploy_of_another_service_does_not_spoil_the_case_against_a_hanging_depot() -> None:
    mark = DeployMark("d1", "hub", BAD, "0" * 40, FIRST_BAD_S - 20)
    case = hang_case(replace(hang_evidence(), deploys=(mark,)))
    fix = Change(cases.commit(BAD, ChangedFile("deploy/hub.yaml", "modified", 3, 3)), ("d1",), ("hub",))
    diagnosis = diagnose(replace(case, changes=(fix,)))
    assert diagnosis.suspects[0].name == "depot-north" and diagnosis.confidence > 0.93


def test_names_are_only_names() -> None:
    def renamed(name: str) -> str:
        return {"shop": "shop"}.get(name, name[::-1])

    evidence = hang_evidence()
    edges = tuple(replace(e, caller=renamed(e.caller), peer=renamed(e.peer)) for e in evidence.edges)
    found = localise(hang_case(replace(evidence, edges=edges))).candidates
    assert (found[0].suspect.name, found[0].suspect.at) == ("htron-toped", "buh")


def test_a_suspect_whose_remedy_did_not_heal_is_not_named_again_and_lends_no_confidence() -> None:
    case = hang_case(hang_evidence())
    blamed = localise(case).candidates[0].suspect
    again = replace(case, tried=(blamed,))
    assert blamed not in [candidate.suspect for candidate in localise(again).candidates]
    assert diagnose(again).confidence <= 0.90
