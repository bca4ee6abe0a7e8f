"""One copy of each repeated value, and a hard bound on how many different ones are alive."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Pool(Generic[K, V]):
    """At most `limit` values that were used within `keep_s`; what is not used for that long makes room. `refused` counts the rest."""

    def __init__(self, limit: int, keep_s: float) -> None:
        self._limit = limit
        self._keep_s = keep_s
        self._items: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self.refused = 0

    def get(self, key: K, now_s: float) -> V | None:
        """The value that stands for `key`, which counts as a use; None when there is none."""
        known = self._items.get(key)
        if known is None:
            return None
        if known[1] != now_s:  # one request says the same many times
            self._items[key] = (known[0], now_s)
            self._items.move_to_end(key)
        return known[0]

    def share(self, key: K, value: V, now_s: float) -> V | None:
        """The value that stands for `key`: the first one that came, `value` itself when it is new, None when there is no room."""
        known = self.get(key, now_s)
        if known is not None:
            return known
        if len(self._items) >= self._limit:
            oldest, (_, used_s) = next(iter(self._items.items()))
            if used_s >= now_s - self._keep_s:
                self.refused += 1
                return None
            del self._items[oldest]
        self._items[key] = (value, now_s)
        return value
