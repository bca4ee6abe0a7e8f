"""Bodies made to unfold: refused or dropped with a reason, read alike with and without the kernel, in little memory and time."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from ctypes import CDLL
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.telemetry import limits
from bot.telemetry.attributes import TOO_LARGE
from bot.telemetry.batch import Catalogue
from bot.telemetry.native.reader import NativeReader
from bot.telemetry.otlp import PROTOBUF
from tests.telemetry.bombs import KINDS, readers
from tests.telemetry.kernel import compiled_kernel
from tests.telemetry.world import T0

ROOT = Path(__file__).resolve().parents[2]
MAY_TAKE_MIB = 64
START_NS = int(T0 * 1e9)


@pytest.fixture(scope="module")
def compiled() -> CDLL | None:
    """None without a compiler: then Python alone is asked."""
    return compiled_kernel()


@pytest.mark.parametrize("kernel", [True, False])
def test_no_body_unfolds_to_much_more_than_itself(compiled: CDLL | None, kernel: bool) -> None:
    if kernel and compiled is None:
        pytest.skip("no compiled kernel here")
    code = f"import json; from tests.telemetry.bombs import detonate_each; print(json.dumps(detonate_each(kernel={kernel})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    took_mib = json.loads(done.stdout)
    assert took_mib.keys() == set(KINDS)
    assert {kind: mib for kind, mib in took_mib.items() if mib >= MAY_TAKE_MIB} == {}


def request(*spans: OtlpSpan, service: str = "shop", **more: str) -> bytes:
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    for key, value in {"service.name": service, **more}.items():
        group.resource.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    group.scope_spans.add().spans.extend(spans)
    return made.SerializeToString()


def span(number: int, name: str = "GET /", **attributes: str) -> OtlpSpan:
    return OtlpSpan(
        trace_id=random.Random(number).randbytes(16),
        span_id=random.Random(number).randbytes(8),
        name=name,
        start_time_unix_nano=START_NS,
        end_time_unix_nano=START_NS + 1_000_000,
        attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()],
    )


def test_a_span_of_a_mebibyte_is_dropped_and_its_neighbours_are_taken(compiled: CDLL | None) -> None:
    large = span(1, statement="x" * (1 << 20))
    many = span(2, **{f"key.{i}": "value" for i in range(10_000)})
    for reader in readers(compiled):
        for _ in range(2):  # as the first request, and when the kernel knows the names
            batch = reader.read(request(large, span(3), many), PROTOBUF, T0)
            assert (batch.accepted, dict(batch.dropped)) == (2, {TOO_LARGE: 1})


def test_what_a_huge_resource_sends_is_dropped_and_the_rest_is_taken(compiled: CDLL | None) -> None:
    body = request(span(1), span(2), huge="x" * (1 << 20)) + request(span(3))
    for reader in readers(compiled):
        batch = reader.read(body, PROTOBUF, T0)
        assert (batch.accepted, dict(batch.dropped)) == (1, {TOO_LARGE: 2})


def test_resources_that_never_repeat_are_not_kept(compiled: CDLL | None) -> None:
    """Each fresh pod has its own; what the kernel was taught of them has a bound in bytes, and all of them are counted."""
    for reader in readers(compiled):
        before_kib = _rss_kib()
        for i in range(300):
            assert reader.read(request(span(i), pod=f"{i}" + "x" * 200_000), PROTOBUF, T0).accepted == 1
        assert _rss_kib() - before_kib < 30_000  # they were 60 MB


def test_a_thousand_spellings_of_one_name_leave_the_kernel_room_for_others(compiled: CDLL | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiled is None:
        pytest.skip("no compiled kernel here")
    catalogue = Catalogue.of({})
    native = NativeReader(compiled, catalogue, seed=3)
    for i in range(0, 26_000, 2_000):  # more than its table holds: long names alike in all that is kept of them
        native.read(request(*(span(n, "q" * limits.NAME_CHARS + str(n)) for n in range(i, i + 2_000))), T0)
    assert len(catalogue.keys) == 1
    for _ in range(3):
        batch = native.read(request(span(1, "GET /new")), T0)
        assert batch is not None and batch.accepted == 1
    assert native.missed == 0, "the kernel knows it by now"


def _rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024
