"""The quick ways to read spans and the thorough ones say the same, whatever is sent."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from bot.errors import Refused
from bot.telemetry.attributes import COUNTED_KEYS, RawSpan
from bot.telemetry.batch import Group
from bot.telemetry.otlp import attributes_of, counted_span, parts_of, raw_span, whole_span
from bot.telemetry.otlp_json import read_json
from bot.telemetry.otlp_json_typed import read_typed
from bot.telemetry.trimmed import COUNTED_SPAN
from tests.telemetry.test_reader import make_span, value

Told = list[tuple[dict[str, Any], list[RawSpan]]]


def counted(span: OtlpSpan) -> RawSpan:
    """By the whole schema."""
    whole = raw_span(span, ())
    return whole._replace(attributes=attributes_of(span.attributes, COUNTED_KEYS), exception=None, extra=())


@given(seed=st.integers(0, 2**32), flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
@settings(max_examples=150)
def test_a_span_counts_as_the_whole_schema_says(seed: int, flips: list[tuple[int, int]]) -> None:
    sent = bytearray(make_span(random.Random(seed), 0.3).SerializeToString())
    for at, byte in flips:
        sent[at % len(sent)] = byte
    try:
        whole = OtlpSpan.FromString(bytes(sent))
    except DecodeError:
        return  # the quick way does not look at text that nobody reads
    assert counted_span(COUNTED_SPAN.FromString(bytes(sent))) == counted(whole)


RESOURCE = (("service.instance.id", "a-1"), ("http.request.method", "of the process"))


@given(seed=st.integers(0, 2**32), flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
@settings(max_examples=150)
def test_a_span_is_kept_as_the_whole_schema_says(seed: int, flips: list[tuple[int, int]]) -> None:
    rng = random.Random(seed)
    span = make_span(rng, 0.3)
    for _ in range(rng.choice((0, 3, 30))):
        span.attributes.append(KeyValue(key=rng.choice(("tier", "url.path", "http.method", f"k{rng.random()}")), value=value(rng)))
    sent = bytearray(span.SerializeToString())
    for at, byte in flips:
        sent[at % len(sent)] = byte
    try:
        whole = OtlpSpan.FromString(bytes(sent))
    except DecodeError:
        return
    assert whole_span(bytes(sent), RESOURCE) == (parts_of(whole), raw_span(whole, RESOURCE))


def pair(key: str, **value: Any) -> bytes:
    return KeyValue(key=key, value=AnyValue(**value)).SerializeToString()


ROUTE, OTHER = pair("http.route", string_value="/a"), pair("url.path", string_value="/b")


@pytest.mark.parametrize(
    "sent",
    [
        [ROUTE],
        [ROUTE, pair("http.route", string_value="/later")],
        [ROUTE, pair("http.route")],
        [ROUTE, KeyValue(key="http.route").SerializeToString()],
        [OTHER + ROUTE],
        [ROUTE + OTHER],
        [ROUTE[12:] + ROUTE[:12]],
        [ROUTE + ROUTE[12:] + b"\x12\x00"],
        [b"\x0a\x8a\x00http.route" + ROUTE[12:]],
        [ROUTE + b"\x18\x01"],
        [b"", ROUTE],
        [pair("url.path", string_value="x" * 20_000), pair("url.path", string_value="x" * 200), ROUTE],
        [pair("url.path", string_value="x" * 200) + ROUTE],
        [pair("http.status_code", bool_value=True), pair("http.method", string_value="GET" * 60)],
    ],
)
def test_however_an_attribute_is_written_its_value_is_found(sent: list[bytes]) -> None:
    body = b"".join(b"\x4a" + length(len(one)) + one for one in sent)
    assert counted_span(COUNTED_SPAN.FromString(body)) == counted(OtlpSpan.FromString(body))


def length(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80]) + length(size >> 7)


def told(groups: Any) -> Told | str:
    found: Told = []
    try:
        for group in groups:
            assert isinstance(group, Group)
            found.append((dict(group.resource), [whole() for one in group.spans if one is not None for _, whole in [one]]))
    except Refused as refused:
        return str(refused)
    return found


def assert_alike(body: bytes) -> bool:
    """Whether the quick way read it."""
    quick = read_typed(body)
    if quick is None:
        return False
    try:
        thorough = told(read_json(body))
    except Refused as refused:
        thorough = str(refused)
    assert told(quick) == thorough
    return True


HEX = "0af7651916cd43dd8448eb211c80319c"
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(("12", "SPAN_KIND_SERVER", "STATUS_CODE_ERROR", HEX, HEX[:16], "exception", "\ud800", "1e3", " 7", "http.route")),
)
KEYS = ("http.route", "service.name", "http.response.status_code", "exception.type", "server.port", "app.tier", "")
VALUES = ("stringValue", "intValue", "boolValue", "doubleValue", "arrayValue")
attributes = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(KEYS)},
        optional={
            "value": st.one_of(
                st.dictionaries(st.sampled_from(VALUES), scalars, max_size=2),
                scalars,
            )
        },
    ),
    max_size=4,
)
parts = st.one_of(scalars, attributes, st.dictionaries(st.sampled_from(("code", "message")), scalars, max_size=2))
NAMES = ("traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "status", "attributes", "more")
spans = st.fixed_dictionaries(
    {"attributes": attributes},
    optional={
        "kind": st.sampled_from((1, 2, "SPAN_KIND_CLIENT", "2")),
        "traceId": st.just(HEX),
        "startTimeUnixNano": st.sampled_from((1, "1700000000000000000", 2**64 - 1, 2**64)),
        "status": st.one_of(st.none(), st.fixed_dictionaries({"code": st.sampled_from((0, 2, "STATUS_CODE_ERROR", "2"))})),
        "events": st.lists(st.fixed_dictionaries({"name": st.just("exception"), "attributes": attributes}), max_size=2),
    },
)


@given(span=spans, odd=st.dictionaries(st.sampled_from(NAMES), parts, max_size=1), resource=attributes)
@settings(max_examples=120)
def test_typed_json_says_what_thorough_json_says(span: dict[str, Any], odd: dict[str, Any], resource: Any) -> None:
    request = {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"spans": [span, {**span, **odd}]}]}]}
    assert_alike(json.dumps(request).encode())


@pytest.mark.parametrize(
    ("body", "quick"),
    [
        (b"{}", True),
        (b'{"resourceSpans": null}', True),
        (b'{"resourceSpans": [{"resource": null, "scopeSpans": [{"spans": [{"kind": 2, "x": [1, {"y": null}]}]}]}]}', True),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 1, "kind": 2}]}]}]}', True),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}]}]}]}', False),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 2.0}]}]}]}', False),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": true}]}]}]}', False),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": 1e3}]}]}]}', False),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"status": []}]}]}]}', False),
        (b'{"resourceSpans": {}}', False),
        (b"[]", False),
        (b"", False),
        (b'\xef\xbb\xbf{"resourceSpans": []}', False),
        (b"{" + b'"a":{' * 5_000, False),
    ],
)
def test_which_json_is_read_the_quick_way(body: bytes, quick: bool) -> None:
    assert assert_alike(body) == quick
