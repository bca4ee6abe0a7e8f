"""What a span calls, said so that two calls of the same place in the code are equal; and the marks of paging and of time-outs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.rootcause.comparing.forest import Forest
from bot.rootcause.model import Span

NS_PER_MS = 1_000_000
CLIENT, PRODUCER = 3, 4  # OTLP's SpanKind
INTERNAL, SERVER, CONSUMER = 1, 2, 5
MAX_DEPTH = 200  # of a call tree
TEXT_KEYS = ("db.query.text", "db.statement", "url.full", "http.url", "url.path", "url.query", "http.target", "http.route")
DATABASE_KEYS = ("db.system.name", "db.system", "db.query.text", "db.statement", "db.operation.name", "db.operation")
ID = re.compile(r"'[^']{0,200}'|\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F-]{8,64}\b|\d+")
PAGING = re.compile(
    r"\boffset\b|\blimit\s+\d{2,}"
    r"|(?:^|[?&;\s])[\w.$-]{0,20}(?:page|cursor|offset|skip|continuation|next|marker|after)[\w.$-]{0,20}=",
    re.IGNORECASE,
)
READING = re.compile(r"^\W{0,3}(?:select|get|hget|mget|find|query|read|fetch|scan|lookup|load|exists|head)", re.IGNORECASE)
TIMED_OUT = re.compile(r"time[d _-]{0,2}out|deadline.?exceeded|\b504\b|\b408\b|cancell?ed", re.IGNORECASE)
OVERLOADED = re.compile(r"\b429\b|too.?many.?requests|resource.?exhausted|rate.?limit|throttl", re.IGNORECASE)
STATUS_KEYS = ("http.response.status_code", "http.status_code", "rpc.grpc.status_code", "error.type", "error.message", "exception.type")

Signature = tuple[str, str, str, str]


def signature(span: Span) -> Signature:
    """Service, operation, peer and what is asked for, ids masked."""
    return span.service, ID.sub("*", span.operation), span.peer, ID.sub("*", text_of(span))


def text_of(span: Span) -> str:
    """The statement or the address of a call, "" when the span does not say."""
    return " ".join(span.attributes[key] for key in TEXT_KEYS if key in span.attributes)


def is_paged(span: Span) -> bool:
    """Whether a call asks for one page of several."""
    return bool(PAGING.search(f"{span.operation} {text_of(span)}"))


def is_database(span: Span) -> bool:
    return any(key in span.attributes for key in DATABASE_KEYS)


def is_read(span: Span) -> bool:
    said = span.attributes.get("db.operation.name") or span.attributes.get("db.operation") or text_of(span) or span.operation
    return bool(READING.search(said)) or bool(READING.search(span.operation))


def says_timeout(span: Span) -> bool:
    return bool(TIMED_OUT.search(_said(span)))


def says_overload(span: Span) -> bool:
    return bool(OVERLOADED.search(_said(span)))


def _said(span: Span) -> str:
    return " ".join([span.exception, *(span.attributes[key] for key in STATUS_KEYS if key in span.attributes)])


def leaves_service(forest: Forest, span: Span) -> bool:
    """Whether the span is a call to something else: by kind, by a remote child, or a database's."""
    told = span.kind in (CLIENT, PRODUCER) or (span.kind == 0 and bool(span.peer))
    return told or is_database(span) or bool(forest.remote(span))


def calls_below(forest: Forest, span: Span) -> bool:
    """Whether the span, or what its service did in it, leaves the service."""
    return any(leaves_service(forest, one) for one in own_work(forest, span))


def own_work(forest: Forest, span: Span) -> Iterator[Span]:
    """The span and what the same service did below it."""
    level = [span]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        yield from level
        level = [kid for one in level for kid in forest.kids(one) if kid.service == span.service]


def below(forest: Forest, span: Span) -> Iterator[Span]:
    """The span and all below it, nearest first."""
    level = [span]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        yield from level
        level = [kid for one in level for kid in forest.kids(one)]


def duration_ns(span: Span) -> int:
    return span.end_ns - span.start_ns


def milliseconds(nanoseconds: float) -> str:
    value = nanoseconds / NS_PER_MS
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"
