"""Signals without a slow or failing request to follow: a full gauge, error logs, requests that stay away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.diagnosis.case import Case, Change
from bot.evidence import ConfigChange, DeployMark, EdgeStat, ErrorGroup, Evidence, LogGroup
from bot.forge import ChangedFile
from bot.journal import IncidentRecord
from bot.model import Measurement, Objective, Signal, SignalKind
from tests.diagnosis import cases
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S, edge
from tests.diagnosis.test_localise import diagnose, first

GUILTY, OTHER = cases.sha(5), cases.sha(6)
KINDS = (SignalKind.SATURATION, SignalKind.LOG_ERRORS, SignalKind.THROUGHPUT)
EDGES = (replace(edge(1, "shop", "pricing", 200, 200), now_requests=4), replace(edge(2, "pricing", "hub", 150, 150), now_requests=4))
LINE = LogGroup("l1", "pricing", "error", "no rate for tariff * of year *", "no rate for tariff 7 of year 3", 40, 0, FIRST_BAD_S)


def change(sha: str, service: str, line: str = "new") -> Change:
    touched = ChangedFile(f"app/{service}/rates.py", "modified", 1, 1, patch=f"@@ -1 +1 @@\n-old\n+{line}")
    return Change(cases.commit(sha, touched), ("d1", "d2"), (service,))


def deployed(ago_s: float) -> tuple[DeployMark, ...]:
    return tuple(DeployMark(f"d{i}", service, OTHER, "0" * 40, FIRST_BAD_S - ago_s) for i, service in ((1, "pricing"), (2, "shop")))


def case(
    kind: SignalKind,
    *changes: Change,
    ago_s: float = 5.0,
    edges: Sequence[EdgeStat] = EDGES,
    logs: Sequence[LogGroup] = (),
    errors: Sequence[ErrorGroup] = (),
    settings: Sequence[ConfigChange] = (),
) -> Case:
    """Something of pricing, as such signals are measured. The manifest is the hub's."""
    what = {SignalKind.SATURATION: "pool.connections", SignalKind.LOG_ERRORS: "error logs", SignalKind.THROUGHPUT: "POST /price"}[kind]
    objective = Objective("pricing", what, 1500, 0.02, 10, 5, 5, learnt=True, limit=0.9 if kind is SignalKind.SATURATION else None)
    before, now = Measurement(FIRST_BAD_S - 600, FIRST_BAD_S, 600, 0, 0, None, None), Measurement(FIRST_BAD_S, NOW_S, 2, 0, 0, None, None)
    evidence = Evidence(NOW_S, edges=tuple(edges), errors=tuple(errors), logs=tuple(logs), deploys=deployed(ago_s) if changes else ())
    evidence = replace(evidence, changes=tuple(settings))
    signal = Signal(kind, objective, before, now, FIRST_BAD_S, NOW_S)
    return Case(IncidentRecord("0" * 12, signal, evidence), evidence, changes, (("hub", cases.MANIFEST),), "f" * 40)


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_came_right_before_then_it_is_suspected_with_a_revert_at_hand(kind: SignalKind) -> None:
    diagnosis = diagnose(case(kind, change(GUILTY, "pricing")))
    assert (diagnosis.verdict, diagnosis.suspects[0].name, diagnosis.suspects[0].at) == ("culprit", GUILTY, "pricing")
    assert diagnosis.remedy is not None and diagnosis.remedy.commit == GUILTY
    assert diagnosis.claims and all(claim.holds for claim in diagnosis.claims)


