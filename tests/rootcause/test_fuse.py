"""Views of several sources become one answer: who is named, when nobody is, and how sure."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.rootcause.calibrate import Model, Weights
from bot.rootcause.fuse import fuse
from bot.rootcause.model import Fault, Finding, Source, View

SURE = Weights(Model(1.0, (2.0, 1.0)), Model(1.0, (2.0, 1.0)))
DOUBTING = Weights(Model(-3.0, (1.0, 1.0)), Model(-3.0, (1.0, 1.0)))


def finding(service: str, strength: float, source: Source = "traces", fault: Fault = "slow", symptom_of: str = "") -> Finding:
    return Finding(service, fault, source, strength, f"{service} is odd", symptom_of=symptom_of)


def view(source: Source, *findings: Finding, comparable: bool = True, features: Mapping[str, float] | None = None) -> View:
    return View(source, findings, comparable, "" if comparable else "too little in common", features or {"compared": 1.0})


def test_the_service_that_is_odder_than_health_is_named_with_what_speaks_for_it() -> None:
    answer = fuse([view("traces", finding("db", 3.0), finding("web", 0.4))], SURE)
    assert (answer.verdict, [one.service for one in answer.suspects]) == ("culprit", ["db", "web"])
    assert "traces of db are 3.0 times as odd" in answer.reasons[0]


def test_two_sources_that_agree_are_stronger_than_each_alone() -> None:
    quiet = [view("traces", finding("db", 0.7)), view("logs", finding("web", 0.7, "logs"))]
    assert fuse(quiet, SURE).verdict == "no-culprit"
    agreed = [view("traces", finding("db", 0.7)), view("logs", finding("db", 0.7, "logs"))]
    assert fuse(agreed, SURE).verdict == "culprit" and fuse(agreed, SURE).suspects[0].service == "db"


def test_metrics_alone_may_accuse_and_beside_spans_they_only_add() -> None:
    moved = finding("db", 1.6, "metrics", "resource")
    assert fuse([view("metrics", moved)], SURE).verdict == "culprit"
    assert fuse([view("traces"), view("metrics", moved)], SURE).verdict == "no-culprit"
    assert fuse([view("traces", finding("db", 0.5)), view("metrics", moved)], SURE).verdict == "culprit"


def test_a_metric_that_nobody_can_name_says_nothing_beside_spans() -> None:
    moved = finding("db", 9.0, "metrics", "unknown")
    assert fuse([view("metrics", moved)], SURE).verdict == "culprit"
    assert fuse([view("traces"), view("metrics", moved)], SURE).verdict == "no-culprit"


def test_a_symptom_is_ranked_and_never_named() -> None:
    explained = finding("web", 50.0, symptom_of="db")
    assert fuse([view("traces", explained)], SURE).verdict == "no-culprit"
    answer = fuse([view("traces", explained, finding("db", 6.0))], SURE)
    assert [one.service for one in answer.suspects] == ["db", "web"]


@pytest.mark.parametrize(
    "views", [[], [view("traces", comparable=False)], [view("logs", comparable=False), view("metrics", comparable=False)]]
)
def test_with_nothing_to_compare_nothing_is_claimed(views: list[View]) -> None:
    answer = fuse(views, SURE)
    assert (answer.verdict, answer.confidence, answer.suspects) == ("inconclusive", 0.0, ())
    assert answer.reasons


def test_what_is_more_likely_wrong_than_right_is_not_said() -> None:
    assert fuse([view("traces", finding("db", 1.1))], DOUBTING).verdict == "inconclusive"


def test_services_without_a_name_are_no_suspects() -> None:
    assert fuse([view("metrics", finding("", 9.0, "metrics"))], SURE).suspects == ()


def test_an_answer_says_why_it_is_not_surer() -> None:
    views = [
        view("traces", finding("db", 3.0), finding("web", 2.5)),
        view("metrics", finding("cache", 1.8, "metrics")),
        view("logs", comparable=False),
    ]
    said = " ".join(fuse(views, SURE).reasons)
    assert "web is nearly as odd" in said and "metrics point to cache instead" in said and "logs say nothing: too little in common" in said


def test_more_evidence_is_never_less_sure() -> None:
    def sure(strength: float, second: float = 0.0) -> float:
        return fuse([view("traces", finding("db", strength), finding("web", second))], SURE).confidence

    assert sure(1.2) < sure(2.0) < sure(6.0) and sure(4.0, 3.5) < sure(4.0)
    quiet = [fuse([view("traces", finding("db", strength))], SURE).confidence for strength in (0.9, 0.5, 0.1)]
    assert quiet == sorted(quiet)
