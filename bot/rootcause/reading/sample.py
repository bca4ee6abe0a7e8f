"""A bounded collection that drops whole traces: what stays is an even sample by trace id, the same for spans, log lines and every run."""

from __future__ import annotations

import zlib
from typing import Generic, TypeVar

Item = TypeVar("Item")


class TraceSample(Generic[Item]):
    """Holds at most `limit` items. When full, it keeps every second trace of those it kept, judged by a checksum of the trace's id.

    Items without a trace count by their order of arrival.
    """

    def __init__(self, limit: int) -> None:
        self.kept: list[Item] = []
        self._limit = limit
        self._keys: list[int] = []
        self._every = 1
        self._seen = 0

    def add(self, trace_id: str, item: Item) -> None:
        key = zlib.crc32(trace_id.encode("utf-8", "surrogatepass")) if trace_id else self._seen
        self._seen += 1
        if key % self._every:
            return
        self.kept.append(item)
        self._keys.append(key)
        while len(self.kept) > self._limit:
            self._halve()

    def notes(self, what: str) -> list[str]:
        """A sentence when something was left out."""
        left_out = self._seen - len(self.kept)
        return [f"{left_out} of {self._seen} {what} were left out: one trace in {self._every} is looked at"] if left_out else []

    def _halve(self) -> None:
        """One trace that alone exceeds the limit is cut at last, when dividing further cannot help."""
        if self._every > self._seen and self._every > 2**32:
            del self.kept[self._limit :], self._keys[self._limit :]
            return
        self._every *= 2
        pairs = [(key, item) for key, item in zip(self._keys, self.kept, strict=True) if key % self._every == 0]
        self._keys, self.kept = [key for key, _ in pairs], [item for _, item in pairs]
