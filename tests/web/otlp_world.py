"""The real front door on loopback, with the real Scout behind it; and a process that OpenTelemetry's own SDK instruments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from bot.commands.serve import ControlPlane, web_parts
from bot.policy.load import load_directory
from bot.settings import Settings
from bot.telemetry.log_line import LogLine
from bot.telemetry.metric_point import MetricPoint
from bot.web.app import build_app
from bot.web.grpc import serving_grpc
from bot.web.parts import Sink, WebParts
from bot.web.signal_sinks import LogsSink, MetricsSink
from tests.docs.pages import ROOT
from tests.web.web_world import serving


@dataclass
class Heard:
    """The points and lines that have reached Scout."""

    points: list[MetricPoint] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)


class FrontDoor:
    """The always-on process without its GitHub half. Scout hears everything as always; we hear it too."""

    def __init__(self, **env: str) -> None:
        self.settings = Settings.from_env({"SRE_REPOSITORY": "acme/market", **env})
        self.plane = ControlPlane(self.settings, load_directory(ROOT / "policies"))
        self.heard = Heard()
        self.plane.metrics = MetricsSink(self._hear_points, self.plane.clock, self.plane.counters)

    def _hear_points(self, points: Sequence[MetricPoint], now_s: float) -> None:
        self.heard.points += points
        self.plane.scout.observe_points(points, now_s)

    def _hear_lines(self, lines: Sequence[LogLine], now_s: float) -> None:
        self.heard.lines += lines
        self.plane.scout.observe_logs(lines, now_s)

    def _sinks(self) -> Mapping[str, Sink]:
        return {**self.plane.sinks(), "/v1/logs": LogsSink(self._hear_lines, self.plane.clock, self.plane.counters)}

    def amounts(self) -> tuple[int, int, int]:
        """Spans, points and lines that have arrived."""
        return self.plane.counters.get("spans"), len(self.heard.points), len(self.heard.lines)

    def parts(self, **more: Any) -> WebParts:
        return replace(web_parts(self.plane, _no_lifespan), **{"sinks": self._sinks(), **more})

    @contextmanager
    def open(self, **more: Any) -> Iterator[str]:
        """HTTP; yields the address."""
        with serving(build_app(self.parts(**more))) as address:
            yield address

    @contextmanager
    def open_grpc(self, **more: Any) -> Iterator[str]:
        """HTTP and gRPC in one process; yields gRPC's host:port."""
        parts = self.parts(**more)
        ports: list[int] = []

        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            async with serving_grpc(parts, "127.0.0.1", 0, grace_s=0.0) as port:
                ports.append(port)
                yield

        with serving(build_app(replace(parts, lifespan=lifespan))):
            yield f"127.0.0.1:{ports[0]}"


@asynccontextmanager
async def _no_lifespan() -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Told:
    """How much an instrumented process has told."""

    spans: int
    points: int
    lines: int
    failed: tuple[bytes, bytes]  # trace and span id of the request that failed

    @property
    def amounts(self) -> tuple[int, int, int]:
        return self.spans, self.points, self.lines


def tell(traces: SpanExporter, metrics: MetricExporter, logs: LogRecordExporter, requests: int = 20) -> Told:
    """A service that serves some requests, its SDK flushing to these exporters. One request fails and logs why."""
    resource = Resource.create({"service.name": "quotes", "service.instance.id": "quotes-1"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(traces))
    measuring = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)], resource=resource)
    logging_provider = LoggerProvider(resource=resource)
    logging_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    logger = logging_provider.get_logger("quotes.carriers")
    tracer, meter = tracing.get_tracer("quotes"), measuring.get_meter("quotes")
    served = meter.create_counter("http.server.requests")
    duration = meter.create_histogram("http.server.request.duration", unit="s")
    meter.create_observable_gauge("process.cpu.utilization", [lambda _: [Observation(0.5)]], unit="1")
    try:
        for n in range(requests):
            with tracer.start_as_current_span("GET /quote"):
                served.add(1)
                duration.record(0.2)
                logger.emit(severity_number=SeverityNumber.INFO, body=f"request {n} served")
        with tracer.start_as_current_span("GET /quote") as failed:
            try:
                raise ConnectionError("carrier 17 does not answer")
            except ConnectionError as problem:
                place: dict[str, str | int] = {"code.file.path": "/app/carriers.py", "code.line.number": 88}
                logger.emit(severity_number=SeverityNumber.ERROR, body="no quote from carrier 17", attributes=place, exception=problem)
    finally:
        for provider in (tracing, measuring, logging_provider):
            provider.shutdown()
    ids = failed.get_span_context()
    return Told(requests + 1, 3, requests + 1, (ids.trace_id.to_bytes(16, "big"), ids.span_id.to_bytes(8, "big")))
