"""The series table: every span counted once, in its second, under its key; bounded in keys, seconds and bytes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.telemetry import limits
from bot.telemetry.counters import OTHER as OTHER_REASON
from bot.telemetry.counters import REASONS_PER_NAME, Counters
from bot.telemetry.keys import OTHER, KeyTable, SeriesKey
from bot.telemetry.series import SeriesTable
from bot.telemetry.sketch import Sketch

T0 = 1_700_000_000
BUY = SeriesKey("shop", "POST /buy", "server", "ok")


def fill(table: SeriesTable, spans: Sequence[tuple[SeriesKey, float, float]]) -> None:
    for key, end_s, duration_ms in spans:
        table.add(key, end_s, duration_ms)


def test_each_span_is_handed_out_once_in_its_second_and_under_its_key() -> None:
    rng = random.Random(3)
    keys = [BUY, replace(BUY, status="error"), replace(BUY, status="refused"), replace(BUY, kind="client")]
    table, expected = SeriesTable(), Counter[tuple[int, SeriesKey]]()
    seen = Counter[tuple[int, SeriesKey]]()
    for step in range(40):
        for _ in range(50):
            key, end_s = rng.choice(keys), T0 + step + rng.uniform(-4, 1)
            table.add(key, end_s, 20.0)
            expected[int(end_s), key] += 1
        for second, key, errors, sketch in table.closed(T0 + step):
            assert second < T0 + step and errors == (sketch.count if key.status == "error" else 0)
            seen[second, key] += sketch.count
    for second, key, _, sketch in table.closed(T0 + 100):
        seen[second, key] += sketch.count
    assert seen == expected
    assert list(table.closed(T0 + 100)) == []


def test_a_second_is_handed_out_when_it_is_over_and_not_before() -> None:
    table = SeriesTable()
    table.add(BUY, T0 + 0.2, 5.0)
    assert list(table.closed(T0 + 0.9)) == []
    (found,) = table.closed(T0 + 1.0)
    assert found[:3] == (T0, BUY, 0)


def test_a_window_adds_up_all_statuses_and_knows_errors_from_refusals() -> None:
    table = SeriesTable()
    fill(
        table,
        [
            (BUY, T0 + 1, 10.0),
            (replace(BUY, status="error"), T0 + 2, 20.0),
            (replace(BUY, status="refused"), T0 + 3, 30.0),
            (replace(BUY, kind="client"), T0 + 3, 30.0),
            (BUY, T0 + 5, 40.0),
        ],
    )
    for _ in range(2):  # before and after the seconds were handed out
        window = table.window("shop", "POST /buy", "server", T0 + 1, T0 + 5)
        assert (window.requests, window.errors) == (3, 1)
        assert window.sketch.quantile(1.0) == pytest.approx(30.0, rel=0.01)
        list(table.closed(T0 + 100))
    assert table.window("shop", "GET /", "server", T0, T0 + 9).requests == 0


def test_what_is_old_is_kept_coarsely_and_then_not_at_all() -> None:
    table = SeriesTable()
    for second in range(1_500):
        table.add(BUY, T0 + second, 10.0)
        list(table.closed(T0 + second))
    now_s = T0 + 1_500

    def requests(ago_s: float, until_ago_s: float) -> int:
        return table.window("shop", "POST /buy", "server", now_s - ago_s, now_s - until_ago_s).requests

    assert requests(10, 0) == 10
    assert requests(300, 0) == pytest.approx(300, abs=120)
    assert requests(1_500, 800) == 0
    kept = limits.SERIES_LEVELS_S[-1][1]
    assert kept - 120 <= requests(1_500, 0) <= kept + 120


def test_spans_that_come_late_or_from_the_future_are_counted_where_they_belong_or_now() -> None:
    counters = Counters()
    table = SeriesTable(counters=counters)
    table.extend(b"", T0)
    fill(table, [(BUY, T0 - 200, 10.0), (BUY, T0 - 86_000, 10.0), (BUY, T0, 10.0)])
    list(table.closed(T0 + 1))
    assert table.window("shop", "POST /buy", "server", T0 - 330, T0 - 100).requests == 1
    assert counters.get("seconds", "late") == 2
    number = ((T0 + 3_000) << 32 | table.key_table.index(BUY) << 16 | 7).to_bytes(8, "little")
    table.extend(number, T0)
    assert [second for second, *_ in table.closed(T0 + 1)] == [T0]
    assert counters.get("seconds", "from the future") == 1


def test_a_hundred_thousand_span_names_of_one_service_leave_room_for_the_others() -> None:
    counters = Counters()
    table = SeriesTable(counters=counters)
    for i in range(100_000):
        table.add(SeriesKey("noisy", f"GET /{i}", "server", "error" if i % 10 == 0 else "ok"), T0, 5.0)
    table.add(BUY, T0, 5.0)
    found = {key: sketch.count for _, key, _, sketch in table.closed(T0 + 1)}
    assert found[BUY] == 1 and sum(found.values()) == 100_001
    assert len(table.keys()) == limits.SERIES_KEYS_PER_SERVICE + 3
    assert sum(count for key, count in found.items() if key.overflow) == 100_000 - limits.SERIES_KEYS_PER_SERVICE
    assert found[SeriesKey("noisy", OTHER, "server", "error")] == (100_000 - limits.SERIES_KEYS_PER_SERVICE) // 10
    assert counters.get("spans_overflowed", "noisy") == 100_000 - limits.SERIES_KEYS_PER_SERVICE


def test_twenty_thousand_services_share_what_is_left() -> None:
    table = KeyTable()
    for i in range(20_000):
        table.index(SeriesKey(f"s{i}", "GET /", "server", "ok"))
        table.index(SeriesKey(f"s{i}", "GET /", "client", "ok"))
    assert len(table) <= 2 * limits.SERIES_KEYS + 15
    assert table[table.index(SeriesKey("s19999", "GET /", "server", "ok"))] == SeriesKey(OTHER, OTHER, "server", "ok")


def test_the_past_takes_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SERIES_BYTES", 20_000)
    rng = random.Random(5)
    table = SeriesTable()
    for second in range(400):
        for i in range(20):
            table.add(replace(BUY, operation=f"GET /{i}"), T0 + second, rng.lognormvariate(3, 2))
        list(table.closed(T0 + second))
        assert table.size_bytes <= 20_000
    assert table.window("shop", "GET /1", "server", T0 + 395, T0 + 400).requests >= 4, "the youngest stay longest"


def test_reasons_are_bounded() -> None:
    counters = Counters()
    for i in range(1_000):
        counters.add("refused", f"reason {i}")
    assert len(list(counters.items())) == REASONS_PER_NAME + 1
    assert counters.get("refused", OTHER_REASON) == 1_000 - REASONS_PER_NAME


def test_a_sketch_handed_out_is_the_consumers_own() -> None:
    table = SeriesTable()
    table.add(BUY, T0, 5.0)
    ((_, _, _, sketch),) = table.closed(T0 + 1)
    sketch.merge(sketch)
    assert table.window("shop", "POST /buy", "server", T0, T0 + 1).requests == 1
    assert isinstance(sketch, Sketch)
