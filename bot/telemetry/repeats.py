"""Requests of exporters that come a second time, because the answer to the first got lost: known by a fingerprint, not counted again."""

from __future__ import annotations

import math
from collections import OrderedDict

from bot.telemetry import limits


class Repeats:
    """The fingerprints of the last limits.REPEATS_S, at most limits.REPEATS."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[int, int], float] = OrderedDict()
        self._oldest_s = -math.inf  # of those that are there

    def again(self, fingerprint: int, spans: int, now_s: float) -> bool:
        """Whether these spans came before. Remembers them."""
        if not spans:
            return False
        if len(self._seen) >= limits.REPEATS or now_s - self._oldest_s > limits.REPEATS_S:
            self._forget(now_s)
        key = (fingerprint, spans)
        if key in self._seen:
            return True
        self._seen[key] = now_s
        return False

    def _forget(self, now_s: float) -> None:
        while self._seen and (len(self._seen) >= limits.REPEATS or next(iter(self._seen.values())) < now_s - limits.REPEATS_S):
            self._seen.popitem(last=False)
        self._oldest_s = next(iter(self._seen.values()), now_s)
