"""Surprises mean what they say."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.detection.chance import binomial_surprise, summed_surprise
from bot.detection.tail import MIN_VALUES, Tail


def test_exponential_values_are_as_rare_as_they_are() -> None:
    draw, tail = random.Random(3), Tail()
    for _ in range(600):
        tail.learn(draw.expovariate(1.0))
    for rarity in (3.0, 5.0, 9.0):
        assert tail.surprise(rarity) == pytest.approx(rarity, rel=0.25)
        assert tail.surprise(tail.value_at(rarity)) == pytest.approx(rarity)


def test_noise_with_a_long_tail_makes_its_spikes_ordinary() -> None:
    draw, calm, wild = random.Random(4), Tail(), Tail()
    for _ in range(600):
        calm.learn(draw.gauss(0, 1))
        wild.learn(draw.gauss(0, 1) + (8.0 if draw.random() < 0.05 else 0.0))
    assert wild.surprise(8.0) < 6.0 < calm.surprise(8.0)


def test_nothing_is_surprising_before_enough_is_known() -> None:
    tail = Tail()
    for _ in range(MIN_VALUES - 1):
        tail.learn(1.0)
    assert tail.surprise(1e9) == 0.0 and tail.value_at(6.0) == math.inf


@given(st.lists(st.floats(-1e6, 1e6), min_size=MIN_VALUES, max_size=80), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_higher_value_is_never_less_surprising(values: list[float], value: float, more: float) -> None:
    tail = Tail()
    for one in values:
        tail.learn(one)
    assert tail.surprise(value + more) >= tail.surprise(value) - 1e-9


@given(st.integers(1, 60), st.floats(0.001, 0.6), st.data())
def test_binomial_chance_is_exact(total: int, share: float, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, total))
    exact = sum(math.comb(total, count) * share**count * (1 - share) ** (total - count) for count in range(bad, total + 1))
    expected = 0.0 if bad <= total * share else -math.log(exact)
    assert binomial_surprise(bad, total, share) == pytest.approx(expected, abs=1e-6)


def test_two_ordinary_intervals_together_are_ordinary() -> None:
    draw = random.Random(5)
    together = [summed_surprise(draw.expovariate(1.0) + draw.expovariate(1.0)) for _ in range(20_000)]
    assert sum(together) / len(together) == pytest.approx(1.0, abs=0.05)  # again exponential with mean 1
