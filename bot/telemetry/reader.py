"""Trace requests to batches: by the compiled kernel where it was built, else in Python. Both give the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Final, Protocol

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import COMMIT, TOO_LARGE, TOO_MANY, refusal, text
from bot.telemetry.batch import Batch, Catalogue, Group, Sender, take
from bot.telemetry.json_pieces import Layout, pieces
from bot.telemetry.otlp import JSON, PROTOBUF, read_protobuf
from bot.telemetry.otlp_json import read_json
from bot.telemetry.otlp_json_typed import read_typed
from bot.telemetry.steps import ITEMS_PER_STEP, Steps, run_through
from bot.telemetry.wire import TOO_MANY_PARTS

FINGERPRINT = 2**64 - 1
JSON_LAYOUT: Final = Layout("resourceSpans", "scopeSpans", "spans")


class FastReader(Protocol):
    def steps(self, body: bytes, now_s: float) -> Steps[Batch | None]:
        """The batch of a protobuf body, or None when Python has to read it."""
        ...

    def read_gzip(self, body: bytes, now_s: float) -> Batch | None:
        """The batch of a protobuf body in gzip, inflated on the way; None when it has to be inflated first, whatever it holds."""
        ...


class TraceReader:
    """Reads the bodies of ExportTraceServiceRequests. Not safe for threads."""

    def __init__(self, catalogue: Catalogue, fast: FastReader | None = None) -> None:
        self._catalogue = catalogue
        self._fast = fast

    def read(self, body: bytes, content_type: str, now_s: float) -> Batch:
        """`content_type` without parameters. Raises Refused when the body as a whole cannot be read; unusable spans are dropped."""
        return run_through(self.steps(body, content_type, now_s))

    def read_gzip(self, body: bytes, inflated_bytes: int, now_s: float) -> Batch | None:
        """A protobuf body in gzip, inflated and read in one go; None when it is none of the small and plain ones that this is for.

        `inflated_bytes`: what the body says of its size. Raises Refused as `read` does.
        """
        if self._fast is None:
            return None
        detail = self._catalogue.detail
        detail.expect(inflated_bytes, now_s)
        batch = self._fast.read_gzip(body, now_s)
        detail.counted(inflated_bytes, len(batch.records) if batch is not None else 0)
        return batch

    def steps(self, body: bytes, content_type: str, now_s: float) -> Steps[Batch]:
        """`read` in steps. One request at a time: its steps have to end before another one's begin."""
        detail = self._catalogue.detail
        detail.expect(len(body), now_s)
        if content_type == PROTOBUF:
            batch = (yield from self._fast.steps(body, now_s)) if self._fast is not None else None
            if batch is None:
                batch = yield from self._collect(read_protobuf(body), now_s)
        elif content_type == JSON:
            batch = yield from self._collect(_json_groups(body), now_s)
        else:
            raise Refused(f"this Content-Type is not supported: send {PROTOBUF} or {JSON}")
        detail.counted(len(body), batch.accepted)
        return batch

    def _collect(self, groups: Iterable[Group | None], now_s: float) -> Steps[Batch]:
        """None among the groups: a moment to let others have their turn."""
        batch = Batch()
        seen = 0
        for n, group in enumerate(groups, 1):
            if n > limits.GROUPS_PER_REQUEST:
                raise Refused(TOO_MANY_PARTS)
            if group is None or not n % ITEMS_PER_STEP:
                yield
            if group is None:
                continue
            sender = Sender(text(group.resource, ("service.name",)), text(group.resource, COMMIT, limits.COMMIT_CHARS))
            for found in group.spans:
                seen += 1
                if not seen % ITEMS_PER_STEP:
                    yield
                if seen > limits.SPANS_PER_REQUEST or found is None:
                    batch.drop(TOO_LARGE if seen <= limits.SPANS_PER_REQUEST else TOO_MANY)
                    continue
                raw, whole = found
                reason = refusal(raw, sender.service, now_s)
                if reason is not None:
                    batch.drop(reason)
                    continue
                number, _ = take(batch, raw, whole, sender, self._catalogue)
                batch.records.append(number)
                batch.fingerprint = batch.fingerprint + hash((raw.trace_id, raw.span_id)) & FINGERPRINT
            if (serving := sender.serving()) is not None:
                batch.servings.append(serving)
        return batch


def _json_groups(body: bytes) -> Iterator[Group | None]:
    for piece in pieces(body, JSON_LAYOUT):
        if piece.too_large:
            yield Group({}, repeat(None, piece.too_large))
        elif piece.body:
            yield from read_typed(piece.body) or read_json(piece.body)
        yield None
