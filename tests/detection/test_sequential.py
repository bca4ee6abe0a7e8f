"""The sequential detector: how soon it sees a bad time, and how rarely it sees one that is not there."""

from __future__ import annotations

import math
import random
from bisect import bisect
from functools import cache
from itertools import accumulate

import pytest

from bot.detection.sequential import Sequential

TICK_S = 0.5


def drawn(rng: random.Random, tries: int, p: float) -> int:
    """How many of so many independent tries succeed."""
    return bisect(chances(tries, p), rng.random())


@cache
def chances(tries: int, p: float) -> list[float]:
    """Of at most 0, 1, 2 … successes: the binomial distribution, summed up."""
    return list(accumulate(math.comb(tries, k) * p**k * (1 - p) ** (tries - k) for k in range(tries)))


def first_alarm_s(
    detector: Sequential, rng: random.Random, rate_per_s: float, bad_ratio: float, until_s: float, null_ratio: float
) -> float | None:
    """When it speaks of a stream of requests that are bad independently of each other; None when it does not."""
    now_s = 0.0
    while now_s < until_s:
        now_s += TICK_S
        requests = drawn(rng, 50, rate_per_s * TICK_S / 50)
        detector.update(requests, drawn(rng, requests, bad_ratio), TICK_S, null_ratio)
        if detector.alarmed:
            return now_s
    return None


@pytest.mark.parametrize("seed", range(5))
def test_thirty_percent_bad_at_twenty_requests_a_second_are_seen_within_three_seconds(seed: int) -> None:
    rng = random.Random(seed)
    detector = Sequential(0.01, 1.0)
    assert first_alarm_s(detector, rng, 20.0, 0.002, 300.0, 0.01) is None
    found = first_alarm_s(detector, rng, 20.0, 0.3, 60.0, 0.01)
    assert found is not None and found <= 3.0


def test_a_few_bad_requests_in_an_hour_add_up_where_no_window_would_show_them() -> None:
    detector = Sequential(0.02, 1.0)
    rng = random.Random(1)
    assert first_alarm_s(detector, rng, 0.05, 0.5, 3_600.0, 0.02) is not None


def test_false_alarms_stay_within_the_bound_at_the_very_ratio_that_is_allowed() -> None:
    """With a bound of one alarm in 2,000 s on average, 160 streams of 500 s may give 40 alarms at most, give or take chance."""
    per_year = 365.25 * 86_400 / 2_000.0
    rng = random.Random(7)
    alarms = sum(first_alarm_s(Sequential(0.02, per_year), rng, 4.0, 0.02, 500.0, 0.02) is not None for _ in range(160))
    assert 1 <= alarms <= 40


def test_a_lower_usual_ratio_makes_it_faster_but_no_less_sure() -> None:
    def needed(null_ratio: float) -> int:
        detector = Sequential(0.02, 1.0)
        count = 0
        while not detector.alarmed:
            detector.update(1, 1, 0.05, null_ratio)
            count += 1
        return count

    assert (needed(0.02), needed(0.001)) == (6, 4)


def test_bad_requests_that_come_in_clusters_count_for_less() -> None:
    calm, clustered = Sequential(0.02, 1.0), Sequential(0.02, 1.0)
    for detector, dispersion in ((calm, 1.0), (clustered, 4.0)):
        detector.update(20, 10, 1.0, 0.02, dispersion)
    assert calm.alarmed and not clustered.alarmed


def test_good_requests_bring_it_down_soon_however_long_the_bad_time_was() -> None:
    detector = Sequential(0.02, 1.0)
    detector.update(100_000, 50_000, 60.0, 0.02)
    assert detector.alarmed
    detector.update(200, 0, 10.0, 0.02)
    assert not detector.alarmed


def test_nothing_is_learnt_from_silence() -> None:
    detector = Sequential(0.02, 1.0)
    detector.update(0, 0, 10.0**9, 0.02)
    assert detector.value_s == 0.0
