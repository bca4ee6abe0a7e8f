"""What the novelty engine remembers: exact neighbours, ranks by one's own past, and no more of it after a long life."""

from __future__ import annotations

import random
import tracemalloc
from collections import deque
from math import dist, inf

import pytest

from bot.detection.novelty import Novelty
from bot.detection.novelty_memory import KEPT_AFTER_CLEARING, KEPT_VECTORS, Memory
from bot.detection.novelty_rank import FULL_COUNT, WARM_COUNT, Rank


def test_the_nearest_is_the_nearest_of_all() -> None:
    rng = random.Random(1)
    vectors = [tuple(rng.choice((rng.gauss(0, 1), float(rng.randrange(3)))) for _ in range(4)) for _ in range(600)]
    memory = Memory(4)
    for i, vector in enumerate(vectors):
        bound = memory.near(vector)
        truth = min((dist(vector, other) for other in vectors[:i]), default=inf)
        assert memory.nearest(vector, bound) == pytest.approx(truth, abs=1e-12) if i else bound == inf
        assert bound >= truth - 1e-12
        memory.add(vector)


def test_the_oldest_are_forgotten_first() -> None:
    memory = Memory(1)
    for number in range(KEPT_VECTORS + 1):
        memory.add((float(-number),))
    assert len(memory) == KEPT_AFTER_CLEARING
    assert memory.nearest((0.0,), inf) == KEPT_VECTORS + 1 - KEPT_AFTER_CLEARING
    assert memory.nearest((float(-KEPT_VECTORS),), inf) == 0.0


def test_a_p_value_is_the_share_of_the_past_that_is_as_large() -> None:
    rank = Rank()
    for number in range(1, WARM_COUNT):
        rank.add(float(number))
    assert (rank.cold, rank.p_value(1e6)) == (True, 1.0)
    for number in range(WARM_COUNT, 1_000):
        rank.add(float(number))
    assert not rank.cold
    assert rank.p_value(5_000.0) == pytest.approx(1 / 1_000)
    assert rank.p_value(900.0) == pytest.approx(0.1, abs=0.05)  # a bucket is 5 % wide
    assert rank.p_value(0.0) == 1.0


def test_above_nothing_but_zeros_everything_is_new_and_extremes_do_not_overflow() -> None:
    rank = Rank()
    for _ in range(99):
        rank.add(0.0)
    assert (rank.p_value(0.0), rank.p_value(1e-300)) == (1.0, 0.01)
    rank.add(1e-300)
    rank.add(1e300)
    assert rank.p_value(1e300) == pytest.approx(2 / 102)


def test_the_past_fades() -> None:
    """What was large long ago no longer hides what is large today."""
    rank = Rank()
    for _ in range(1_000):
        rank.add(100.0)
    for _ in range(6 * FULL_COUNT):
        rank.add(1.0)
    assert rank.p_value(50.0) < 0.01


def test_a_long_life_takes_no_more_memory_than_a_short_one() -> None:
    rng = random.Random(2)
    memory, rank = Memory(4), Rank()

    def live(steps: int) -> None:
        for _ in range(steps):
            memory.add((rng.random(), rng.random(), rng.random(), rng.random()))
            rank.add(rng.expovariate(1.0))

    live(2_000)
    tracemalloc.start()
    live(12_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 350 * 1_024, "one clearing's worth of new buffers (and the interpreter's free lists), however long it lives"


def test_one_gauge_takes_at_most_a_quarter_of_a_mebibyte() -> None:
    """Noise is the worst case: every window is new. 12,000 points fill and clear all that there is."""
    rng = random.Random(3)
    novelty = Novelty()
    for i in range(12_000):
        novelty.add(i * 10.0, rng.gauss(0.0, 1.0))
    assert 100 * 1_024 < deep_size(novelty, set()) < 256 * 1_024


def deep_size(thing: object, seen: set[int]) -> int:
    """Bytes of an object and all that it holds."""
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    held = list(thing) if isinstance(thing, (list, tuple, deque)) else list(getattr(thing, "__dict__", {}).values())
    return thing.__sizeof__() + sum(deep_size(item, seen) for item in held)
