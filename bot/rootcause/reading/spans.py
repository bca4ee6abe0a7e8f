"""Spans of decoded requests as nouns: who, whom it calls, whether it failed, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from sys import intern
from types import MappingProxyType

from bot.recorded.messages import Event, KeyValue, Resource, ResourceSpans
from bot.recorded.messages import Span as Message
from bot.rootcause.model import Span

MAX_ATTRIBUTES = 64  # of a span; the SDKs' own limit is 128
MAX_TEXT_CHARS = 1_024  # of a name or a value
MAX_INTERNED_CHARS = 128  # longer texts seldom occur twice
SERVICE_KEYS = ("service.name", "k8s.deployment.name")
INSTANCE_KEYS = ("k8s.pod.name", "service.instance.id", "container.id", "host.name")
# Who is called, best name first (https://opentelemetry.io/docs/specs/semconv/). A database often says no more than its kind.
PEER_KEYS = (
    "peer.service",
    "server.address",
    "net.peer.name",
    "rpc.service",
    "messaging.destination.name",
    "db.namespace",
    "db.name",
    "db.system.name",
    "db.system",
)
STATUS_KEYS = ("http.response.status_code", "http.status_code")
# gRPC codes that are the server's fault (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
GRPC_FAILURES = frozenset({"2", "4", "12", "13", "14", "15"})
ERROR = (2, "STATUS_CODE_ERROR")
KINDS: Mapping[str, int] = MappingProxyType(
    {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5}
)
NOTHING: Mapping[str, str] = MappingProxyType({})


def read_spans(resources: Iterable[ResourceSpans]) -> Iterator[Span]:
    """In their order. A span that ends before it begins has no duration."""
    for resource in resources:
        service, instance = who(resource.resource)
        for scope in resource.scope_spans:
            for message in scope.spans:
                yield _span(service, instance, message)


def who(resource: Resource | None) -> tuple[str, str]:
    """(service, instance) of a resource, "" where it does not say."""
    attributes = texts(resource.attributes) if resource is not None else NOTHING
    return first(attributes, SERVICE_KEYS), first(attributes, INSTANCE_KEYS)


def texts(attributes: list[KeyValue]) -> Mapping[str, str]:
    """The first MAX_ATTRIBUTES attributes as texts."""
    if not attributes:
        return NOTHING
    return {short(one.key): short(one.text) for one in attributes[:MAX_ATTRIBUTES]}


def first(attributes: Mapping[str, str], keys: Iterable[str]) -> str:
    return next((attributes[key] for key in keys if attributes.get(key)), "")


def short(text: str) -> str:
    """Bounded; one object for what occurs often."""
    return intern(text) if len(text) <= MAX_INTERNED_CHARS else text[:MAX_TEXT_CHARS]


def _span(service: str, instance: str, message: Message) -> Span:
    attributes = texts(message.attributes)
    kind = KINDS.get(message.kind, 0) if isinstance(message.kind, str) else message.kind
    failed = (message.status is not None and message.status.code in ERROR) or _says_failure(attributes)
    return Span(
        trace_id=intern(message.trace_id[:MAX_INTERNED_CHARS]),
        span_id=message.span_id[:MAX_INTERNED_CHARS],
        parent_id=message.parent_span_id[:MAX_INTERNED_CHARS].strip("0") and message.parent_span_id[:MAX_INTERNED_CHARS],
        service=service,
        instance=instance,
        operation=short(message.name),
        kind=kind,
        start_ns=message.start_time_unix_nano,
        end_ns=max(message.start_time_unix_nano, message.end_time_unix_nano),
        failed=failed,
        peer=first(attributes, PEER_KEYS),
        attributes=attributes,
        exception=_exception(message.events) or (short(message.status.message) if failed and message.status is not None else ""),
    )


def _says_failure(attributes: Mapping[str, str]) -> bool:
    """By semantic conventions, or OpenTracing's `error`, for those who set no status."""
    if not attributes:
        return False
    code = first(attributes, STATUS_KEYS)
    return (
        (len(code) == 3 and code.startswith("5"))
        or "error.type" in attributes
        or attributes.get("error", "").lower() == "true"
        or attributes.get("rpc.grpc.status_code", "") in GRPC_FAILURES
    )


def _exception(events: list[Event]) -> str:
    for event in events:
        if event.name == "exception":
            said = texts(event.attributes)
            parts = [said.get("exception.type", ""), said.get("exception.message", "")]
            return ": ".join(part for part in parts if part)[:MAX_TEXT_CHARS]
    return ""
