"""OTLP/gRPC: the SDK's own gRPC exporters are understood; refusals have the right status; nothing of it loads unless asked for."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from bot.errors import Refused
from bot.settings import Settings
from bot.web.grpc import CONCURRENT, is_near
from bot.web.ingest import MAX_BODY_BYTES, MAX_INFLATED_BYTES
from tests.docs.pages import ROOT
from tests.telemetry.metrics_world import export, gauge, number
from tests.web.otlp_world import FrontDoor, tell
from tests.web.test_senders import assert_heard
from tests.web.web_world import SpanLog

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@contextmanager
def calling(target: str, method: str) -> Iterator[Any]:
    with grpc.insecure_channel(target, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel.unary_unary(method)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["identity", "gzip"])
def test_the_sdks_grpc_exporters_are_understood(compression: grpc.Compression) -> None:
    door = FrontDoor(SRE_INGEST_TOKEN="sesame")
    with door.open_grpc() as target:
        sending = {"endpoint": target, "insecure": True, "headers": (("authorization", "Bearer sesame"),), "compression": compression}
        told = tell(OTLPSpanExporter(**sending), OTLPMetricExporter(**sending), OTLPLogExporter(**sending))
    assert_heard(door, told)


def test_refusals_have_their_status_and_are_counted() -> None:
    door = FrontDoor(SRE_INGEST_TOKEN="sesame")
    token = (("authorization", "Bearer sesame"),)
    bomb = gzip.compress(b"\0" * (MAX_INFLATED_BYTES + 1), mtime=0)
    with door.open_grpc() as target, calling(target, METRICS) as send:
        for body, metadata, status, words in (
            (b"", (), "UNAUTHENTICATED", "bearer token is missing"),
            (b"", (("authorization", "Bearer sesam"),), "UNAUTHENTICATED", "bearer token is missing"),
            (b"\x0a\x05x", token, "INVALID_ARGUMENT", "truncated"),
            (b"\x1f\x8bx", token, "INVALID_ARGUMENT", "gzip"),
            (b"x" * (MAX_BODY_BYTES + 1), token, "RESOURCE_EXHAUSTED", "larger than max"),
            (bomb, token, "RESOURCE_EXHAUSTED", "inflates to more"),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                send(body, metadata=metadata)
            assert refused.value.code().name == status and words in refused.value.details()
        assert send(b"", metadata=token) == b""
    counted = {reason: count for name, reason, count in door.plane.counters.items() if name == "requests_refused"}
    assert counted == {
        "grpc /v1/metrics UNAUTHENTICATED": 2,
        "grpc /v1/metrics INVALID_ARGUMENT": 2,
        "grpc /v1/metrics RESOURCE_EXHAUSTED": 2,
    }


def test_without_a_token_this_machine_may_send_and_what_is_dropped_is_told() -> None:
    door = FrontDoor()
    with door.open_grpc() as target, calling(target, METRICS) as send:
        answer = ExportMetricsServiceResponse.FromString(send(export(gauge("old", number(0, 1))).SerializeToString()))
        with pytest.raises(grpc.RpcError) as refused:
            send(b"", metadata=(("x-forwarded-for", "127.0.0.1"),))
    assert (answer.partial_success.rejected_data_points, answer.partial_success.error_message) == (1, "1 × time is hours off")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_who_is_near_is_read_from_the_peer_as_grpc_writes_it() -> None:
    assert all(is_near(peer) for peer in ("ipv4:127.0.0.1:50000", "ipv6:[::1]:50000", "ipv6:%5B::1%5D:50000"))
    assert not any(is_near(peer) for peer in ("ipv4:203.0.113.9:50000", "ipv6:[2001:db8::1]:50000", "unix:/tmp/127.0.0.1:1", ""))


def test_a_full_store_asks_to_come_again_and_when() -> None:
    full = SpanLog(full=True)
    door = FrontDoor()
    with door.open_grpc(sinks={"/v1/traces": full}) as target:
        with calling(target, TRACES) as send, pytest.raises(grpc.RpcError) as refused:
            send(b"spans")
        with calling(target, METRICS) as send, pytest.raises(grpc.RpcError) as unknown:
            send(b"points")
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.details[0].Unpack(info) and info.retry_delay == Duration(seconds=7)
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED, "a signal without a sink"


def test_the_seventeenth_call_is_asked_to_come_again_and_told_when() -> None:
    door, go = FrontDoor(), threading.Event()

    def waiting() -> Iterator[bytes]:
        go.wait(10)
        yield b""

    with door.open_grpc() as target, grpc.insecure_channel(target) as channel:
        calls = [channel.stream_unary(METRICS).future(waiting()) for _ in range(CONCURRENT)]
        send = channel.unary_unary(METRICS)
        refused = until_refused(send)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "google.rpc.retryinfo-bin" in dict(refused.trailing_metadata())
        go.set()
        assert [call.result() for call in calls] == [b""] * CONCURRENT
        assert send(b"") == b"", "there is room again"
    assert door.plane.counters.get("requests_refused", "grpc /v1/metrics RESOURCE_EXHAUSTED") == 1


def until_refused(send: Any) -> Any:
    """The calls before it may still be on their way."""
    deadline_s = time.monotonic() + 5.0
    while time.monotonic() < deadline_s:
        try:
            send(b"")
        except grpc.RpcError as refused:
            return refused
    raise AssertionError("nobody was refused")


def test_grpc_stays_out_of_a_process_that_does_not_serve_it() -> None:
    code = "import sys, bot.commands.serve; print(sorted(name for name in sys.modules if name.split('.')[0] == 'grpc'))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"


def test_a_port_without_the_package_says_what_to_install() -> None:
    code = "import sys; sys.modules['grpc'] = None\nfrom bot.__main__ import main\nsys.exit(main(['serve']))"
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SRE_GITHUB_TOKEN": "x",
        "SRE_REPOSITORY": "acme/market",
        "SRE_WEBHOOK_SECRET": "x",
        "SRE_GRPC_PORT": "4317",
        "PORT": "0",
    }
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert told.returncode != 0 and "pip install 'sre-space[grpc]'" in told.stderr and "Traceback" not in told.stderr


def test_a_port_of_grpc_is_a_port() -> None:
    assert Settings.from_env({}).grpc_port == 0
    assert Settings.from_env({"SRE_GRPC_PORT": "4317"}).grpc_port == 4317
    for wrong in ("0", "70000", "x"):
        with pytest.raises(Refused, match="SRE_GRPC_PORT"):
            Settings.from_env({"SRE_GRPC_PORT": wrong})
