"""What one request of an exporter holds, in columns: a number for every span, and objects only for what somebody may want to look at."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bot.telemetry import limits
from bot.telemetry.attributes import (
    METHOD,
    ROUTE,
    Attributes,
    RawSpan,
    Scalar,
    build_span,
    first,
    is_error,
    kind_of,
    operation_of,
    status_code_of,
)
from bot.telemetry.columns import Column
from bot.telemetry.detail import Detail
from bot.telemetry.keys import STATUSES, KeyTable, SeriesKey, Status, status_class
from bot.telemetry.sketch import Sketch, bucket_of
from bot.telemetry.slices import record
from bot.telemetry.span import Kind, Span

Operation = tuple[str, str]  # service, operation
Whole = Callable[[], RawSpan]
PLACES = 16_384  # ways to write a name that are remembered with their series


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
class Group:
    """The acceptable and other spans of one resource: as far as they are counted, with what gives the whole span; None for one that is
    too large."""

    resource: Attributes
    spans: Iterator[tuple[RawSpan, Whole] | None]


@dataclass(slots=True)  # frozen it would take three times as long to make, for every request of every exporter
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

    `fingerprint` is the same when the same spans come again; 0 when there are none. `shed`: spans worth keeping that found no room.
    """

    records: Column = field(default_factory=lambda: array("Q"))
    requests: list[Finished] = field(default_factory=list)
    servings: list[Serving] = field(default_factory=list)
    detail: list[tuple[Span, bool]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    shed: int = 0
    fingerprint: int = 0

    def drop(self, reason: str) -> None:
        """One span that is not counted."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    @property
    def accepted(self) -> int:
        return len(self.records)

    @property
    def rejected(self) -> int:
        return sum(self.dropped.values())

    @property
    def reason(self) -> str:
        """One sentence part for people, most frequent first; "" when nothing was dropped."""
        if not self.dropped:
            return ""
        return "; ".join(f"{n} × {reason}" for reason, n in sorted(self.dropped.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Catalogue:
    """What spans are sorted by: series, the operations that are watched, and how much detail is kept."""

    keys: KeyTable
    watched: frozenset[Operation]
    detail: Detail
    _places: dict[tuple[str, str, Kind, Status, Scalar | None, Scalar | None], tuple[int, SeriesKey]] = field(
        default_factory=dict, repr=False, compare=False
    )

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

    def place(self, raw: RawSpan, service: str) -> tuple[int, SeriesKey]:
        """(index of the series in which a span counts, the span's own key: not the stand-in when it found no room)."""
        kind, status_code = kind_of(raw), status_code_of(raw)
        status = status_class(kind, status_code, is_error(raw, status_code))
        method = route = None
        if kind == "server":
            method, route = first(raw.attributes, METHOD), first(raw.attributes, ROUTE)
        written = (service, raw.name, kind, status, method, route)
        known = self._places.get(written)
        if known is not None:
            return known
        key = SeriesKey(service, operation_of(raw, kind), kind, status)
        index = self.keys.index(key)
        if self.keys[index] == key and _is_plain(method) and _is_plain(route) and len(raw.name) <= limits.NAME_CHARS:
            if len(self._places) >= PLACES:
                self._places.clear()
            self._places[written] = index, key
        return index, key


def _is_plain(value: Scalar | None) -> bool:
    """Text of an ordinary length, or nothing: what is equal to it is written like it (1 and True are not)."""
    return value is None or (isinstance(value, str) and len(value) <= limits.NAME_CHARS)


@dataclass(slots=True)
class Sender:
    """Whose spans they are, and what its server spans say; times in seconds."""

    service: str
    commit: str
    first_start_s: float = math.inf
    last_start_s: float = -math.inf
    last_end_s: float = -math.inf

    def answered(self, start_s: float, end_s: float) -> None:
        self.first_start_s = min(self.first_start_s, start_s)
        self.last_start_s = max(self.last_start_s, start_s)
        self.last_end_s = max(self.last_end_s, end_s)

    def serving(self) -> Serving | None:
        """None when it has answered nothing."""
        if self.last_end_s < self.first_start_s:
            return None
        return Serving(self.service, self.commit, self.first_start_s, self.last_start_s, self.last_end_s)


def take(batch: Batch, raw: RawSpan, whole: Whole, sender: Sender, catalogue: Catalogue) -> tuple[int, int]:
    """One acceptable span into the batch, all but its record and what the sender's server spans say: (record, index of its key)."""
    service, commit, detail = sender.service, sender.commit, catalogue.detail
    index, key = catalogue.place(raw, service)
    duration_ns = raw.end_ns - raw.start_ns
    if key.kind == "server":
        start_s, end_s = raw.start_ns / 1e9, raw.end_ns / 1e9
        sender.answered(start_s, end_s)
        if (service, key.operation) in catalogue.watched:
            batch.requests.append(Finished((service, key.operation), start_s, end_s, key.status == "error", commit))
    of_kept_trace = detail.whole(raw.trace_id)
    if of_kept_trace or key.status == "error" or duration_ns > detail.slow_ns[index]:
        if len(batch.detail) < limits.DETAIL_PER_REQUEST and (of_kept_trace or detail.force()):
            batch.detail.append((build_span(whole(), service, commit), of_kept_trace))
        else:
            batch.shed += 1
    return record(raw.end_ns // 1_000_000_000, index, bucket_of(duration_ns / 1e6)), index
