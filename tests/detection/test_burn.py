"""Burn rates: what they find late, what only they find, and what they don't claim to know."""

from __future__ import annotations

from bot.detection.burn import PAIRS, Burn

DAY_S = 86_400.0


def minutes_until(burn: Burn, bad_ratio: float, start_s: float, limit_minutes: int, rate_per_minute: int = 1_000) -> int | None:
    """Minutes of a bad time until a pair speaks."""
    for minute in range(limit_minutes):
        now_s = start_s + minute * 60.0
        burn.observe(rate_per_minute, round(rate_per_minute * bad_ratio), now_s)
        if burn.burning(now_s) is not None:
            return minute + 1
    return None


def healthy(burn: Burn, days: float, rate_per_minute: int = 1_000) -> float:
    for minute in range(int(days * 1440)):
        burn.observe(rate_per_minute, 0, minute * 60.0)
    return days * DAY_S


def test_at_99_percent_the_fastest_pair_takes_29_minutes_to_see_that_30_percent_fail() -> None:
    burn = Burn(0.01, 5)
    assert minutes_until(burn, 0.30, healthy(burn, 1.0), 60) == 29


def test_a_service_without_a_past_is_held_to_have_had_a_good_one() -> None:
    assert minutes_until(Burn(0.01, 5), 0.30, 0.0, 60) == 29


def test_a_slow_burn_is_found_by_the_slowest_pair() -> None:
    burn = Burn(0.01, 5)
    start_s = healthy(burn, 3.0)
    found = minutes_until(burn, 0.02, start_s, 4_000)
    assert found is not None and 36 * 60 - 10 < found < 36 * 60 + 10  # one and a half days at twice what is allowed
    assert burn.burning(start_s + found * 60.0) is PAIRS[2]


def test_what_is_allowed_may_go_on_for_ever() -> None:
    assert minutes_until(Burn(0.01, 5), 0.01, 0.0, 6_000) is None


def test_few_bad_requests_at_low_traffic_are_no_burn() -> None:
    burn = Burn(0.01, 5)
    burn.observe(2, 2, 0.0)
    burn.observe(2, 2, 60.0)
    assert burn.burning(60.0) is None


def test_after_three_days_of_silence_nothing_is_left() -> None:
    burn = Burn(0.01, 5)
    for minute in range(60):
        burn.observe(100, 100, minute * 60.0)
    assert burn.burning(3_540.0) is not None
    assert burn.burning(3_540.0 + 400 * 60.0) is not PAIRS[0]
    burn.observe(100, 0, 4 * DAY_S)
    assert burn.burning(4 * DAY_S) is None
