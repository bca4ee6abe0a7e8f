"""Requests to spans by the reader of the always-on process, with every span kept."""

from __future__ import annotations

from dataclasses import dataclass

from bot.telemetry.batch import Batch, Catalogue
from bot.telemetry.detail import Detail
from bot.telemetry.keys import KeyTable
from bot.telemetry.reader import TraceReader
from bot.telemetry.span import Span


class Everything(Detail):
    """However many spans come, all of them become objects."""

    def expect(self, body_bytes: int, now_s: float) -> None:
        del body_bytes, now_s


@dataclass(frozen=True)
class Decoded:
    spans: tuple[Span, ...]
    dropped: tuple[tuple[str, int], ...]
    reason: str


def read_traces(body: bytes, content_type: str, now_s: float) -> Batch:
    """Raises Refused when the body as a whole cannot be read."""
    return TraceReader(Catalogue(KeyTable(), frozenset(), Everything())).read(body, content_type, now_s)


def decode_traces(body: bytes, content_type: str, now_s: float) -> Decoded:
    """Raises Refused when the body as a whole cannot be read."""
    batch = read_traces(body, content_type, now_s)
    spans = tuple(span for span, _ in batch.detail)
    assert len(spans) == batch.accepted
    return Decoded(spans, tuple(sorted(batch.dropped.items())), batch.reason)
