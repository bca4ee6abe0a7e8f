"""Slowness by exemplar traces: whose own time it is, who asks more often, and which of two commits deployed together it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diagnosis.case import Case, Change
from bot.diagnosis.challenge import challenge
from bot.diagnosis.localise import localise
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.diagnosis.spent import spent
from bot.evidence import DeployMark, Evidence, TraceView
from bot.forge import ChangedFile
from bot.model import SignalKind
from tests.diagnosis import cases
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S, edge
from tests.diagnosis.requests import Pen, compared
from tests.diagnosis.test_localise import diagnose

ORDINARY = {"shop": 10.0, "pricing": 20.0, "hub": 30.0, "depot": 40.0}
SHOPS, PRICINGS, OTHER = cases.sha(5), cases.sha(6), cases.sha(7)


def test_a_service_is_slow_by_itself_then_the_extra_time_is_its_own_and_not_its_callers() -> None:
    found = spent(compared(ORDINARY, {**ORDINARY, "pricing": 500.0}))
    assert found["pricing"].share == pytest.approx(1.0) and (found["pricing"].before_ms, found["pricing"].now_ms) == (20.0, 500.0)
    assert "shop" not in found or found["shop"].share == 0.0


def test_a_third_party_is_slow_then_the_extra_time_is_the_partys() -> None:
    found = spent(compared(ORDINARY, {**ORDINARY, "depot": 900.0}))
    assert max(found, key=lambda name: found[name].share) == "depot" and found["depot"].share > 0.95


def test_a_service_asks_ten_times_as_often_then_it_is_to_blame_and_not_whom_it_asks() -> None:
    pen = Pen()
    traces = (*(pen.trace(True, ORDINARY, asks=10) for _ in range(3)), *(pen.trace(False, ORDINARY) for _ in range(2)))
    found = spent(traces)
    assert found["hub"].share > 0.95 and found["hub"].asked == "depot"


@pytest.mark.parametrize(
    "traces",
    [compared(ORDINARY, {"pricing": 500.0}, good=0), compared({"pricing": 500.0}, ORDINARY, bad=0), compared(ORDINARY, ORDINARY), ()],
    ids=["no good ones", "no bad ones", "as long as ever", "none"],
)
def test_there_is_nothing_to_compare_then_nobody_is_named(traces: tuple[TraceView, ...]) -> None:
    assert spent(traces) == {}


def change(sha: str, service: str, path: str, line: str = "new") -> Change:
    touched = ChangedFile(path, "modified", 1, 1, patch=f"@@ -1 +1 @@\n-old\n+{line}")
    return Change(cases.commit(sha, touched), ("d1", "d2"), (service,))


def slow_case(traces: tuple[TraceView, ...], *changes: Change) -> Case:
    """Edges say only that pricing's answers take long; both services were deployed two seconds before."""
    marks = tuple(DeployMark(f"d{i}", service, OTHER, "0" * 40, FIRST_BAD_S - 2) for i, service in ((1, "shop"), (2, "pricing")))
    edges = (edge(1, "shop", "pricing", 200, 700), edge(2, "pricing", "hub", 150, 150), edge(3, "hub", "depot", 100, 100))
    evidence = Evidence(NOW_S, traces=traces, edges=edges, deploys=marks)
    record = cases.incident(SignalKind.LATENCY, evidence, cases.measured(250), cases.measured(750))
    return Case(record, evidence, changes, (), "f" * 40)


def test_two_commits_are_deployed_together_then_own_time_decides_between_their_services() -> None:
    both = (change(SHOPS, "shop", "app/shop/page.py"), change(PRICINGS, "pricing", "app/pricing/rates.py"))
    for slow, guilty in (("pricing", PRICINGS), ("shop", SHOPS)):
        case = slow_case(compared(ORDINARY, {**ORDINARY, slow: 500.0}), *both)
        commits = [one.suspect.name for one in localise(case).candidates if one.suspect.kind == "change"]
        assert commits[0] == guilty


def test_what_is_said_of_own_time_cites_spans_and_stands_up_to_the_challenge() -> None:
    case = slow_case(compared(ORDINARY, {**ORDINARY, "pricing": 500.0}), change(PRICINGS, "pricing", "app/pricing/rates.py"))
    claims = challenge(case, EvidenceReasoner().opine(case).claims)
    told = [one for one in claims if "of its own" in one.text]
    assert told and all(one.holds for one in claims)
    assert {evidence_id[0] for one in told for evidence_id in one.evidence} == {"s"}
    assert "500 ms" in told[0].text and "20 ms" in told[0].text


def test_a_figure_that_no_trace_shows_does_not_stand_up() -> None:
    case = slow_case(compared(ORDINARY, {**ORDINARY, "pricing": 500.0}), change(PRICINGS, "pricing", "app/pricing/rates.py"))
    told = next(one for one in EvidenceReasoner().opine(case).claims if "of its own" in one.text)
    assert not challenge(case, [replace(told, text=told.text.replace("500 ms", "900 ms"))])[0].holds


def test_two_commits_to_one_service_then_the_one_that_speaks_of_the_slow_step_is_first() -> None:
    pen = Pen()
    usual, now = {"load_rates": 20.0, "render": 20.0}, {"load_rates": 600.0, "render": 20.0}
    traces = (*(pen.trace(True, ORDINARY, steps=now) for _ in range(3)), *(pen.trace(False, ORDINARY, steps=usual) for _ in range(2)))
    guilty, other = change(PRICINGS, "pricing", "app/pricing/rates.py"), change(SHOPS, "pricing", "app/pricing/pages.py")
    for order in ((guilty, other), (other, guilty)):
        found = [one for one in localise(slow_case(traces, *order)).candidates if one.suspect.kind == "change"]
        assert found[0].suspect.name == PRICINGS and found[0].measure("code_match") > found[1].measure("code_match")


def test_the_only_commit_to_a_slow_service_without_a_word_of_the_step_is_named_and_not_acted_upon() -> None:
    case = slow_case(compared(ORDINARY, {**ORDINARY, "pricing": 2000.0}), change(PRICINGS, "pricing", "app/pricing/x.py"))
    diagnosis = diagnose(case)
    assert diagnosis.suspects[0].name == PRICINGS and diagnosis.confidence <= 0.90


def test_a_sibling_that_is_asked_ten_times_as_often_does_not_make_the_other_calls_silent() -> None:
    pen = Pen()
    traces = (*(pen.trace(True, ORDINARY, asks=10) for _ in range(3)), *(pen.trace(False, ORDINARY) for _ in range(2)))
    busy, calm = replace(edge(1, "hub", "store", 40, 40), now_requests=400), replace(edge(2, "hub", "depot", 40, 40), now_requests=40)
    evidence = Evidence(NOW_S, traces=traces, edges=(busy, calm))
    record = cases.incident(SignalKind.LATENCY, evidence, cases.measured(150), cases.measured(700))
    assert localise(Case(record, evidence, (), (), "f" * 40)).candidates == ()
