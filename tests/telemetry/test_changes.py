"""Settings that changed are told apart from values that come and go, and durations are shown in a few buckets that lose nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.codec import from_json, to_json
from bot.evidence import Evidence
from bot.telemetry.changes import ROLLOUT_S, changes
from bot.telemetry.evidence import shown, shown_message
from bot.telemetry.histogram import MAX_EDGES, Exact, histogram
from bot.telemetry.log_groups import log_groups
from bot.telemetry.log_line import LogLine, Severity
from bot.telemetry.logs import LogBook
from bot.telemetry.sketch import Sketch
from bot.telemetry.store import SpanStore
from tests.telemetry.world import FRONT, T0, new_scout, root_spans


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


def test_a_sketch_serves_as_well_as_the_values_themselves() -> None:
    before, now = Sketch(), Sketch()
    for value_ms in (150.0, 180.0, 320.0):
        before.add(value_ms, 30)
    now.add(6_010.0, 20)
    one = histogram(1, before, now)
    assert one is not None
    assert (one.upper_ms, one.before, one.now[-2:]) == (
        (100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0),
        (0, 60, 30, 0, 0, 0, 0, 0),
        (20, 0),
    )


def test_a_shift_shows_in_the_histogram() -> None:
    one = histogram(1, Exact([150.0, 180.0, 320.0] * 30), Exact([160.0] * 5 + [6_010.0] * 20))
    assert one is not None
    assert one.upper_ms == (100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
    assert one.before == (0, 60, 30, 0, 0, 0, 0, 0)
    assert one.now == (0, 5, 0, 0, 0, 0, 20, 0)
    assert histogram(1, Exact([1.0]), Exact([])) is None


def line(at_s: float, body: str, template: str, severity: Severity = "error", trace_id: bytes = b"") -> LogLine:
    return LogLine(FRONT, severity, body, template, "", trace_id, b"", T0 + at_s)


def test_log_lines_that_came_with_the_incident_are_told_and_those_of_every_day_are_not() -> None:
    book = LogBook()
    book.observe([line(i, "cache miss", "cache miss", "warning") for i in range(120)], T0 + 120)
    told = [line(101 + i, f"no answer from ann{i}@example.org", "no answer from <*>", trace_id=bytes([i])) for i in range(19)]
    book.observe(told, T0 + 120)
    book.observe([replace(told[0], service="billing")], T0 + 120)
    groups = log_groups(book, {FRONT}, (T0, T0 + 100), (T0 + 100, T0 + 120), {bytes([17]): "t1"}, shown_message)
    assert [(g.id, g.severity, g.template, g.count, g.before_count, g.first_seen_s, g.traces) for g in groups] == [
        ("l1", "error", "no answer from <*>", 19, 0, T0 + 101, ("t1",))
    ]
    assert groups[0].example == "no answer from [redacted]"


def test_scouts_evidence_holds_the_log_lines_of_the_incidents_services() -> None:
    scout, _ = new_scout()
    scout.observe(
        root_spans([T0 + 0.1 * i for i in range(300)]) + root_spans([T0 + 30 + 0.1 * i for i in range(60)], error=True, first_id=900)
    )
    scout.observe_logs(
        [line(31 + i, f"no price for {i}", "no price for <*>", trace_id=(900 + i).to_bytes(16, "big")) for i in range(4)], T0 + 36
    )
    signal = scout.signals(T0 + 36.2)[0]
    evidence = scout.evidence(signal, T0 + 36.2)
    (group,) = evidence.logs
    assert (group.template, group.count, group.service) == ("no price for <*>", 4, FRONT)
    assert from_json(Evidence, to_json(evidence)) == evidence
