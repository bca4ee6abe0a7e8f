"""Maintenance windows: read strictly, once or every week, in any offset from UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Refused
from bot.policy.maintenance import DAYS, Window, active
from tests.policy.texts import TEXTS, load


def windows(*items: str) -> tuple[Window, ...]:
    lines = "".join(f"  - {item}\n" for item in items)
    return load(slo=f"{TEXTS['slo']}maintenance:\n{lines}").maintenance


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


ONCE = "{service: shop, start: 2026-12-01T02:00:00+01:00, end: 2026-12-01T04:30:00+01:00, reason: the database moves}"
WEEKLY = "{service: all, weekly: 'Sun 02:00-04:00 UTC', reason: backups}"


def test_without_the_section_there_are_none() -> None:
    assert load().maintenance == ()
    assert load(slo=f"{TEXTS['slo']}maintenance: []\n").maintenance == ()
    assert active((), "shop", at("2026-12-01T01:00:00+00:00")) is None


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-12-01T00:59:59+00:00", False),
        ("2026-12-01T01:00:00+00:00", True),
        ("2026-12-01T03:29:59+00:00", True),
        ("2026-12-01T03:30:00+00:00", False),
        ("2026-12-08T01:30:00+00:00", False),
    ],
)
def test_a_window_holds_once_from_its_start_until_its_end(moment: str, inside: bool) -> None:
    (window,) = windows(ONCE)
    found = active([window], "shop", at(moment))
    assert (found == (window, at("2026-12-01T03:30:00+00:00"))) is inside and (found is not None) is inside
    assert active([window], "billing", at(moment)) is None
    assert (window.reason, window.line) == ("the database moves", 10)


@pytest.mark.parametrize(
    ("weekly", "inside", "outside"),
    [
        ("Sun 02:00-04:00 UTC", ["2026-11-29T02:00:00", "2031-01-05T03:59:59"], ["2026-11-29T04:00:00", "2026-11-30T03:00:00"]),
        ("Sat 23:00-01:00 UTC", ["2026-11-28T23:30:00", "2026-11-29T00:30:00"], ["2026-11-28T00:30:00", "2026-11-29T01:00:00"]),
        ("Mon 00:30-02:00 +02:00", ["2026-11-29T22:30:00", "2026-11-29T23:59:00"], ["2026-11-30T00:30:00"]),
        ("Wed 00:00-00:00 UTC", ["2026-11-25T00:00:00", "2026-11-25T23:59:59"], ["2026-11-26T00:00:00", "2026-11-24T23:59:59"]),
        ("Fri 20:00-21:00 -05:30", ["2026-11-28T01:45:00"], ["2026-11-27T20:30:00"]),
    ],
)  # fmt: skip
def test_a_weekly_window_comes_back_over_midnight_and_in_its_own_time(weekly: str, inside: list[str], outside: list[str]) -> None:
    found = windows(f"{{service: all, weekly: '{weekly}', reason: backups}}")
    assert [m for m in inside if active(found, "anything", at(f"{m}+00:00")) is None] == []
    assert [m for m in outside if active(found, "anything", at(f"{m}+00:00")) is not None] == []


moments = st.integers(1_600_000_000, 2_200_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(st.integers(0, 6), st.integers(0, 1_439), st.integers(1, 1_440), moments)
def test_a_weekly_window_is_what_a_calendar_says(day: int, start_min: int, length_min: int, now: datetime) -> None:
    end_min = (start_min + length_min) % 1_440
    clock = f"{start_min // 60:02d}:{start_min % 60:02d}-{end_min // 60:02d}:{end_min % 60:02d}"
    (window,) = windows(f"{{service: all, weekly: '{DAYS[day]} {clock} UTC', reason: backups}}")
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = [monday + timedelta(days=day, minutes=start_min, weeks=week) for week in (-1, 0)]
    expected = [b + timedelta(minutes=length_min) for b in begins if b <= now < b + timedelta(minutes=length_min)]
    ends_s = window.ends_s(now.timestamp())
    assert ([] if ends_s is None else [pytest.approx(ends_s, abs=1e-3)]) == [end.timestamp() for end in expected]


def test_of_several_windows_the_one_that_ends_last_counts() -> None:
    found = windows(
        "{service: shop, start: 2026-11-29T01:00:00Z, end: 2026-11-29T05:00:00Z, reason: long}",
        WEEKLY,
        "{service: shop, start: 2026-11-29T01:00:00Z, end: 2026-11-29T03:30:00Z, reason: short}",
    )
    now = active(found, "shop", at("2026-11-29T03:00:00+00:00"))
    assert now is not None and (now[0].reason, now[1]) == ("long", at("2026-11-29T05:00:00+00:00"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{service: shopp, weekly: 'Sun 02:00-04:00 UTC', reason: x}", "maintenance[0].service: 'shopp' is not in policies/services.yaml"),
        ("{service: shop, weekly: 'Sun 02:00-04:00 UTC'}", "maintenance[0]: missing key 'reason'"),
        ("{service: shop, weekly: 'Sun 02:00-04:00 UTC', reason: ''}", "maintenance[0].reason: expected text, got an empty one"),
        ("{service: shop, reason: x}", "maintenance[0]: expected start and end, or weekly"),
        ("{service: shop, start: 2026-12-01T02:00:00Z, reason: x}", "maintenance[0]: expected start and end, or weekly"),
        (
            "{service: shop, start: tomorrow, end: later, reason: x}",
            "maintenance[0].start: expected a moment like 2026-12-01T02:00:00+00:00",
        ),
        ("{service: shop, start: 2026-12-01T02:00:00, end: 2026-12-01T03:00:00Z, reason: x}", "maintenance[0].start: expected an offset"),
        ("{service: shop, start: 2026-12-01, end: 2026-12-02, reason: x}", "maintenance[0].start: expected an offset"),
        ("{service: shop, start: 2026-12-01T02:00:00Z, end: 2026-12-01T02:00:00Z, reason: x}", "maintenance[0].end: expected an end after"),
        ("{service: shop, start: 2026-12-01T02:00:00Z, end: 2027-12-01T02:00:00Z, reason: x}", "at most 31 days later"),
        ("{service: shop, weekly: 'Sunday 02:00-04:00 UTC', reason: x}", "maintenance[0].weekly: expected a window like"),
        ("{service: shop, weekly: 'Son 02:00-04:00 UTC', reason: x}", "maintenance[0].weekly: expected a window like"),
        ("{service: shop, weekly: 'Sun 02:00-24:00 UTC', reason: x}", "maintenance[0].weekly: 24:00 is no time of day"),
        ("{service: shop, weekly: 'Sun 02:00-04:00 Europe/Paris', reason: x}", "maintenance[0].weekly: expected a window like"),
        (
            "{service: shop, weekly: 'Sun 02:00-04:00 UTC', start: 2026-12-01T02:00:00Z, reason: x}",
            "maintenance[0].weekly: either weekly, or",
        ),
        ("{service: shop, weekly: 'Sun 02:00-04:00 UTC', reason: x, until: never}", "maintenance[0].until: unknown key"),
        ("shop", "maintenance[0]: expected a mapping"),
    ],
)
def test_what_is_wrong_is_refused_by_file_line_and_key(wrong: str, message: str) -> None:
    with pytest.raises(Refused) as refusal:
        windows(wrong)
    assert str(refusal.value).startswith("policies/slo.yaml:10: ") and message in str(refusal.value)


def test_the_list_has_an_end() -> None:
    with pytest.raises(Refused, match="at most 200 windows"):
        windows(*[WEEKLY] * 201)
