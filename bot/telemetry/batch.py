"""What one request of an exporter holds, in columns: a number for every span, and objects only for what somebody may want to look at."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.telemetry.attributes import RawSpan, build_span
from bot.telemetry.columns import Column
from bot.telemetry.detail import Detail
from bot.telemetry.keys import STATUSES, KeyTable, SeriesKey, key_of
from bot.telemetry.sketch import Sketch, bucket_of
from bot.telemetry.slices import record
from bot.telemetry.span import Span

Operation = tuple[str, str]  # service, operation


@dataclass(frozen=True, slots=True)
class Finished:
    """A request of a watched operation."""

    operation: Operation
    start_s: float
    end_s: float
    error: bool
    commit: str

    @property
    def duration_ms(self) -> float:
        return (self.end_s - self.start_s) * 1000.0


@dataclass(frozen=True, slots=True)
class Serving:
    """What the requests that a process answered say of the commit that it was made from."""

    service: str
    commit: str
    first_start_s: float
    last_start_s: float
    last_end_s: float


@dataclass(slots=True)
class Batch:
    """`records`: one number for each span (bot/telemetry/slices.py). `detail`: spans to keep, and whether their whole trace is kept.

    `fingerprint` is the same when the same spans come again; 0 when there are none. `shed`: failed or slow spans that found no room.
    """

    records: Column = field(default_factory=lambda: array("Q"))
    requests: list[Finished] = field(default_factory=list)
    servings: list[Serving] = field(default_factory=list)
    detail: list[tuple[Span, bool]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    shed: int = 0
    fingerprint: int = 0

    @property
    def accepted(self) -> int:
        return len(self.records)

    @property
    def rejected(self) -> int:
        return self.dropped.total()

    @property
    def reason(self) -> str:
        """One sentence part for people, most frequent first; "" when nothing was dropped."""
        return "; ".join(f"{n} × {reason}" for reason, n in sorted(self.dropped.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Catalogue:
    """What spans are sorted by: series, the operations that are watched, and how much detail is kept."""

    keys: KeyTable
    watched: frozenset[Operation]
    detail: Detail

    @classmethod
    def of(cls, limits_ms: Mapping[Operation, float]) -> Catalogue:
        """`limits_ms`: the watched operations with what is slow for them. Their series have their place before any other can take it."""
        catalogue = cls(KeyTable(), frozenset(limits_ms), Detail())
        for (service, operation), limit_ms in limits_ms.items():
            for status in STATUSES:
                index = catalogue.keys.index(SeriesKey(service, operation, "server", status))
                catalogue.detail.promise(index, limit_ms)
        return catalogue

    def learn(self, key: SeriesKey, durations: Sketch, second: int) -> None:
        """From a second that is over: what is slow for a series, so that it is worth keeping."""
        self.detail.learn(self.keys.index(key), durations, second)


def take(batch: Batch, raw: RawSpan, service: str, commit: str, catalogue: Catalogue) -> tuple[int, int, Span]:
    """One acceptable span into the batch, all but its record: (record, index of its key, the span)."""
    span = build_span(raw, service, commit)
    key = key_of(span)
    index = catalogue.keys.index(key)
    duration_ns = raw.end_ns - raw.start_ns
    if span.kind == "server":
        batch.servings.append(Serving(service, commit, span.start_s, span.start_s, span.end_s))
        if (span.service, span.operation) in catalogue.watched:
            batch.requests.append(Finished((span.service, span.operation), span.start_s, span.end_s, span.error, commit))
    if catalogue.detail.whole(span.trace_id):
        batch.detail.append((span, True))
    elif key.status == "error" or duration_ns > catalogue.detail.slow_ns[index]:
        if catalogue.detail.force():
            batch.detail.append((span, False))
        else:
            batch.shed += 1
    return record(raw.end_ns // 1_000_000_000, index, bucket_of(duration_ns / 1e6)), index, span
