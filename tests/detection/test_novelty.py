"""A gauge that stands alone: what is unlike its past scores high, what belongs to its life does not, and one anomaly is told once."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.detection.novelty import LARGEST, REST_POINTS, UNUSUAL, Novelty
from bot.detection.novelty_scale import Scale

STEP_S = 300.0
DAY = 96  # points of a simulated day: short, so that weeks are cheap


def scores_of(values: Sequence[float], start_s: float = 0.0, step_s: float = STEP_S) -> list[float]:
    novelty = Novelty()
    return [novelty.add(start_s + i * step_s, value) for i, value in enumerate(values)]


def told(scores: Sequence[float], start: int = 0) -> list[int]:
    """The points whose score is worth telling someone."""
    return [i for i, score in enumerate(scores) if i >= start and score >= UNUSUAL]


def daily(days: int, seed: int = 1, noise: float = 0.02) -> list[float]:
    """A day like any other: low at night, two humps, a little noise."""
    rng = random.Random(seed)
    phase = [2 * math.pi * i / DAY for i in range(days * DAY)]
    return [10.0 - 6.0 * math.cos(p) - 2.0 * math.cos(2 * p) + rng.gauss(0.0, noise) for p in phase]


def test_a_spike_in_a_daily_rhythm_is_told_when_it_happens_and_the_rhythm_is_not() -> None:
    values = daily(20)
    spike = 15 * DAY + 10
    quiet = told(scores_of(values), start=3 * DAY)
    values[spike] += 12.0
    found = told(scores_of(values), start=3 * DAY)
    assert spike in found
    assert len(quiet) <= 4, "17 days without a fault"
    assert [i for i in found if i < spike] == [i for i in quiet if i < spike]


def test_a_value_that_is_common_at_another_hour_is_odd_at_night() -> None:
    """No single value is new: only the shape over the last points is."""
    values = daily(20)
    night = 15 * DAY - 8
    values[night : night + 16] = [14.0 + 0.02 * (i % 3) for i in range(16)]
    assert min(values) < 14.0 < max(values)
    assert any(night <= i < night + 32 for i in told(scores_of(values)))


def test_a_level_shift_is_told_once_and_soon_is_how_things_are() -> None:
    rng = random.Random(3)
    values = [rng.gauss(10.0, 1.0) for _ in range(1_500)] + [rng.gauss(40.0, 1.0) for _ in range(1_000)]
    found = told(scores_of(values), start=1_490)
    assert found[0] == 1_500
    assert len([i for i in found if i < 1_500 + REST_POINTS]) == 1
    assert len([i for i in found if i > 1_700]) <= 3, "the new level is normal now"


def test_what_happens_again_within_the_rest_is_not_told_again_unless_it_is_worse() -> None:
    rng = random.Random(4)
    values = [rng.gauss(10.0, 1.0) for _ in range(2_000)]
    values[1_000] = values[1_010] = 60.0
    assert [i for i in told(scores_of(values)) if 1_000 <= i < 1_000 + REST_POINTS] == [1_000]


def test_after_a_rest_the_next_anomaly_is_told() -> None:
    rng = random.Random(4)
    values = [rng.gauss(10.0, 1.0) for _ in range(2_000)]
    values[1_000] = 60.0
    values[1_000 + 2 * REST_POINTS] = 200.0
    assert {1_000, 1_000 + 2 * REST_POINTS} <= set(told(scores_of(values)))


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e12])
def test_a_constant_series_never_scores_and_its_first_change_does(value: float) -> None:
    scores = scores_of([value] * 800 + [value * 2 + 1])
    assert scores[:-1] == [0.0] * 800
    assert scores[-1] >= UNUSUAL


def test_what_computing_with_floats_leaves_behind_is_no_novelty() -> None:
    rng = random.Random(5)
    assert set(scores_of([0.3 * (1.0 + rng.gauss(0.0, 1e-13)) for _ in range(1_000)])) == {0.0}


def test_pure_noise_is_seldom_told() -> None:
    """Not even one in a hundred points of a series in which nothing ever happens."""
    rng = random.Random(6)
    assert len(told(scores_of([rng.gauss(0.0, 1.0) for _ in range(4_000)]))) <= 20


@pytest.mark.parametrize("change", [lambda v: -3.0 * v + 1e6, lambda v: v * 1e-9, lambda v: v * 1e9], ids=["turned", "tiny", "huge"])
def test_the_unit_of_a_gauge_does_not_matter(change: Callable[[float], float]) -> None:
    values = daily(8)
    values[600] += 12.0
    assert told(scores_of([change(v) for v in values])) == told(scores_of(values)) != []


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, LARGEST * 10])
def test_what_is_no_measurement_is_counted_and_leaves_no_trace(odd: float) -> None:
    values = daily(6)
    plain, holed = Novelty(), Novelty()
    expected = [plain.add(i * STEP_S, value) for i, value in enumerate(values)]
    found = []
    for i, value in enumerate(values):
        if i % 50 == 7:
            assert holed.add(i * STEP_S, odd) == 0.0
        found.append(holed.add(i * STEP_S, value))
    assert found == expected
    assert (plain.ignored, holed.ignored) == (0, len(range(7, len(values), 50)))


def test_a_clock_set_back_changes_nothing() -> None:
    values = daily(12)
    values[900] += 12.0
    novelty = Novelty()
    back_s = [0.0 if i < 500 else -400 * STEP_S for i in range(len(values))]
    assert [novelty.add(i * STEP_S + back_s[i], value) for i, value in enumerate(values)] == scores_of(values)


def test_points_on_two_sides_of_a_gap_are_no_shape() -> None:
    """The sender was silent from midday to midnight: the jump between them is nobody's anomaly."""
    before, after = daily(10)[: -DAY // 2], daily(5, seed=2)
    gapless, gapped = Novelty(), Novelty()
    for i, value in enumerate(before):
        gapless.add(i * STEP_S, value)
        gapped.add(i * STEP_S, value)
    start_s = len(before) * STEP_S
    without = [(gapless.add(start_s + i * STEP_S, value), gapless.rarity_decades)[1] for i, value in enumerate(after[:32])]
    with_gap = [(gapped.add(start_s + 7 * 86_400 + i * STEP_S, value), gapped.rarity_decades)[1] for i, value in enumerate(after[:32])]
    assert max(with_gap) < 0.7 * max(without)


def test_a_series_that_is_sent_more_rarely_from_now_on_is_still_judged_by_its_shape() -> None:
    values = daily(20)
    night = 15 * DAY - 8
    values[night : night + 16] = [14.0 + 0.02 * (i % 3) for i in range(16)]
    novelty = Novelty()
    scores = [novelty.add(i * 1.0 if i < 5 * DAY else i * 3_600.0, value) for i, value in enumerate(values)]
    assert any(night <= i < night + 32 for i in told(scores))


def test_the_score_of_a_point_does_not_know_the_future() -> None:
    values = daily(10)
    values[700] += 12.0
    assert scores_of(values)[:650] == scores_of(values[:650])


def test_the_score_says_how_rare_and_the_rarity_stays_when_it_was_told() -> None:
    novelty = Novelty()
    rng = random.Random(7)
    for i in range(1_000):
        novelty.add(i * STEP_S, rng.gauss(0.0, 1.0))
    first = novelty.add(1_000 * STEP_S, 50.0)
    decades = novelty.rarity_decades
    second = novelty.add(1_001 * STEP_S, 50.5)
    assert first == pytest.approx(1.0 - 10.0 ** -(math.floor(decades * 2) / 2))
    assert second == 0.0
    assert novelty.rarity_decades > 1.0


def test_a_slow_climb_is_not_hidden_by_its_own_beginning() -> None:
    """Each window of a climb is close to the one a point before, but that one shares its points: it is no past."""
    rng = random.Random(8)
    scale = Scale(4)
    values = [rng.gauss(0.0, 0.1) for _ in range(1_500)] + [0.02 * i for i in range(100)]
    decades = [scale.decades(values[max(0, i - 3) : i + 1]) for i in range(len(values))]
    assert sum(decades[:1_500]) / 1_500 < 0.5
    assert sum(decades[1_525:1_575]) / 50 > 1.0


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=150))
def test_whatever_comes_there_is_a_score(points: list[tuple[float, float]]) -> None:
    novelty = Novelty()
    for at_s, value in points:
        assert 0.0 <= novelty.add(at_s, value) < 1.0
