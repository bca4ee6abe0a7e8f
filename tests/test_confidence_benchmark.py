"""Confidence on made-up incidents with known culprits: what is shipped holds on seeds that no fit has seen, and can be fitted again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from benchmarks.confidence import ENOUGH, HELD_OUT, NEEDED, Answer, answers, confidence_of, fit, report, shipped, wilson_low
from benchmarks.confidence_cases import FAMILIES, generate

POLICIES = shipped()
MODELS = {kind: model for kind, model in POLICIES.confidence if kind in NEEDED}
FIRST = HELD_OUT + 5_000


@cache
def cases() -> list[Answer]:
    return answers(range(FIRST, FIRST + 12 * len(FAMILIES)), POLICIES)


def test_nine_of_ten_answers_above_the_limit_are_right_and_the_others_say_how_sure_they_are() -> None:
    found = report(cases(), MODELS)
    assert found["sure_precision"] >= 0.93 and found["sure_share"] >= 0.30
    assert found["ece"] <= 0.10


def test_where_nobody_is_to_blame_hardly_anybody_is_acted_against() -> None:
    blameless = [one for one in cases() if not one.has_culprit]
    sure = [one for one in blameless if one.kind and confidence_of(one, MODELS) > ENOUGH]
    assert len(blameless) >= 60 and len(sure) <= 0.03 * len(blameless)


def test_a_switched_setting_that_is_named_rightly_is_never_acted_upon() -> None:
    named = [one for one in cases() if one.kind == "setting"]
    assert sum(one.right for one in named) > 0.7 * len(named) > 0
    assert all(confidence_of(one, MODELS) <= ENOUGH for one in named)


def test_a_seed_is_a_case_and_every_family_comes() -> None:
    assert generate(7, POLICIES).case == generate(7, POLICIES).case != generate(19, POLICIES).case
    assert {one.family for one in cases()} == set(FAMILIES)


def test_without_any_one_of_the_needed_features_nobody_acts_alone() -> None:
    for kind, needed in NEEDED.items():
        full = {name: float(weight > 0) for name, weight in MODELS[kind].weights}
        sure = Answer("", kind, tuple(full.items()), 0.0, True, True)
        assert confidence_of(sure, MODELS) > 0.95
        for name in needed:
            lacking = replace(sure, features=tuple({**full, name: 0.0}.items()))
            assert confidence_of(lacking, MODELS) <= ENOUGH, (kind, name)


def test_fitting_again_what_was_fitted_hardly_moves_it() -> None:
    again = fit(answers(range(10 * len(FAMILIES)), POLICIES), MODELS)
    before, after = report(cases(), MODELS), report(cases(), again)
    assert abs(before["ece"] - after["ece"]) <= 0.04 and abs(before["sure_precision"] - after["sure_precision"]) <= 0.04


def test_few_cases_promise_little() -> None:
    assert wilson_low(0, 0) == 0.0 and wilson_low(10, 10) < 0.75 < 0.95 < wilson_low(200, 200)
