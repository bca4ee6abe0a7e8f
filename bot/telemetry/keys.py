"""Which series a span belongs to, as a small number: a bounded table that one noisy service cannot take for itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from bot.telemetry import limits
from bot.telemetry.span import Kind, Span

Status = Literal["ok", "refused", "error"]
STATUSES: tuple[Status, ...] = ("ok", "refused", "error")
OTHER = "(other)"  # operation, and where need be service, of what found no room


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What is counted together. `status`: error is a span error or a 5xx, refused a 4xx answer of a server, ok anything else."""

    service: str
    operation: str
    kind: Kind
    status: Status

    @property
    def overflow(self) -> bool:
        return self.operation == OTHER


def status_class(kind: Kind, status_code: int | None, error: bool) -> Status:
    if error:
        return "error"
    return "refused" if kind == "server" and status_code is not None and 400 <= status_code < 500 else "ok"


def key_of(span: Span) -> SeriesKey:
    return SeriesKey(span.service, span.operation, span.kind, status_class(span.kind, span.status_code, span.error))


class KeyTable:
    """SeriesKey ↔ index, in order of first appearance.

    At most limits.SERIES_KEYS keys, and limits.SERIES_KEYS_PER_SERVICE of one service; what comes later is counted under operation
    OTHER of its service, and when there are too many services for that, under service OTHER. Kind and status are always kept. With
    those stand-ins there are at most 2 × limits.SERIES_KEYS + 15 keys.
    """

    def __init__(self) -> None:
        self._indices: dict[SeriesKey, int] = {}
        self._keys: list[SeriesKey] = []
        self._own: Counter[str] = Counter()  # keys of each service, stand-ins not counted
        self.overflow: list[int] = []  # the stand-ins

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> SeriesKey:
        return self._keys[index]

    def known(self, key: SeriesKey) -> int | None:
        return self._indices.get(key)

    def all(self) -> tuple[SeriesKey, ...]:
        return tuple(self._keys)

    def index(self, key: SeriesKey) -> int:
        """The key's index, or that of the overflow key that stands for it."""
        found = self._indices.get(key)
        if found is not None:
            return found
        if key.overflow:
            return self._overflow(key)
        if sum(self._own.values()) >= limits.SERIES_KEYS or self._own[key.service] >= limits.SERIES_KEYS_PER_SERVICE:
            return self._overflow(key)
        self._own[key.service] += 1
        return self._new(key)

    def _overflow(self, key: SeriesKey) -> int:
        service = key.service if key.service in self._own and len(self._keys) < 2 * limits.SERIES_KEYS else OTHER
        stand_in = SeriesKey(service, OTHER, key.kind, key.status)
        found = self._indices.get(stand_in)
        return self._new(stand_in) if found is None else found

    def _new(self, key: SeriesKey) -> int:
        if key.overflow:
            self.overflow.append(len(self._keys))
        self._indices[key] = len(self._keys)
        self._keys.append(key)
        return self._indices[key]
