"""Exact figures of a window, and the request with which a bad time began."""

from __future__ import annotations

import random

import pytest

from bot.telemetry import limits
from bot.telemetry.windows import Request, RequestLog, change_point, measurement, quantile
from tests.telemetry.world import T0, objective, root_spans, span


def log_of(*spans: object) -> RequestLog:
    log = RequestLog()
    for item in spans:
        log.add(item)  # type: ignore[arg-type]
    return log


def test_quantiles_are_exact_by_nearest_rank() -> None:
    values = [float(i) for i in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert (quantile([7.0], 0.99), quantile([], 0.99)) == (7.0, None)


def test_detection_looks_at_ends_and_verification_at_starts() -> None:
    slow = span(start_s=T0, end_s=T0 + 20.0)
    log = log_of(slow, *root_spans([T0 + 19.0, T0 + 20.0], first_id=2))
    assert [r.start_s - T0 for r in log.ended(T0 + 10.0, T0 + 20.0)] == [0.0, 19.0]
    assert [r.start_s - T0 for r in log.started(T0 + 19.0, T0 + 20.0)] == [19.0]


def test_a_measurement_counts_errors_and_slow_ones_and_names_commits_in_order() -> None:
    requests = [
        Request(T0 + 2, T0 + 2.2, False, "new"),
        Request(T0, T0 + 0.1, False, "old"),
        Request(T0 + 1, T0 + 3.0, True, "old"),
        Request(T0 + 3, T0 + 4.5, False, ""),
    ]
    found = measurement(requests, objective(), T0, T0 + 10)
    assert (found.requests, found.errors, found.slow, found.commits) == (4, 1, 1, ("old", "new"))
    assert found.p50_ms == pytest.approx(200.0, abs=0.01)
    assert found.p99_ms == pytest.approx(2000.0, abs=0.01)
    assert found.error_ratio == 0.25


def test_a_log_measures_its_columns_as_it_would_its_requests() -> None:
    rng = random.Random(4)
    log, watched = RequestLog(), objective()
    for n in range(400):
        end_s = T0 + n / 10 + rng.uniform(-3.0, 3.0)
        log.add(
            Request(end_s - rng.lognormvariate(0.0, 1.0), end_s, rng.random() < 0.1, rng.choice(("", "old", "new", f"commit {n // 50}")))
        )
    for start_s, end_s in ((T0 - 10, T0 + 60), (T0 + 10, T0 + 20), (T0 + 20.05, T0 + 20.1), (T0 + 90, T0 + 100)):
        assert log.measure(watched, start_s, end_s) == measurement(log.ended(start_s, end_s), watched, start_s, end_s)


def test_nothing_measured_has_no_quantiles() -> None:
    found = measurement([], objective(), T0, T0 + 10)
    assert (found.requests, found.p50_ms, found.p99_ms, found.error_ratio) == (0, None, None, 0.0)


def test_a_log_keeps_the_youngest_requests() -> None:
    log = log_of(*root_spans([T0 + i for i in range(limits.REQUESTS_PER_OBJECTIVE + 50)]))
    assert limits.REQUESTS_PER_OBJECTIVE * 0.9 <= len(log) <= limits.REQUESTS_PER_OBJECTIVE
    assert log.started(T0 + limits.REQUESTS_PER_OBJECTIVE + 49, T0 + 10**6)
    log.forget_before(T0 + limits.REQUESTS_PER_OBJECTIVE)
    assert len(log) == 50


def test_the_beginning_of_a_bad_time_is_found_behind_a_lonely_slow_request() -> None:
    rng = random.Random(5)
    missed = 0
    for _ in range(100):
        bad = [i == 20 or (i >= 100 and rng.random() < 0.6) for i in range(130)]
        requests = [Request(T0 + i, T0 + i + 1, False) for i in range(130)]
        first = change_point(requests, bad)
        assert first is not None
        missed += first.start_s - T0 != bad.index(True, 100)
    assert missed <= 5


def test_without_bad_requests_nothing_began() -> None:
    requests = [Request(T0, T0 + 1, False)] * 3
    assert change_point(requests, [False] * 3) is None
    assert change_point(requests, [True] * 3) is requests[0]
