"""OpenTelemetry for one service: its resource, a batching OTLP/HTTP exporter when an endpoint is configured, inner work spans."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Tracer

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SCHEDULE_DELAY_MS = 500.0


@dataclass(frozen=True)
class Deployment:
    """What is deployed: the commit ("" when unknown) and the environment's name."""

    commit: str
    environment: str


def deployment_from(environ: Mapping[str, str]) -> Deployment:
    """The deployment as the platform names it in the environment (Render sets RENDER and RENDER_GIT_COMMIT)."""
    default = "production" if environ.get("RENDER") else "development"
    return Deployment(commit=environ.get("RENDER_GIT_COMMIT", ""), environment=environ.get("DEPLOYMENT_ENVIRONMENT", "") or default)


def exporter_from(environ: Mapping[str, str]) -> SpanExporter | None:
    """An OTLP/HTTP protobuf exporter configured by the standard OTEL_* variables, or None when no endpoint is set."""
    if not any(environ.get(variable, "").strip() for variable in ENDPOINT_VARIABLES):
        return None
    return OTLPSpanExporter()


def new_provider(service: str, deployment: Deployment, environ: Mapping[str, str]) -> TracerProvider:
    """A tracer provider for `service`. Starts the exporter's thread: call it after a fork, never before."""
    attributes = {"service.name": service, "deployment.environment.name": deployment.environment}
    if deployment.commit:
        attributes |= {"service.version": deployment.commit, "vcs.ref.head.revision": deployment.commit}
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    exporter = exporter_from(environ)
    if exporter is not None:
        delay = None if environ.get("OTEL_BSP_SCHEDULE_DELAY") else SCHEDULE_DELAY_MS
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    return provider


def flush(provider: TracerProvider, limit_s: float) -> None:
    """Send what is left and shut down, waiting at most `limit_s`: a dead collector must not hold up a stop."""
    stopping = threading.Thread(target=provider.shutdown, name="telemetry-shutdown", daemon=True)
    stopping.start()
    stopping.join(limit_s)


def work(tracer: Tracer, name: str) -> AbstractContextManager[Span]:
    """An INTERNAL span around a piece of work; an exception that leaves it is recorded and marks it as failed."""
    return tracer.start_as_current_span(name, kind=SpanKind.INTERNAL)
