"""A large JSON request in pieces: nothing of it is lost, doubled or changed, and what is too large or wrong is told."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from bot.errors import Refused
from bot.telemetry import otlp_json, otlp_logs, otlp_metrics, otlp_metrics_json, reader
from bot.telemetry.attributes import TOO_LARGE
from bot.telemetry.batch import Catalogue, Group
from bot.telemetry.json_pieces import LARGEST_BYTES, PIECE_BYTES, WHOLE_BYTES, Layout, pieces
from bot.telemetry.metric_series import MetricSeries
from bot.telemetry.otlp import JSON
from tests.telemetry.world import T0

NOW_NS = str(int(T0 * 1e9))
Json = dict[str, Any]


def attributes(**values: str) -> list[Json]:
    return [{"key": key.replace("_", "."), "value": {"stringValue": value}} for key, value in values.items()]


def span(n: int) -> Json:
    more = attributes(http_route=f"/things/{n % 7}", user_tier="pro")
    return {
        "traceId": f"{n + 1:032x}",
        "spanId": f"{n + 1:016x}",
        "name": "GET",
        "kind": 2,
        "startTimeUnixNano": NOW_NS,
        "endTimeUnixNano": NOW_NS,
        "attributes": more,
    }


def record(n: int) -> Json:
    return {"timeUnixNano": NOW_NS, "severityNumber": 17, "body": {"stringValue": f"order {n} failed"}, "attributes": []}


def metric(n: int) -> Json:
    points = [{"timeUnixNano": NOW_NS, "asDouble": float(i), "attributes": attributes(n=str(i))} for i in range(2_000 if n == 3 else n)]
    if n % 2:
        return {"name": f"m{n}", "unit": "1", "sum": {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": True}}
    return {"description": "text", "gauge": {"dataPoints": points}, "name": f"m{n}"}


def request(layout: Layout, items: list[Json], rng: random.Random) -> bytes:
    """The items spread over resources and scopes, some of them empty."""
    groups: list[Json] = [{}, {layout.scopes: None, "resource": None}]
    while items:
        scopes: list[Json] = [{layout.items: []}, {"scope": {"name": "x"}}]
        for _ in range(3):
            count = rng.randint(1, 400)
            scopes.append({layout.items: items[:count], "schemaUrl": "text"})
            del items[:count]
        groups.append({layout.scopes: scopes, "resource": {"attributes": attributes(service_name=f"service-{len(groups)}")}})
    return json.dumps({"more": [{}], layout.groups: groups}, indent=rng.choice((None, 1))).encode()


def said(body: bytes, read: Any) -> list[Any]:
    """What is read of it, item by item with what it stands below."""
    found: list[Any] = []
    for group in read(body):
        if isinstance(group, Group):
            found += [(group.resource, one[1]()) for one in group.spans if one is not None]
        else:
            *above, items = group
            found += [(*above, item) for item in items]
    return found


SIGNALS = {
    "traces": (reader.JSON_LAYOUT, span, otlp_json.read_json),
    "logs": (otlp_logs.JSON_LAYOUT, record, otlp_logs.read_json),
    "metrics": (otlp_metrics.JSON_LAYOUT, metric, otlp_metrics_json.read_json),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_pieces_say_what_the_whole_says(signal: str) -> None:
    layout, make, read = SIGNALS[signal]
    body = request(layout, [make(n) for n in range(60 if signal == "metrics" else 3_000)], random.Random(signal))
    assert len(body) > WHOLE_BYTES
    cut = [piece for piece in pieces(body, layout) if piece.body]
    assert len(cut) > 3
    assert max(len(piece.body) for piece in cut) < 2 * PIECE_BYTES
    assert not any(piece.too_large for piece in cut)
    whole = said(body, read)
    assert len(whole) > 2_000
    assert [item for piece in cut for item in said(piece.body, read)] == whole


def test_a_small_body_is_one_piece_as_it_is() -> None:
    assert [piece.body for piece in pieces(b" what ever it holds ", reader.JSON_LAYOUT)] == [b" what ever it holds "]


def padded(*spans: Json, **resource: str) -> bytes:
    """A body that is large by what nobody reads."""
    group = {"resource": {"attributes": attributes(service_name="shop", **resource)}, "scopeSpans": [{"spans": list(spans)}]}
    return json.dumps({"more": "x" * WHOLE_BYTES, "resourceSpans": [group]}).encode()


def test_a_huge_span_is_left_out_and_its_neighbours_are_taken() -> None:
    huge = {**span(1), "name": "x" * LARGEST_BYTES}
    batch = reader.TraceReader(Catalogue.of({})).read(padded(span(0), huge, span(2)), JSON, T0)
    assert (batch.accepted, batch.dropped) == (2, {TOO_LARGE: 1})


def test_below_a_huge_resource_nothing_is_taken() -> None:
    batch = reader.TraceReader(Catalogue.of({})).read(padded(span(0), span(1), text="x" * LARGEST_BYTES), JSON, T0)
    assert (batch.accepted, batch.dropped) == (0, {TOO_LARGE: 2})


def test_a_huge_log_record_and_a_huge_data_point_are_left_out() -> None:
    huge = "x" * LARGEST_BYTES
    logs = request(otlp_logs.JSON_LAYOUT, [record(1), {**record(2), "eventName": huge}], random.Random(1))
    told = otlp_logs.decode_logs(logs, JSON, T0)
    assert (len(told.items), told.rejected) == (1, 1)
    points = [{"timeUnixNano": NOW_NS, "asDouble": 1.0}, {"timeUnixNano": NOW_NS, "asDouble": 1.0, "more": huge}]
    gauges = request(otlp_metrics.JSON_LAYOUT, [{"name": "m", "gauge": {"dataPoints": points}}], random.Random(1))
    kept = otlp_metrics.decode_metrics(gauges, JSON, T0, MetricSeries())
    assert (len(kept.items), kept.rejected) == (1, 1)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('[{"more": "%s"}]', "body: expected an object"),
        ('{"more": "%s", "resourceSpans": {}}', "resourceSpans: expected a list"),
        ('{"more": "%s", "resourceSpans": [5]}', "resourceSpans: expected an object"),
        ('{"more": "%s", "resourceSpans": [{"scopeSpans": "text"}]}', "scopeSpans: expected a list"),
        ('{"more": "%s", "resourceSpans": [{"scopeSpans": [[]]}]}', "scopeSpans: expected an object"),
        ('{"more": "%s", "resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}', "spans: expected a list"),
        ('{"more": "%s", "resourceSpans": [{"scopeSpans": [{"spans": [5]}]}]}', "spans: expected an object"),
        ('{"more": "%s", "resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 2.5}]}]}]}', "kind: expected a whole number"),
        ('{"more": "%s", "resourceSpans": [', "body: expected an object"),
        ('{"more": "%s"} and more', "body: expected an object"),
    ],
)
def test_what_is_wrong_with_a_large_body_is_told(body: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        reader.TraceReader(Catalogue.of({})).read((body % ("x" * WHOLE_BYTES)).encode(), JSON, T0)
