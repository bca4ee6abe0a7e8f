"""Confidence is fitted to labelled answers: it says what share of such answers was right, and never promises what few families showed."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Refused
from bot.rootcause.calibrate import HIGHEST, Example, Features, confidence, fit, load_weights, save_weights


def answered(count: int, families: int, seed: int = 1) -> list[Example]:
    """Culprits that are right the more often the odder they are; quiet stretches that are right nine times of ten."""
    draw, made = random.Random(seed), []
    for number in range(count):
        score = math.exp(draw.uniform(0, 2))
        right = float(draw.random() < 1 - 0.6 / score)
        made.append(Example("culprit", Features(score, draw.random(), 1.0), right, f"f{number % families}"))
        made.append(Example("no-culprit", Features(draw.random(), 0.0, 1.0), float(draw.random() < 0.9), f"q{number}"))
    return made


def test_of_answers_with_a_confidence_about_so_many_are_right() -> None:
    weights, fresh = fit(answered(400, 200)), answered(2000, 200, seed=2)
    for low, high in ((0.5, 0.75), (0.75, 0.98)):
        some = [one for one in fresh if low <= confidence(one.verdict, one.features, weights) < high]
        said = sum(confidence(one.verdict, one.features, weights) for one in some) / len(some)
        assert len(some) > 100 and abs(said - sum(one.right for one in some) / len(some)) < 0.08


def test_a_few_families_that_were_always_right_promise_less_than_many() -> None:
    def sure(families: int) -> float:
        right = [Example("culprit", Features(4.0, 0.5, 1.0), 1.0, f"f{number % families}") for number in range(60)]
        quiet = [Example("no-culprit", Features(0.2, 0.0, 1.0), 1.0, "q")]
        return confidence("culprit", Features(4.0, 0.5, 1.0), fit([*right, *quiet]))

    assert sure(2) < sure(10) < sure(60) <= HIGHEST


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0, 1), st.floats(0, 1))
def test_confidence_grows_with_the_evidence_and_stays_below_certainty(score: float, more: float, margin: float, wider: float) -> None:
    weights = load_weights()
    low, high = Features(score, min(margin, wider), 0.5), Features(score + more, max(margin, wider), 0.5)
    assert 0.0 < confidence("culprit", low, weights) <= confidence("culprit", high, weights) <= HIGHEST
    assert 0.0 < confidence("no-culprit", high, weights) <= confidence("no-culprit", low, weights) <= HIGHEST


def test_weights_survive_their_file_and_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    weights, path = fit(answered(50, 20), "here"), tmp_path / "w.json"
    save_weights(weights, path)
    assert load_weights(path) == weights
    path.write_text('{"culprit": {"bias": 1, "weights": [1]}}')
    with pytest.raises(Refused, match="--calibrate"):
        load_weights(path)


def test_without_answers_of_a_kind_nothing_is_fitted() -> None:
    with pytest.raises(Refused, match="nothing to calibrate"):
        fit([one for one in answered(5, 5) if one.verdict == "culprit"])
