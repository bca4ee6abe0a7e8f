"""A real OTLP/HTTP receiver on loopback for tests: decodes protobuf and keeps every span it is sent."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT"}
Value = str | int | float | bool


@dataclass(frozen=True)
class SeenSpan:
    """One span as it arrived; `resource` and `attributes` are plain values, times are seconds."""

    service: str
    name: str
    kind: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    seconds: float
    failed: bool  # status ERROR
    attributes: dict[str, Value]
    exceptions: tuple[dict[str, Value], ...]
    resource: dict[str, Value]


class Collector:
    """`with Collector() as collector:`, then hand `collector.endpoint` to OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spans: list[SeenSpan] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                collector._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def spans(self) -> list[SeenSpan]:
        with self._lock:
            return list(self._spans)

    def wait_for(self, count: int, matches: Callable[[SeenSpan], bool], limit_s: float = 5.0) -> list[SeenSpan]:
        """The spans that match, once there are `count` of them; fails when they do not come in time."""
        deadline_s = time.monotonic() + limit_s
        while True:
            found = [span for span in self.spans() if matches(span)]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline_s, f"{len(found)} of {count} spans; all: {[(s.service, s.name) for s in self.spans()][-40:]}"
            time.sleep(0.02)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: ExportTraceServiceRequest) -> None:
        with self._lock:
            for group in request.resource_spans:
                resource = _plain(list(group.resource.attributes))
                for scope in group.scope_spans:
                    for span in scope.spans:
                        self._spans.append(
                            SeenSpan(
                                service=str(resource["service.name"]),
                                name=span.name,
                                kind=KINDS[span.kind],
                                trace_id=span.trace_id,
                                span_id=span.span_id,
                                parent_id=span.parent_span_id,
                                seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                                failed=span.status.code == 2,
                                attributes=_plain(list(span.attributes)),
                                exceptions=tuple(_plain(list(event.attributes)) for event in span.events if event.name == "exception"),
                                resource=resource,
                            )
                        )


def _plain(attributes: list[KeyValue]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        assert kind is not None
        found[attribute.key] = getattr(attribute.value, kind)
    return found
