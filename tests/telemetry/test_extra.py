"""Which attributes are kept to tell bad requests from good ones: what may matter, in bounds, and nothing secret or personal."""

from __future__ import annotations

import json
import random
import tracemalloc
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.telemetry import limits
from bot.telemetry.extra import Extras, extra_of, wanted
from bot.telemetry.otlp import JSON, PROTOBUF
from bot.telemetry.store import SpanStore
from tests.telemetry.decoding import decode_traces
from tests.telemetry.world import T0, root_spans


@pytest.mark.parametrize(
    "key",
    ["customer.tier", "cloud.region", "k8s.pod.name", "service.instance.id", "http.request.method", "db.system.name", "feature.checkout",
     "deployment.environment.name", "tenant", "faas.version", "messaging.system"],
)  # fmt: skip
def test_what_may_tell_requests_apart_is_kept(key: str) -> None:
    assert wanted(key)


@pytest.mark.parametrize(
    "key",
    ["", "k" * 100,
     "http.response.status_code", "error.type", "exception.message", "otel.status_code", "enduser.id", "user.email", "password",
     "app.api_key", "x-auth-token", "session.id", "url.full", "url.query", "http.target", "db.statement", "db.query.text",
     "client.address",
     "http.request.header.cookie", "thread.id", "process.pid", "server.address", "service.name",
     "telemetry.sdk.version", "shipping.address"],
)  # fmt: skip
def test_outcomes_persons_secrets_and_free_text_are_not(key: str) -> None:
    assert not wanted(key)


def test_places_stay_when_an_application_floods_its_spans() -> None:
    flood = [(f"k{i}", "v") for i in range(200)]
    kept = extra_of([*flood, ("host.name", "web-1")], [("cart.size", 12), ("ratio", 0.5), ("beta", True), ("note", "x" * 500)])
    assert len(kept) == limits.EXTRA_KEYS
    assert kept[0] == ("host.name", "web-1")
    assert extra_of([], [("cart.size", 12), ("ratio", 0.5), ("beta", True), ("note", "x" * 500)]) == (("cart.size", "12"), ("beta", "true"))
    assert extra_of([("region", "eu")], [("region", "us"), ("http.method", "GET")]) == (("region", "us"), ("http.request.method", "GET"))


def body(value: object) -> dict[str, object]:
    ids = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}
    times = {"startTimeUnixNano": str(int(T0 * 1e9)), "endTimeUnixNano": str(int((T0 + 1) * 1e9))}
    attributes = [{"key": "customer.tier", "value": {"stringValue": "gold"}}, {"key": "beta", "value": {"boolValue": True}}]
    odd = {"key": "odd", "value": value}
    resource = [{"key": "service.name", "value": {"stringValue": "shop"}}, {"key": "cloud.region", "value": {"stringValue": "eu"}}]
    spans = [{**ids, **times, "name": "GET /", "kind": 2, "attributes": [*attributes, odd]}]
    return {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"spans": spans}]}]}


def test_both_encodings_give_the_same_attributes() -> None:
    from_json = decode_traces(json.dumps(body({"arrayValue": {"values": []}})).encode(), JSON, T0 + 1)
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, text in (("service.name", "shop"), ("cloud.region", "eu")):
        resource_spans.resource.attributes.add(key=key).value.string_value = text
    span = resource_spans.scope_spans.add().spans.add(
        trace_id=(1).to_bytes(16, "big"), span_id=(1).to_bytes(8, "big"), name="GET /", kind=2,
        start_time_unix_nano=int(T0 * 1e9), end_time_unix_nano=int((T0 + 1) * 1e9),
    )  # fmt: skip
    span.attributes.add(key="customer.tier").value.string_value = "gold"
    span.attributes.add(key="beta").value.bool_value = True
    span.attributes.add(key="odd").value.bytes_value = b"x"
    from_protobuf = decode_traces(request.SerializeToString(), PROTOBUF, T0 + 1)
    assert from_json.spans == from_protobuf.spans
    assert from_json.spans[0].extra == (("cloud.region", "eu"), ("customer.tier", "gold"), ("beta", "true"))


@pytest.mark.parametrize("value", [7, None, {"intValue": [1]}, {"stringValue": {}}, {"kvlistValue": 3}])
def test_an_odd_value_costs_nothing_but_itself(value: object) -> None:
    if value == 7 or value is None:
        value = {"doubleValue": "much"}
    (span,) = decode_traces(json.dumps(body(value)).encode(), JSON, T0 + 1).spans
    assert "odd" not in dict(span.extra)


def test_a_key_whose_values_never_repeat_is_dropped_and_one_of_few_values_stays() -> None:
    extras = Extras()
    kept = [extras.share("shop", (("tier", "gold"), ("cart", str(i))), T0) for i in range(500)]
    assert all(("tier", "gold") in extra for extra in kept)
    assert sum(len(extra) == 2 for extra in kept) == limits.EXTRA_VALUES
    assert extras.share("other", (("cart", "1"),), T0) == (("cart", "1"),), "counted at each service"
    later = extras.share("shop", (("cart", "new"),), T0 + limits.STORED_S + 1)
    assert later == (("cart", "new"),), "old values make room"


def test_a_bomb_of_attributes_takes_little_memory() -> None:
    rng = random.Random(1)
    spans = root_spans([T0 + i / 1_000 for i in range(6_000)])
    tracemalloc.start()
    store = SpanStore(max_spans=5_000)
    for i, item in enumerate(spans):
        extra = tuple((f"k{rng.randrange(100_000)}".ljust(60, "k"), f"{rng.random()}".ljust(60, "v")) for _ in range(limits.EXTRA_KEYS))
        store.add(replace(item, extra=extra), T0 + i / 1_000)
    used_mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    assert used_mib < 10
