"""Sketches: quantiles within one per cent, whatever the values; merging loses nothing; the size is bounded."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.telemetry.sketch import BUCKETS, LARGEST_MS, RELATIVE_ERROR, SMALLEST_MS, Sketch, bucket_of

durations = st.floats(SMALLEST_MS, LARGEST_MS)
SLACK = 1e-9  # of floating point


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@given(st.lists(durations, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_at_most_one_per_cent_off(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    found = sketch_of(values).quantile(q)
    assert found is not None and abs(found - exact) <= (RELATIVE_ERROR + SLACK) * exact


@given(st.lists(durations, max_size=40), st.lists(durations, max_size=40))
def test_merging_is_the_same_as_adding_everything_in_one_place(a: list[float], b: list[float]) -> None:
    merged = sketch_of(a)
    merged.merge(sketch_of(b))
    assert merged == sketch_of(a + b) and merged.count == len(a) + len(b)


@given(st.lists(durations, max_size=40), st.integers(1, 2**40))
def test_what_is_packed_comes_back(values: list[float], many: int) -> None:
    sketch = sketch_of(values)
    assert Sketch.unpacked(b"before" + sketch.packed() + b"behind", 6) == sketch
    sketch.add(5.0, many)
    assert Sketch.unpacked(sketch.packed()).count == len(values) + min(many + values.count(5.0), 2**32 - 1) or many < 2**32


@settings(max_examples=50)
@given(st.lists(durations, max_size=60), durations)
def test_values_above_a_limit_are_counted_up_to_those_that_are_almost_at_it(values: list[float], limit: float) -> None:
    found = sketch_of(values).count_above(limit)
    assert sum(value > limit * (1 + 3 * RELATIVE_ERROR) for value in values) <= found <= sum(value > limit for value in values)


def test_nothing_added_is_nothing_known() -> None:
    sketch = Sketch()
    assert (sketch.count, sketch.quantile(0.5), sketch.count_above(0.0)) == (0, None, 0)
    sketch.merge(Sketch())
    assert sketch.buckets() == [] and Sketch.unpacked(sketch.packed()) == sketch


@pytest.mark.parametrize("odd", [0.0, -5.0, 1e-9, 1e300, math.inf])
def test_values_outside_the_range_are_counted_at_its_ends(odd: float) -> None:
    sketch = sketch_of([odd])
    assert sketch.count == 1 and bucket_of(odd) in (0, BUCKETS - 1)


def test_the_size_does_not_grow_with_the_number_of_values() -> None:
    rng = random.Random(1)
    sketch = sketch_of([rng.lognormvariate(3.0, 4.0) for _ in range(20_000)])
    assert len(sketch.packed()) < 2 * BUCKETS
