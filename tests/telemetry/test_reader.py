"""Requests to batches: the compiled kernel and Python give the same, whatever is sent; nothing is missed and nothing counted twice."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from ctypes import CDLL
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry import limits, slices
from bot.telemetry.batch import Batch, Catalogue, Serving
from bot.telemetry.detail import Detail
from bot.telemetry.keys import OTHER, SeriesKey
from bot.telemetry.native import library
from bot.telemetry.native.folding import Folding
from bot.telemetry.native.reader import NativeReader
from bot.telemetry.otlp import PROTOBUF
from bot.telemetry.reader import TraceReader
from bot.telemetry.sketch import Sketch
from tests.telemetry.kernel import compiled_kernel
from tests.telemetry.world import BUY, FRONT, T0

WATCHED = {(FRONT, BUY): 1500.0}
NAMES = ("GET /", "POST", "a name", "Größe", "", "x" * 150, "y" * 260, "tab\tname", "select \u202e", "z" * 450)
METHODS = ("GET", "POST", "", "PÖST", "M" * 220)
ROUTES = ("/quotes", "/quotes/{id}", "", "/größe", "/r" * 120)


@pytest.fixture(scope="module")
def compiled() -> CDLL:
    kernel = compiled_kernel()
    if kernel is None:
        pytest.skip("without a compiler there is nothing to compare")
    return kernel


def value(rng: random.Random) -> AnyValue:
    return rng.choice(
        (
            AnyValue(string_value=rng.choice(("503", "200", "GET", "x" * 300, "ü"))),
            AnyValue(int_value=rng.choice((200, 404, 500, 599, 600, -1, 2**40))),
            AnyValue(bool_value=True),
            AnyValue(double_value=500.0),
            AnyValue(),
        )
    )


def make_span(rng: random.Random, odd: float) -> OtlpSpan:
    """A span as exporters send them; `odd`: how often a part of it is as they do not."""

    def strange() -> bool:
        return rng.random() < odd

    start_ns = int((T0 + rng.uniform(-5, 5)) * 1e9) if not strange() else rng.choice((0, int((T0 - 90_000) * 1e9), int((T0 + 8_000) * 1e9)))
    span = OtlpSpan(
        trace_id=rng.randbytes(16) if not strange() else rng.choice((b"", bytes(16), b"1" * 8)),
        span_id=rng.randbytes(8) if not strange() else rng.choice((b"", bytes(8), b"1" * 16)),
        parent_span_id=rng.choice((b"", rng.randbytes(8))) if not strange() else b"123",
        name=rng.choice(NAMES[:3]) if not strange() else rng.choice(NAMES),
        kind=rng.randrange(6) if not strange() else 9,  # type: ignore[arg-type]
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(rng.lognormvariate(4, 2) * 1e6) if not strange() else max(0, start_ns - 1),
    )
    if rng.random() < 0.8:
        method, route = rng.choice(METHODS if strange() else METHODS[:2]), rng.choice(ROUTES if strange() else ROUTES[:2])
        span.attributes.append(KeyValue(key="http.request.method", value=AnyValue(string_value=method)))
        span.attributes.append(KeyValue(key="http.route", value=AnyValue(string_value=route)))
        code = rng.choice((200, 201, 404, 500, 503))
        span.attributes.append(KeyValue(key="http.response.status_code", value=AnyValue(int_value=code)))
    for key in ("http.method", "http.status_code", "http.route", "http.response.status_code", "customer.tier", "error.type"):
        if strange():
            span.attributes.append(KeyValue(key=key, value=value(rng)))
    if rng.random() < 0.1:
        span.status.code = OtlpSpan().status.STATUS_CODE_ERROR
        event = span.events.add(name="exception")
        event.attributes.append(KeyValue(key="exception.type", value=AnyValue(string_value="KeyError")))
    return span


def make_request(rng: random.Random, spans: int, odd: float = 0.05) -> bytes:
    request = ExportTraceServiceRequest()
    for _ in range(rng.randint(1, 3)):
        group = request.resource_spans.add()
        if rng.random() >= odd:
            group.resource.attributes.append(
                KeyValue(key="service.name", value=AnyValue(string_value=rng.choice((FRONT, "engine", "gäte"))))
            )
        group.resource.attributes.append(KeyValue(key="service.version", value=AnyValue(string_value=rng.choice("abc") * 40)))
        group.scope_spans.add().spans.extend(make_span(rng, odd) for _ in range(spans))
    return request.SerializeToString()


def readers(compiled: CDLL) -> tuple[TraceReader, Catalogue, TraceReader, Catalogue]:
    plain, fast = Catalogue.of(WATCHED), Catalogue.of(WATCHED)
    return TraceReader(plain), plain, TraceReader(fast, NativeReader(compiled, fast, seed=7)), fast


def counts(batch: Batch, catalogue: Catalogue) -> Counter[tuple[int, SeriesKey, int]]:
    return Counter((n >> 32, catalogue.keys[n >> 16 & 0xFFFF], n & 0xFFFF) for n in batch.records)


def servings(batch: Batch) -> dict[tuple[str, str], Serving]:
    """Joined by service and commit: the two ways cut them up differently."""
    found: dict[tuple[str, str], Serving] = {}
    for one in batch.servings:
        known = found.setdefault((one.service, one.commit), one)
        found[one.service, one.commit] = replace(
            known,
            first_start_s=min(known.first_start_s, one.first_start_s),
            last_start_s=max(known.last_start_s, one.last_start_s),
            last_end_s=max(known.last_end_s, one.last_end_s),
        )
    return found


def assert_same(fast: Batch, fast_catalogue: Catalogue, plain: Batch, plain_catalogue: Catalogue) -> None:
    assert counts(fast, fast_catalogue) == counts(plain, plain_catalogue)
    assert fast.dropped == plain.dropped
    assert Counter(fast.requests) == Counter(plain.requests)
    assert servings(fast) == servings(plain)
    assert Counter(map(repr, fast.detail)) == Counter(map(repr, plain.detail))
    assert fast.shed == plain.shed


@pytest.mark.parametrize("odd", [0.0, 0.05, 0.4])
def test_the_kernel_misses_nothing_that_python_sees(compiled: CDLL, odd: float) -> None:
    rng = random.Random(11)
    slow, plain, quick, fast = readers(compiled)
    for i in range(60):
        body = make_request(rng, rng.randint(0, 20), odd)
        assert_same(quick.read(body, PROTOBUF, T0 + i), fast, slow.read(body, PROTOBUF, T0 + i), plain)
    if odd == 0.0:
        assert len(fast.keys) > 20


def test_kernel_reads_by_itself_what_it_has_met(compiled: CDLL) -> None:
    """Else the comparison above would compare Python with Python."""
    rng = random.Random(2)
    catalogue = Catalogue.of(WATCHED)
    native = NativeReader(compiled, catalogue, seed=1)
    catalogue.detail.halvings = 60
    bodies = [make_request(rng, 50, 0.0) for _ in range(30)]
    first = [native.read(body, T0) for body in bodies]
    again = [native.read(body, T0) for body in bodies]
    assert None not in first and None not in again
    assert native.missed == 0


FLIPS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6)


@given(seed=st.integers(0, 2**32), flips=FLIPS, cut=st.integers(0, 4000))
@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_damaged_requests_do_no_harm_and_are_read_alike(compiled: CDLL, seed: int, flips: list[tuple[int, int]], cut: int) -> None:
    """What Python refuses as a whole the kernel may read (it does not look at text that nobody uses); it never reads anything else."""
    slow, plain, quick, fast = readers(compiled)
    body = bytearray(make_request(random.Random(seed), 4, 0.2))
    for at, byte in flips:
        body[at % len(body)] = byte
    damaged = bytes(body[: len(body) - cut % len(body)] if cut > 2000 else body)
    try:
        expected = slow.read(damaged, PROTOBUF, T0)
    except Refused:
        try:
            quick.read(damaged, PROTOBUF, T0)
        except Refused:
            return
        return
    assert_same(quick.read(damaged, PROTOBUF, T0), fast, expected, plain)


@given(body=st.binary(max_size=300))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_noise_is_refused_or_empty(compiled: CDLL, body: bytes) -> None:
    _, _, quick, _ = readers(compiled)
    try:
        batch = quick.read(body, PROTOBUF, T0)
    except Refused:
        return
    assert batch.accepted == 0


def test_a_hundred_thousand_names_find_bounded_room_and_are_all_counted(compiled: CDLL) -> None:
    slow, plain, quick, fast = readers(compiled)
    for reader, catalogue in ((quick, fast), (slow, plain)):
        taken: Counter[str] = Counter()
        for i in range(0, 100_000, 5_000):
            request = ExportTraceServiceRequest()
            group = request.resource_spans.add()
            group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="noisy")))
            start_ns = int(T0 * 1e9)
            group.scope_spans.add().spans.extend(
                OtlpSpan(
                    trace_id=(n + 1).to_bytes(16, "big"),
                    span_id=(n + 1).to_bytes(8, "big"),
                    name=f"user {n}",
                    start_time_unix_nano=start_ns,
                    end_time_unix_nano=start_ns + 1000,
                )
                for n in range(i, i + (5_000 if reader is quick else 250))
            )
            batch = reader.read(request.SerializeToString(), PROTOBUF, T0 + i / 1e6)
            taken.update((catalogue.keys[n >> 16 & 0xFFFF].operation == OTHER and "other") or "own" for n in batch.records)
        assert len(catalogue.keys) <= limits.SERIES_KEYS_PER_SERVICE + 10
        assert taken["own"] == limits.SERIES_KEYS_PER_SERVICE
        assert taken.total() == (100_000 if reader is quick else 5_000)


def test_folding_and_merging_are_the_same_in_both_ways(compiled: CDLL) -> None:
    rng = random.Random(5)
    folding = Folding(compiled)
    records = array(
        "Q",
        (slices.record(1000 + rng.randrange(4), rng.randrange(3000), min(2047, int(rng.lognormvariate(6, 0.5)))) for _ in range(30_000)),
    )
    fast: dict[int, slices.Slice] = {}
    for second, found in folding.fold(records):
        fast[second] = folding.merge(fast[second], found) if second in fast else found
    plain = dict(slices.fold(records))
    assert {second: dict(iter(found)) for second, found in fast.items()} == {second: dict(iter(found)) for second, found in plain.items()}
    assert dict(iter(folding.merge(fast[1000], fast[1001]))) == dict(iter(slices.merge(plain[1000], plain[1001])))


def flood(detail: Detail, start_s: float, seconds: int, spans_per_s: int) -> float:
    """Bodies of a hundred spans; how many were kept a second in the last one."""
    kept = 0.0
    for second in range(seconds):
        kept = 0.0
        for i in range(spans_per_s // 100):
            detail.expect(100 * limits.SPAN_BYTES, start_s + second + 100 * i / spans_per_s)
            kept += 100 / 2**detail.halvings
    return kept


def test_detail_is_all_of_little_traffic_and_a_bounded_part_of_much() -> None:
    detail = Detail()
    assert flood(detail, T0, 60, limits.DETAIL_SPANS_PER_S - 100) == limits.DETAIL_SPANS_PER_S - 100
    assert 50 < flood(detail, T0 + 60, 30, 100_000) <= 2 * limits.DETAIL_SPANS_PER_S
    before = detail.halvings
    assert before > 5
    for second in range(2 * limits.DETAIL_CALM_S * before):
        detail.expect(10 * limits.SPAN_BYTES, T0 + 90 + second)
    assert detail.halvings == 0


def test_what_exporters_held_back_during_a_restart_is_kept_whole() -> None:
    detail = Detail()
    for i in range(40):
        detail.expect(100 * limits.SPAN_BYTES, T0 + i / 100)
    assert detail.halvings == 0
    for i in range(40):
        detail.expect(100 * limits.SPAN_BYTES, T0 + 0.4 + i / 100)
    assert detail.halvings > 0, "but not without end"


def test_a_trace_is_kept_whole_or_not_at_all() -> None:
    detail = Detail()
    detail.halvings = 3
    rng = random.Random(1)
    kept = sum(detail.whole(rng.randbytes(16)) for _ in range(8_000))
    assert 800 < kept < 1_200
    fewer = Detail()
    fewer.halvings = 4
    ids = [rng.randbytes(16) for _ in range(2_000)]
    assert {i for i in ids if fewer.whole(i)} <= {i for i in ids if detail.whole(i)}


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library.build(path=tmp_path / "kernel.so") == "there is no C compiler"
    assert not (tmp_path / "kernel.so").exists()


def test_what_is_far_out_for_a_series_is_learnt_and_a_promise_is_not() -> None:
    detail = Detail()
    detail.promise(1, 500.0)
    durations = Sketch()
    for ms in range(1, 101):
        durations.add(float(ms))
    for second in range(200):
        for key in (0, 1):
            detail.learn(key, durations, second)
    assert 99e6 < detail.slow_ns[0] < 200e6
    assert detail.slow_ns[1] == 500_000_000
