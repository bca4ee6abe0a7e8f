"""`GET /metrics`: this process in figures, in Prometheus' text format 0.0.4. docs/metrics.md is the same table for people.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import psutil
from starlette.requests import Request
from starlette.responses import Response

from bot.setting_values import is_loopback
from bot.web.answers import Declined, Endpoint
from bot.web.parts import Reading, WebParts

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class OwnMetric:
    """One metric of this process. `label`: the one label that its values differ by, "" when it has a single value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    label: str = ""
    counter: str = ""  # its name in Counters when it comes from there


OWN_METRICS: Final = (
    OwnMetric("sre_space_requests_refused_total", "counter", "OTLP requests refused as a whole", "reason", "requests_refused"),
    OwnMetric("sre_space_spans_total", "counter", "spans taken", counter="spans"),
    OwnMetric("sre_space_spans_dropped_total", "counter", "spans dropped", "reason", "spans_dropped"),
    OwnMetric("sre_space_spans_repeated_total", "counter", "spans that came again: not counted", counter="spans_repeated"),
    OwnMetric("sre_space_span_series", "gauge", "series of spans known"),
    OwnMetric("sre_space_detail_spans_total", "counter", "spans kept one by one", counter="detail"),
    OwnMetric("sre_space_detail_share", "gauge", "share of the traces that is kept one by one; below 1 detail is shed"),
    OwnMetric(
        "sre_space_detail_shed_total",
        "counter",
        "failed or slow spans, and spans of chosen traces in a very large request, that found no room among those kept",
        counter="detail_shed",
    ),
    OwnMetric(
        "sre_space_spans_overflowed_total",
        "counter",
        "spans counted in the overflow series of their service",
        "service",
        "spans_overflowed",
    ),
    OwnMetric("sre_space_seconds_passed_over_total", "counter", "spans whose second could not be told apart any more", "reason", "seconds"),
    OwnMetric("sre_space_points_total", "counter", "metric data points taken", counter="points"),
    OwnMetric("sre_space_points_dropped_total", "counter", "metric data points dropped", "reason", "points_dropped"),
    OwnMetric("sre_space_metric_restarts_total", "counter", "counters and histograms that began anew", counter="metric_restarts"),
    OwnMetric("sre_space_metric_series", "gauge", "metric series known"),
    OwnMetric("sre_space_operations_unlearnt", "gauge", "operations without an objective that are heard and not learnt"),
    OwnMetric("sre_space_gauge_overflow_total", "counter", "gauge readings that found no room"),
    OwnMetric("sre_space_log_records_total", "counter", "log records taken", counter="log_records"),
    OwnMetric("sre_space_log_records_dropped_total", "counter", "log records dropped", "reason", "log_records_dropped"),
    OwnMetric("sre_space_log_templates", "gauge", "texts of warnings and errors told apart"),
    OwnMetric("sre_space_log_overflow_total", "counter", "log lines counted without a place of their own", "reason"),
    OwnMetric("sre_space_signals_total", "counter", "signals raised"),
    OwnMetric("sre_space_incidents_open", "gauge", "open incidents that the loop has looked at"),
    OwnMetric("sre_space_loop_passes_total", "counter", "looks of the loop at an incident"),
    OwnMetric("sre_space_feed_followers", "gauge", "readers that follow the feed"),
    OwnMetric("sre_space_resident_memory_bytes", "gauge", "memory of this process"),
    OwnMetric("sre_space_uptime_seconds", "gauge", "since the process started"),
)


def metrics_endpoint(parts: WebParts) -> Endpoint:
    process = psutil.Process()

    async def metrics(request: Request) -> Response:
        _authorize(parts.settings.ingest_token, request)
        readings: dict[str, Reading] = {
            **{metric.name: 0 for metric in OWN_METRICS if not metric.label},
            **_counted(parts),
            **parts.readings(),
            "sre_space_feed_followers": parts.feed.followers,
            "sre_space_resident_memory_bytes": process.memory_info().rss,
            "sre_space_uptime_seconds": round(parts.clock.now() - parts.started_s, 3),
        }
        return Response("".join(lines(readings)), media_type=CONTENT_TYPE)

    return metrics


def lines(readings: Mapping[str, Reading]) -> Iterator[str]:
    """The exposition of readings by metric name, in the order of OWN_METRICS. Raises KeyError for a name that is not there."""
    known = {metric.name: metric for metric in OWN_METRICS}
    for metric in sorted((known[name] for name in readings), key=OWN_METRICS.index):
        yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        reading = readings[metric.name]
        if isinstance(reading, Mapping):
            for value, number in reading.items():
                yield f'{metric.name}{{{metric.label}="{_escaped(value)}"}} {number}\n'
        else:
            yield f"{metric.name} {reading}\n"


def _counted(parts: WebParts) -> dict[str, Reading]:
    by_counter = {metric.counter: metric for metric in OWN_METRICS if metric.counter}
    found: dict[str, Reading] = {}
    labelled: dict[str, dict[str, float]] = {}
    for name, reason, count in parts.counters.items():
        metric = by_counter[name]
        if metric.label:
            labelled.setdefault(metric.name, {})[reason] = count
        else:
            found[metric.name] = count
    return {**found, **labelled}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _authorize(token: str, request: Request) -> None:
    """This machine may always look, but nothing that a proxy on it hands on; others need the token of ingest."""
    near = request.client is not None and is_loopback(request.client.host)
    if near and not any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
        return
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    given = credentials.strip().encode("utf-8", "replace")
    if not token or scheme.lower() != "bearer" or not hmac.compare_digest(given, token.encode()):
        raise Declined(
            401,
            "the figures of this process are only shown on this machine or to who knows the token",
            "set SRE_INGEST_TOKEN here and send it as a bearer token",
            {"WWW-Authenticate": "Bearer"},
        )
