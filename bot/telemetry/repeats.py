"""Requests of exporters that come a second time, because the answer to the first got lost: known by a fingerprint, not counted again."""

from __future__ import annotations

from collections import OrderedDict

from bot.telemetry import limits


class Repeats:
    """The fingerprints of the last limits.REPEATS_S, at most limits.REPEATS."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[int, int], float] = OrderedDict()

    def again(self, fingerprint: int, spans: int, now_s: float) -> bool:
        """Whether these spans came before. Remembers them."""
        if not spans:
            return False
        while self._seen and (len(self._seen) >= limits.REPEATS or next(iter(self._seen.values())) < now_s - limits.REPEATS_S):
            self._seen.popitem(last=False)
        known = (fingerprint, spans) in self._seen
        self._seen.setdefault((fingerprint, spans), now_s)
        return known
