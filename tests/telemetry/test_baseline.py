"""Operations without an objective: what is learnt of them, and what it takes before anyone is told."""

from __future__ import annotations

import math
import random

import pytest

from bot.model import SignalKind
from bot.policy.schema import Learn
from bot.telemetry.baseline import Baseline, Finding, tail_probability
from bot.telemetry.sketch import Sketch

HOUR_S = 3_600.0
STEP_S = 5.0


class Operation:
    """Makes the seconds of one operation: lognormal durations with a rhythm, some errors, and hands them to its baseline."""

    def __init__(self, seed: int, rate_per_s: float = 5.0) -> None:
        self.rng = random.Random(seed)
        self.rate_per_s = rate_per_s
        self.baseline = Baseline("shop", "buy", Learn(), 1.0)
        self.now_s = 0.0

    def play(self, seconds: float, *, times: float = 1.0, error_ratio: float = 0.002, slow_share: float = 0.0) -> Finding | None:
        """The first finding within so many seconds."""
        first, end_s = None, self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += STEP_S
            level = 1.0 + 0.5 * math.sin(2 * math.pi * self.now_s / 86_400.0)
            sketch, errors = Sketch(), 0
            for _ in range(round(self.rate_per_s * STEP_S * level)):
                slow = 10.0 if self.rng.random() < slow_share else 1.0
                sketch.add(100.0 * times * slow * self.rng.lognormvariate(0.0, 0.6))
                errors += self.rng.random() < error_ratio
            self.baseline.take(errors, sketch, self.now_s)
            first = first or self.baseline.look(self.now_s)
        return first


def test_nothing_is_said_before_there_is_enough_history() -> None:
    shop = Operation(1)
    assert shop.play(0.9 * HOUR_S) is None
    assert not shop.baseline.ready
    assert shop.play(300.0, slow_share=0.5) is None
    assert shop.play(0.2 * HOUR_S) is None
    assert shop.baseline.ready


def test_a_third_of_the_requests_ten_times_slower_is_found_with_a_limit_that_was_learnt() -> None:
    shop = Operation(2)
    assert shop.play(2 * HOUR_S) is None
    found = shop.play(90.0, slow_share=0.3)
    assert found is not None
    assert found.kind is SignalKind.LATENCY
    assert {"tail", "sequential"} <= set(found.detectors)
    assert found.objective.learnt
    assert found.objective.p99_ms == pytest.approx(1.5 * 100.0 * math.exp(0.6 * 2.326), rel=0.1)


def test_a_third_of_the_requests_failing_is_found() -> None:
    shop = Operation(3)
    assert shop.play(2 * HOUR_S) is None
    found = shop.play(60.0, error_ratio=0.3)
    assert found is not None and found.kind is SignalKind.ERRORS
    assert found.objective.error_ratio == pytest.approx(0.02, abs=0.005)


def test_a_release_that_makes_everything_a_quarter_slower_wakes_nobody_and_becomes_normal() -> None:
    shop = Operation(4)
    assert shop.play(2 * HOUR_S) is None
    assert shop.play(3 * HOUR_S, times=1.25) is None


def test_what_is_bad_is_not_learnt_while_it_is_noticed() -> None:
    shop = Operation(5)
    shop.play(2 * HOUR_S)
    assert shop.play(1 * HOUR_S, slow_share=0.3) is not None
    shop.play(300.0)  # on its way down
    assert shop.play(HOUR_S) is None
    assert shop.play(120.0, slow_share=0.3) is not None


def test_what_is_unusual_but_small_wakes_nobody() -> None:
    shop = Operation(6)
    shop.play(2 * HOUR_S)
    assert shop.play(HOUR_S, error_ratio=0.012) is None  # clearly more than usual, but nobody is woken for one in a hundred


@pytest.mark.parametrize(
    ("hits", "count", "ratio", "at_most"), [(0, 100, 0.01, 1.0), (1, 100, 0.01, 1.0), (10, 100, 0.01, 1e-6), (5, 5, 0.1, 2e-5)]
)
def test_the_binomial_tail_is_bounded_from_above(hits: int, count: int, ratio: float, at_most: float) -> None:
    exact = sum(math.comb(count, k) * ratio**k * (1 - ratio) ** (count - k) for k in range(hits, count + 1))
    assert exact <= tail_probability(hits, count, ratio) + 1e-12 <= at_most + 1e-11
