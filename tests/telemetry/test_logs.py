"""Log lines as counts: which service logs unusually many errors, which error texts are new, and nothing grows without bound."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from bot.telemetry import limits
from bot.telemetry.bursts import log10_chance_of
from bot.telemetry.log_line import LogLine, Severity
from bot.telemetry.logs import OVERFLOW, LogBook
from bot.telemetry.second_counts import SecondCounts

T = 1_700_000_000.0


def line(
    at_s: float, text: str = "cannot reach the carrier", service: str = "quotes", severity: Severity = "error", **more: Any
) -> LogLine:
    return LogLine(service, severity, text, text if severity != "info" else "", more.pop("place", ""), more.pop("trace_id", b""), b"", at_s)


def told(book: LogBook, seconds: range, **more: Any) -> None:
    """One line each of these seconds after T."""
    for second in seconds:
        book.observe([line(T + second, **more)], T + second)


def test_a_quiet_service_that_begins_to_log_errors_is_told_within_seconds_and_no_longer_when_it_is_over() -> None:
    book = LogBook()
    told(book, range(300), severity="info", text="served")
    assert book.bursts(T + 300) == []
    told(book, range(300, 306))
    (burst,) = book.bursts(T + 306)
    assert (burst.service, burst.count, burst.expected) == ("quotes", 6, 0.0)
    told(book, range(306, 500))
    (later,) = book.bursts(T + 500)
    assert (later.started_s, later.at_s) == (burst.started_s, burst.at_s), "what lasts does not become its own past"
    assert book.bursts(T + 570) == []


def test_errors_that_were_always_there_are_no_burst() -> None:
    """A service with two errors a second, independent of each other, and one that logs thirty at once every four minutes."""
    chance = random.Random(7)
    book = LogBook()
    bursts = 0
    for second in range(2_400):
        now_s = T + second
        book.observe([line(now_s, service="noisy") for _ in range(chance.choice((0, 1, 2, 3, 4)))], now_s)
        book.hear("batch", now_s)
        if second % 240 == 239:
            book.observe([line(now_s, service="batch")] * 30, now_s)
        if second > 300:
            bursts += len(book.bursts(now_s))
    assert bursts == 0


def test_a_service_unknown_until_now_is_not_judged() -> None:
    book = LogBook()
    told(book, range(20))
    assert book.bursts(T + 20) == []


def test_twice_the_usual_errors_a_handful_of_errors_and_a_young_service_are_no_burst() -> None:
    """Each is stopped by another guard: the rise that traffic alone may bring, the stated level, the length of the past."""
    book = LogBook()
    for second in range(300):
        book.observe([line(T + second, service="steady")] * 10, T + second)
        book.observe([line(T + second, service="rare")] if second in (40, 200) else [], T + second)
    for second in range(300, 310):
        book.observe([line(T + second, service="steady")] * 20, T + second)
        book.observe([line(T + second, service="rare")] if second % 2 == 0 else [], T + second)
    book.hear("young", T + 270)
    book.observe([line(T + 309, service="young")] * 100, T + 309)
    assert book.bursts(T + 309) == []
    book.observe([line(T + 309, service="rare")] * 5 + [line(T + 309, service="steady")] * 200, T + 309)
    assert [burst.service for burst in book.bursts(T + 309)] == ["steady", "rare"]


def test_the_stated_chance_is_that_of_a_negative_binomial_count() -> None:
    """Against the sum written out: 3 errors in 100 s, then at least 4 in 10 s."""
    share, shape = 10 / 110, 3.5
    below, term = 0.0, (1 - share) ** shape
    for at in range(4):
        below += term
        term *= (at + shape) / (at + 1) * share
    assert 10 ** log10_chance_of(4, 10, 3, 100) == pytest.approx(1 - below, rel=1e-6)


def test_new_and_risen_texts_come_first_and_what_a_service_always_says_does_not_come_at_all() -> None:
    book = LogBook()
    told(book, range(0, 300, 10), text="retrying")
    told(book, range(300), text="cache miss")
    told(book, range(300, 330), text="cache miss")
    told(book, range(300, 330), text="retrying")
    told(book, range(305, 309), text="no such table", trace_id=b"t" * 16)
    changes = book.templates(T + 300, T + 330, T)
    assert [(change.template, change.count, change.new) for change in changes] == [("retrying", 30, False), ("no such table", 4, True)]
    assert changes[0].expected == 3.0
    assert changes[1].first_s == T + 305
    assert [found.at_s for found in changes[1].lines] == [T + 306, T + 307, T + 308]
    assert book.lines(b"t" * 16) == list(changes[1].lines)
    assert book.errors("quotes", T + 300, T + 330) == 64


def test_a_text_is_measured_by_its_worst_earlier_stretch() -> None:
    """What comes in a heap every five minutes has not risen when it comes again."""
    book = LogBook()
    for second in (20, 320, 620):
        book.observe([line(T + second, text="nightly job failed")] * 40, T + second)
    assert book.templates(T + 600, T + 660, T) == []
    book.observe([line(T + 630, text="nightly job failed")] * 60, T + 630)
    assert [change.count for change in book.templates(T + 600, T + 660, T)] == [100]


def test_texts_without_end_fill_one_bucket_and_the_place_in_the_code_is_kept() -> None:
    book = LogBook()
    for n in range(500):
        book.observe([line(T, text=f"Cart#9 user {n}x", place="Cart#9"), line(T, text=f"free text {n}x", service="other")], T)
    named = {change.template: change.count for change in book.templates(T, T + 1, T - 60)}
    assert named["Cart#9"] == 500 - limits.LOG_TEMPLATES_PER_PLACE
    assert named[f"error: {OVERFLOW}"] == 500 - limits.LOG_TEMPLATES_PER_SERVICE
    assert book.overflow["too many templates"] == named["Cart#9"] + named[f"error: {OVERFLOW}"]
    told(book, range(120, 121), text="something new", service="other")
    assert "something new" in {change.template for change in book.templates(T + 100, T + 130, T - 60)}, "what has gone quiet gives way"


def test_a_book_stays_small_whatever_is_written_into_it() -> None:
    book = LogBook()
    tracemalloc.start()
    try:
        for n in range(20_000):
            book.observe([line(T + n / 100, text=f"{n}" * 20, service=f"s{n % 5_000}", place=f"P#{n}")], T + n / 100)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 8 << 20
    assert len(book) <= limits.LOG_TEMPLATES + 2 * limits.LOG_SERVICES
    assert book.overflow["too many services"] > 0


def test_lines_from_the_future_count_now_and_lines_from_long_ago_not_at_all() -> None:
    book = LogBook()
    told(book, range(100))
    book.observe([line(T + 3_000), line(T - 5_000)], T + 100)
    assert book.errors("quotes", T, T + 101) == 101
    assert book.overflow == {"older than what is counted": 1}


def test_a_ring_of_seconds_gives_back_what_a_plain_list_would() -> None:
    chance = random.Random(3)
    ring, plain = SecondCounts(50), dict[int, int]()
    newest = 0
    for _ in range(2_000):
        second = max(1_000, newest + chance.randint(-60, 8))
        newest = max(newest, second)
        assert ring.add(second, 2) == (second > newest - 50)
        plain[second] = plain.get(second, 0) + 2 * (second > newest - 50)
        start = newest - chance.randint(0, 70)
        end = start + chance.randint(0, 40)
        expected = [plain.get(at, 0) for at in range(max(start, newest - 49), min(end, newest + 1))]
        assert list(ring.seconds(start, end)) == expected
        worst = max((sum(expected[at : at + 5]) for at in range(max(1, len(expected) - 4))), default=0)
        assert ring.worst(start, end, 5) == worst
