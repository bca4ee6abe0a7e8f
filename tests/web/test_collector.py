"""App → collector → Scout: an SDK exports to `rotel`, an OpenTelemetry collector, which exports to the front door."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from bot.local.ports import free_port
from tests.web.otlp_world import FrontDoor, tell
from tests.web.test_senders import assert_heard

rotel = pytest.importorskip("rotel", reason="rotel has no wheel for this machine")
PATIENCE_S = 4.0
LOADER_FAILED = "error while loading shared libraries: libpython"


@contextmanager
def collector(scout_address: str, token: str, log: Path) -> Iterator[str]:
    """A running collector; yields where apps send to."""
    http, grpc = free_port(), free_port()
    agent = Path(rotel.__file__).parent / "rotel-agent"
    arguments = {
        "otlp-http-endpoint": f"127.0.0.1:{http}",
        "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
        "exporter": "otlp",
        "otlp-exporter-endpoint": scout_address,
        "otlp-exporter-protocol": "http",
        "otlp-exporter-custom-headers": f"Authorization=Bearer {token}",
        "batch-timeout": "100ms",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [agent, "start", *(f"--{name}={value}" for name, value in arguments.items())], stdout=out, stderr=subprocess.STDOUT
        )
        try:
            until(lambda: answers(http) or process.poll() is not None, f"the collector does not start: {log.read_text()}")
            if process.poll() is not None and LOADER_FAILED in log.read_text():
                pytest.skip(f"rotel is linked to a library of Python that is not here: {log.read_text().strip()}")
            yield f"http://127.0.0.1:{http}"
        finally:
            process.terminate()
            process.wait(5)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool], problem: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, problem
        time.sleep(0.02)


def test_what_an_app_tells_a_collector_reaches_scout_whole(tmp_path: Path) -> None:
    door = FrontDoor(SRE_INGEST_TOKEN="sesame")
    log = tmp_path / "collector.log"
    with door.open() as scout_address, collector(scout_address, "sesame", log) as address:
        told = tell(
            OTLPSpanExporter(f"{address}/v1/traces"), OTLPMetricExporter(f"{address}/v1/metrics"), OTLPLogExporter(f"{address}/v1/logs")
        )
        until(lambda: door.amounts() == told.amounts, f"not all of it arrives: {door.amounts()}, {log.read_text()}")
    assert_heard(door, told)