@pytest.mark.parametrize("kind", KINDS)
def test_the_time_alone_is_not_enough_to_act_upon(kind: SignalKind) -> None:
    assert diagnose(case(kind, change(GUILTY, "pricing"))).confidence <= 0.90


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_came_before_then_there_is_no_culprit_and_it_says_what_was_compared(kind: SignalKind) -> None:
    diagnosis = diagnose(case(kind))
    assert (diagnosis.verdict, diagnosis.confidence, diagnosis.remedy) == ("no-culprit", 0.0, None)
    assert (
        "none of the 2 calls between services explains it" in diagnosis.cause and "nothing that I know of was deployed" in diagnosis.cause
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_was_switched_right_before_then_it_is_suspected_and_a_person_has_to_switch_it_back(kind: SignalKind) -> None:
    flag = ConfigChange("c1", "pricing", "pool.size", "5", "50", FIRST_BAD_S - 3)
    diagnosis = diagnose(case(kind, settings=(flag,)))
    assert [(s.kind, s.name) for s in diagnosis.suspects] == [("setting", "pool.size")]
    assert diagnosis.remedy is None and diagnosis.confidence <= 0.90 and all(claim.holds for claim in diagnosis.claims)


def test_the_older_the_deploy_the_less_it_is_believed() -> None:
    sure = [diagnose(case(SignalKind.SATURATION, change(GUILTY, "pricing"), ago_s=ago_s)).confidence for ago_s in (5, 300, 1500)]
    assert sure == sorted(sure, reverse=True) and sure[0] > sure[-1]


def test_a_commit_to_a_service_that_does_not_call_is_no_suspect_of_vanished_traffic() -> None:
    assert first(case(SignalKind.THROUGHPUT, change(GUILTY, "shop"))) == (GUILTY, "shop")
    away = replace(case(SignalKind.THROUGHPUT, change(GUILTY, "hub")), changes=(replace(change(GUILTY, "hub"), deploys=()),))
    assert first(away) == ("", "")


def test_more_traffic_fills_a_pool_then_a_commit_loses_confidence() -> None:
    busy = tuple(replace(one, now_requests=200) for one in EDGES)  # in 12 s, before 200 in 600 s
    grown, same = (diagnose(case(SignalKind.SATURATION, change(GUILTY, "pricing"), edges=edges)).confidence for edges in (busy, EDGES))
    assert grown < same


def test_the_commit_that_speaks_of_the_gauge_comes_first_among_those_of_one_deploy() -> None:
    both = (change(GUILTY, "pricing", "connections.keep(one)"), change(OTHER, "pricing"))
    for order in (both, both[::-1]):
        assert first(case(SignalKind.SATURATION, *order))[0] == GUILTY


def test_the_commit_that_wrote_the_logged_text_comes_first_and_text_alone_is_never_enough_to_act_upon() -> None:
    both = (change(GUILTY, "pricing", 'log.error("no rate for tariff %s of year %s", tariff, year)'), change(OTHER, "pricing"))
    for order in (both, both[::-1]):
        diagnosis = diagnose(case(SignalKind.LOG_ERRORS, *order, logs=(LINE,)))
        assert diagnosis.suspects[0].name == GUILTY and diagnosis.confidence <= 0.90
        assert any("l1" in claim.evidence for claim in diagnosis.claims) and all(claim.holds for claim in diagnosis.claims)


def test_errors_are_logged_with_an_exception_in_the_commits_lines_then_it_may_be_acted_upon() -> None:
    group = ErrorGroup("x1", "pricing", "POST /price", "KeyError", "", ("app/pricing/rates.py:rate:1",), 30, 0, FIRST_BAD_S, OTHER)
    diagnosis = diagnose(case(SignalKind.LOG_ERRORS, change(GUILTY, "pricing"), errors=(group,), logs=(LINE,)))
    assert diagnosis.suspects[0].name == GUILTY and diagnosis.confidence > 0.90


def test_calls_to_a_dependency_fail_then_it_is_suspected_of_taking_the_traffic_and_of_the_error_logs() -> None:
    failing = (EDGES[0], edge(2, "pricing", "depot-north", 150, 150, errors=30), edge(3, "pricing", "hub", 150, 150))
    for kind in (SignalKind.THROUGHPUT, SignalKind.LOG_ERRORS):
        assert first(case(kind, edges=failing)) == ("depot-north", "pricing")
    assert first(case(SignalKind.SATURATION, edges=failing)) == ("", "")


def test_a_slow_dependency_is_suspected_of_filling_the_pool_and_not_of_taking_the_traffic() -> None:
    slow = (EDGES[0], edge(2, "pricing", "depot-north", 150, 3000), edge(3, "pricing", "hub", 150, 150))
    assert first(case(SignalKind.SATURATION, edges=slow)) == ("depot-north", "pricing")
    assert first(case(SignalKind.THROUGHPUT, edges=slow)) == ("", "")
