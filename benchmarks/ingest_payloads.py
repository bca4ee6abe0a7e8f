"""Requests as exporters send them: realistic spans, every request with ids of its own, gzip. Made by patching a few templates."""

from __future__ import annotations

import random
import zlib

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TEMPLATES = 16
SERVICES = 20
ERROR_SHARE = 0.01
OWN_OPERATION = ("marketplace-web", "POST", "/quotes")  # watched by policies/slo.yaml


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def _span(rng: random.Random, now_s: float, operation: int, watched: bool) -> Span:
    """About 415 bytes: ids, times, a dozen attributes. `operation` chooses name and route."""
    start_ns = int((now_s - rng.uniform(0.0, 3.0)) * 1e9)
    failed = rng.random() < ERROR_SHARE
    method, route = OWN_OPERATION[1:] if watched else (("GET", "POST")[operation % 2], f"/api/v1/things{operation}/{{id}}")
    server = watched or operation % 3 != 2
    span = Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8),
        name=f"{method} {route}" if server else f"query things{operation}",
        kind=Span.SPAN_KIND_SERVER if server else Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(rng.lognormvariate(3.5, 0.8) * 1e6),
    )
    if server:
        span.attributes.extend(
            (
                _text("http.request.method", method),
                _text("http.route", route),
                _number("http.response.status_code", 500 if failed else rng.choice((200, 200, 200, 201, 404))),
                _text("url.scheme", "https"),
                _text("url.path", route.replace("{id}", str(rng.randrange(10**6)))),
                _text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
                _text("client.address", f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"),
                _number("server.port", 8080),
            )
        )
    else:
        span.attributes.extend(
            (
                _text("db.system.name", "postgresql"),
                _text("db.query.text", f"SELECT a, b, c, d FROM things{operation} WHERE id = $1 AND tenant = $2 ORDER BY a LIMIT 10"),
                _text("server.address", "db.internal.example"),
                _number("server.port", 5432),
            )
        )
    span.attributes.extend((_text("thread.name", f"worker-{rng.randrange(16)}"), _text("app.tier", rng.choice(("free", "pro", "team")))))
    if failed:
        span.status.code = 2  # type: ignore[assignment]
    return span


def _template(rng: random.Random, now_s: float, spans: int, operations: int) -> bytes:
    request = ExportTraceServiceRequest()
    service = OWN_OPERATION[0] if rng.random() < 1 / SERVICES else f"service-{rng.randrange(SERVICES)}"
    group = request.resource_spans.add()
    group.resource.attributes.extend(
        (
            _text("service.name", service),
            _text("service.version", "f" * 40),
            _text("service.instance.id", f"{service}-7d4b9c-{rng.randrange(3)}"),
            _text("telemetry.sdk.language", "python"),
            _text("telemetry.sdk.name", "opentelemetry"),
        )
    )
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.asgi"
    watched = service == OWN_OPERATION[0]
    scope.spans.extend(_span(rng, now_s, rng.randrange(operations), watched and rng.random() < 0.5) for _ in range(spans))
    return request.SerializeToString()


def bodies(count: int, spans: int, seed: int, now_s: float, keys: int = 400) -> list[bytes]:
    """`count` gzip bodies of `spans` spans each, all with different ids. `keys`: about how many series they fill."""
    rng = random.Random(seed)
    operations = max(2, keys // SERVICES // 2)
    templates = [_places(_template(rng, now_s, spans, operations)) for _ in range(max(TEMPLATES, min(count, keys * 4 // spans)))]
    made = []
    for i in range(count):
        body, places = templates[i % len(templates)]
        fresh = rng.randbytes(12 * len(places))
        for n, (trace_at, span_at) in enumerate(places):
            body[trace_at + 4 : trace_at + 12] = fresh[12 * n : 12 * n + 8]
            body[span_at : span_at + 4] = fresh[12 * n + 8 : 12 * n + 12]
        made.append(_gzip(body))
    return made


def _places(raw: bytes) -> tuple[bytearray, list[tuple[int, int]]]:
    """A body that can be changed, with where its trace and span ids stand."""
    request = ExportTraceServiceRequest.FromString(raw)
    found, at = [], 0
    for span in request.resource_spans[0].scope_spans[0].spans:
        at = raw.index(span.trace_id, at)
        found.append((at, raw.index(span.span_id, at)))
    return bytearray(raw), found


def _gzip(body: bytes | bytearray) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
