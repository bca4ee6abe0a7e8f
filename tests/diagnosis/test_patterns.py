"""What the structure of bad exemplars shows alone: said as a claim, and as the honest cause when no change explains the incident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge
from bot.diagnosis.patterns import patterns
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.evidence import Evidence, TraceView
from bot.model import SignalKind
from tests.diagnosis import cases
from tests.diagnosis.cases import NOW_S, edge
from tests.diagnosis.requests import Pen
from tests.diagnosis.test_localise import diagnose

OWN = {"shop": 10.0, "pricing": 20.0, "hub": 30.0, "depot": 40.0}


def traces(bad: int, good: int, failing: int = 0) -> tuple[TraceView, ...]:
    """Three bad requests in which the hub asks the depot `bad` times, and two good ones with `good` calls."""
    pen = Pen()
    found = [pen.trace(True, OWN, asks=bad, failing=failing) for _ in range(3)]
    return (*found, *(pen.trace(False, OWN, asks=good, failing=min(failing, good - 1)) for _ in range(2)))


def case(some: tuple[TraceView, ...]) -> Case:
    evidence = Evidence(NOW_S, traces=some, edges=(edge(1, "hub", "depot", 40, 40),))
    record = cases.incident(SignalKind.LATENCY, evidence, cases.measured(200), cases.measured(900))
    return Case(record, evidence, (), (), "f" * 40)


def test_bad_requests_ask_one_by_one_then_it_is_said_with_the_traces_that_show_it() -> None:
    found = patterns(traces(12, 1))
    assert [one.text for one in found] == ["hub makes 12 equal calls to depot one after the other, in 3 of 3 bad exemplar traces"]
    assert set(found[0].ids) >= {"t1", "t2", "t3"}


def test_bad_requests_retry_without_pauses_then_it_is_said() -> None:
    assert "hub tries its call to depot 6 times, without pauses that grow" in patterns(traces(6, 1, failing=6))[0].text


@pytest.mark.parametrize(
    "some", [traces(12, 12), traces(3, 1), traces(6, 6, failing=6), ()], ids=["as ever", "few", "retries as ever", "none"]
)
def test_what_good_requests_show_as_well_is_no_pattern(some: tuple[TraceView, ...]) -> None:
    assert patterns(some) == ()


def test_no_change_explains_it_then_the_cause_says_what_the_traces_show() -> None:
    diagnosis = diagnose(case(traces(12, 1)))
    assert (diagnosis.verdict, diagnosis.suspects, diagnosis.remedy) == ("no-culprit", (), None)
    assert "no change explains it" in diagnosis.cause and "12 equal calls to depot one after the other" in diagnosis.cause
    assert diagnosis.claims and all(claim.holds for claim in diagnosis.claims)


def test_the_claim_falls_when_it_cites_a_good_trace() -> None:
    one = case(traces(12, 1))
    claim = EvidenceReasoner().opine(one).claims[0]
    assert challenge(one, [claim])[0].holds
    assert not challenge(one, [type(claim)(claim.text, ("t4",))])[0].holds


def test_a_name_from_telemetry_is_only_a_name() -> None:
    trace = Pen().trace(True, OWN, asks=12)
    spans = tuple(replace(span, peer="@everyone <b>{0}</b>") if span.peer == "depot" else span for span in trace.spans)
    text = patterns([replace(trace, spans=spans)])[0].text
    assert not {"<", ">", "@", "{", "}"} & set(text)
