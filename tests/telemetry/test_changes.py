"""Settings that changed are told apart from values that come and go, and durations are shown in a few buckets that lose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from bot.telemetry.changes import ROLLOUT_S, changes
from bot.telemetry.evidence import shown, shown_message
from bot.telemetry.histogram import MAX_EDGES, Exact, histogram
from bot.telemetry.log_groups import log_groups
from bot.telemetry.store import SpanStore
from tests.telemetry.world import FRONT, T0, root_spans


def heard(*periods: tuple[float, float, str, str]) -> SpanStore:
    """(start, end, key, value): a span every second carries it."""
    store, number = SpanStore(), 1
    for start, end, key, value in periods:
        spans = root_spans([T0 + start + i for i in range(int(end - start))], first_id=number)
        number += len(spans)
        for item in spans:
            store.add(replace(item, extra=((key, value),)), item.end_s)
    return store


def found(store: SpanStore, since_s: float = T0) -> list[tuple[str, str, str, float]]:
    return [(one.key, one.previous_value, one.value, one.first_seen_s - T0) for one in changes(store, {FRONT}, since_s, shown)]


def test_a_setting_that_took_another_value_is_told_with_both_and_its_moment() -> None:
    store = heard((0, 100, "config.hash", "aa11"), (100, 160, "config.hash", "bb22"))
    assert found(store) == [("config.hash", "aa11", "bb22", 100.0)]
    assert changes(store, {"another"}, T0, shown) == ()
    assert found(store, T0 + 120) == []


def test_a_rollout_is_a_change_once_the_old_value_is_gone() -> None:
    assert found(heard((0, 110, "flag.x", "off"), (100, 160, "flag.x", "on"))) == [("flag.x", "off", "on", 100.0)]
    assert found(heard((0, 150, "flag.x", "off"), (100, 160, "flag.x", "on"))) == [], "both still answer"
    late = 100 + ROLLOUT_S + 50
    assert found(heard((0, late, "flag.x", "off"), (100, 2 * late, "flag.x", "on"))) == [], "two kinds of instances"


def test_values_that_come_and_go_are_no_setting() -> None:
    assert found(heard((0, 100, "tier", "gold"), (40, 50, "tier", "free"), (90, 160, "tier", "basic"))) == []
    assert found(heard((0, 3, "tier", "gold"), (40, 160, "tier", "free"))) == [], "seen a few times only"


def test_a_restart_elsewhere_is_no_change_of_a_setting() -> None:
    assert found(heard((0, 100, "k8s.pod.name", "a-1"), (100, 160, "k8s.pod.name", "a-2"))) == []


@given(st.lists(st.floats(0.01, 1e7), max_size=60), st.lists(st.floats(0.01, 1e7), min_size=1, max_size=60))
def test_a_histogram_counts_every_request_once_in_few_buckets(before: list[float], now: list[float]) -> None:
    one = histogram(1, Exact(before), Exact(now))
    assert one is not None
    assert len(one.before) == len(one.now) == len(one.upper_ms) + 1 <= MAX_EDGES + 1
    assert (sum(one.before), sum(one.now)) == (len(before), len(now))
    assert list(one.upper_ms) == sorted(set(one.upper_ms))
    for counts, values in ((one.before, before), (one.now, now)):
        assert sum(counts[1:]) == sum(value > one.upper_ms[0] for value in values)


def test_a_shift_shows_in_the_histogram() -> None:
    one = histogram(1, Exact([150.0, 180.0, 320.0] * 30), Exact([160.0] * 5 + [6_010.0] * 20))
    assert one is not None
    assert one.upper_ms == (100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
    assert one.before == (0, 60, 30, 0, 0, 0, 0, 0)
    assert one.now == (0, 5, 0, 0, 0, 0, 20, 0)
    assert histogram(1, Exact([1.0]), Exact([])) is None


@dataclass(frozen=True)
class Lines:
    """Records of one template, every second."""

    start_s: float
    end_s: float
    template: str
    example: str = ""
    service: str = FRONT
    severity: str = "ERROR"
    trace_ids: tuple[bytes, ...] = ()
    first_s: float = 0.0
    count: int = 0


@dataclass(frozen=True)
class Book:
    lines: Sequence[Lines]

    def counts(self, services: object, start_s: float, end_s: float) -> list[Lines]:
        inside = [(max(one.start_s, start_s), min(one.end_s, end_s), one) for one in self.lines]
        return [replace(one, first_s=first, count=int(last - first)) for first, last, one in inside if last > first]


def test_log_lines_that_came_with_the_incident_come_first_and_those_of_every_day_stay_out() -> None:
    book = Book(
        (
            Lines(0, 120, "cache miss"),
            Lines(101, 120, "no answer from <*>", "no answer from ann@example.org", trace_ids=(b"t", b"other")),
            Lines(50, 120, "slow query"),
        )
    )
    groups = log_groups(book, {FRONT}, (0.0, 100.0), (100.0, 120.0), {b"t": "t1"}, shown_message)
    assert [(g.id, g.template, g.count, g.before_count, g.first_seen_s, g.traces) for g in groups] == [
        ("l1", "no answer from <*>", 19, 0, 101.0, ("t1",)),
        ("l2", "slow query", 20, 10, 100.0, ()),
    ]
    assert groups[0].example == "no answer from [redacted]"
