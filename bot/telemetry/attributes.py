"""From OTLP attributes, however they were encoded, to a `Span`: which keys count, how long values may be, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from bot.telemetry import limits
from bot.telemetry.span import Kind, Span, SpanException

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar]

# The stable key first, then the names it had before HTTP's semantic conventions became stable.
METHOD: Final = ("http.request.method", "http.method")
STATUS: Final = ("http.response.status_code", "http.status_code")
ADDRESS: Final = ("server.address", "net.peer.name")
PORT: Final = ("server.port", "net.peer.port")
COMMIT: Final = ("vcs.ref.head.revision", "service.version")
ROUTE: Final = ("http.route",)
COUNTED_KEYS: Final = frozenset({*METHOD, *STATUS, *ROUTE})  # all that says in which series a span counts
SPAN_KEYS: Final = frozenset({*COUNTED_KEYS, *ADDRESS, *PORT, "error.type", "peer.service"})
RESOURCE_KEYS: Final = frozenset({*COMMIT, "service.name"})
EXCEPTION_KEYS: Final = frozenset({"exception.type", "exception.message", "exception.stacktrace"})
KINDS: Final[tuple[Kind, ...]] = ("internal", "internal", "server", "client", "producer", "consumer")  # by OTLP's enum; 0 is unspecified
STATUS_ERROR: Final = 2
HTTP_SERVER_ERROR: Final = 500
HTTP_LAST: Final = 599
TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


class RawSpan(NamedTuple):
    """A span as both encodings give it. Times in nanoseconds; attributes hold at least those of COUNTED_KEYS that were sent.

    What only a `Span` needs (the other SPAN_KEYS, exception, extra) may be missing until the whole span is asked for.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    attributes: Attributes
    exception: Attributes | None = None
    extra: tuple[tuple[str, str], ...] = ()  # of the span and its resource, chosen by bot/telemetry/extra.py


def text(attributes: Attributes, keys: tuple[str, ...], limit: int = limits.NAME_CHARS) -> str:
    """The first of `keys` that is there, as bounded text without control characters; "" when none is."""
    value = first(attributes, keys)
    return "" if value is None else clean(str(value), limit)


def first(attributes: Attributes, keys: tuple[str, ...]) -> Scalar | None:
    """The value of the first of `keys` that is there."""
    for key in keys:
        if key in attributes:
            return attributes[key]
    return None


def clean(value: str, limit: int) -> str:
    """At most `limit` printable characters; anything else becomes a space."""
    value = value[:limit]
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)


def number(attributes: Attributes, keys: tuple[str, ...]) -> int | None:
    """The first of `keys` that is a whole number, also when it was sent as text."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len("65535"):
            return int(value)
    return None


# Why a span is dropped, in the order in which it is looked at.
NO_SERVICE: Final = "no service.name in the resource"
BAD_ID: Final = "trace id or span id missing or malformed"
BAD_PARENT: Final = "parent span id malformed"
NEGATIVE: Final = "negative duration"
START_OFF: Final = "start time is hours off"
END_OFF: Final = "end time is hours off"
TOO_MANY: Final = f"more than {limits.SPANS_PER_REQUEST} spans in one request"
TOO_LARGE: Final = f"span or resource larger than {limits.LARGEST_SPAN_BYTES // 1024} KiB"
REASONS: Final = (NO_SERVICE, BAD_ID, BAD_PARENT, NEGATIVE, START_OFF, END_OFF, TOO_MANY, TOO_LARGE)


def refusal(raw: RawSpan, service: str, now_s: float) -> str | None:
    """Why a span cannot be used; None when it can."""
    if not service:
        return NO_SERVICE
    if len(raw.trace_id) != TRACE_ID_BYTES or not any(raw.trace_id) or len(raw.span_id) != SPAN_ID_BYTES or not any(raw.span_id):
        return BAD_ID
    if len(raw.parent_id) not in (0, SPAN_ID_BYTES):
        return BAD_PARENT
    if raw.end_ns < raw.start_ns:
        return NEGATIVE
    if not now_s - limits.CLOCK_BEHIND_S <= raw.start_ns / 1e9 <= now_s + limits.CLOCK_AHEAD_S:
        return START_OFF
    if raw.end_ns / 1e9 > now_s + limits.CLOCK_AHEAD_S:
        return END_OFF
    return None


def kind_of(raw: RawSpan) -> Kind:
    return KINDS[raw.kind] if 0 <= raw.kind < len(KINDS) else "internal"


def operation_of(raw: RawSpan, kind: Kind) -> str:
    """Of a server span "METHOD route" when both are known, else the name."""
    if kind == "server":
        method, route = text(raw.attributes, METHOD), text(raw.attributes, ROUTE)
        if method and route:
            return f"{method} {route}"
    return clean(raw.name, limits.NAME_CHARS)


def status_code_of(raw: RawSpan) -> int | None:
    """The HTTP status, None when there is none that HTTP knows."""
    code = number(raw.attributes, STATUS)
    return code if code is not None and 0 < code <= HTTP_LAST else None


def is_error(raw: RawSpan, status_code: int | None) -> bool:
    return raw.status == STATUS_ERROR or (status_code is not None and status_code >= HTTP_SERVER_ERROR)


def build_span(raw: RawSpan, service: str, commit: str) -> Span:
    """The `Span` of an acceptable raw span that is whole."""
    kind = kind_of(raw)
    status_code = status_code_of(raw)
    exception = build_exception(raw.exception) if raw.exception is not None else None
    error = is_error(raw, status_code)
    error_type = text(raw.attributes, ("error.type",))
    if error and not error_type:
        error_type = exception.type if exception else str(status_code) if status_code and status_code >= HTTP_SERVER_ERROR else ""
    calls = kind in ("client", "producer")
    return Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=raw.parent_id if any(raw.parent_id) else b"",
        service=service,
        name=clean(raw.name, limits.NAME_CHARS),
        operation=operation_of(raw, kind),
        kind=kind,
        start_s=raw.start_ns / 1e9,
        end_s=raw.end_ns / 1e9,
        status_code=status_code,
        error=error,
        error_type=error_type,
        peer_service=text(raw.attributes, ("peer.service",)) if calls else "",
        server_address=text(raw.attributes, ADDRESS) if calls else "",
        server_port=number(raw.attributes, PORT) if calls else None,
        exception=exception,
        commit=commit,
        extra=raw.extra,
    )


def build_exception(attributes: Attributes) -> SpanException:
    stack = str(attributes.get("exception.stacktrace", ""))
    if len(stack) > limits.STACKTRACE_CHARS:
        tail = limits.STACKTRACE_CHARS - limits.STACKTRACE_HEAD_CHARS
        stack = f"{stack[: limits.STACKTRACE_HEAD_CHARS]}\n…\n{stack[-tail:]}"
    return SpanException(
        type=text(attributes, ("exception.type",)),
        message=str(attributes.get("exception.message", ""))[: limits.MESSAGE_CHARS],
        stacktrace=stack,
    )
