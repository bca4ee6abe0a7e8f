"""How much happened in each of the last seconds: a ring of counts, one a second, of fixed size."""

from __future__ import annotations

from array import array
from collections.abc import Iterator


class SecondCounts:
    """Counts by whole Unix second, the last `kept_s` of them. What is older is not counted. 4 bytes a second."""

    __slots__ = ("_counts", "_kept_s", "_last")

    def __init__(self, kept_s: int) -> None:
        self._kept_s = kept_s
        self._counts = array("I", bytes(4 * kept_s))
        self._last = 0  # the newest second that has a place

    def add(self, second: int, count: int = 1) -> bool:
        """Whether the second still had a place."""
        if second > self._last:
            self._forget(self._last + 1, second)
            self._last = second
        elif second <= self._last - self._kept_s:
            return False
        place = second % self._kept_s
        self._counts[place] = min(self._counts[place] + count, 0xFFFFFFFF)
        return True

    def mark(self, second: int) -> None:
        """It happened in this second, once or more often."""
        if second == self._last and self._counts[second % self._kept_s]:
            return  # mostly
        if self.add(second, 0):
            self._counts[second % self._kept_s] = 1

    def total(self, start_s: float, end_s: float) -> int:
        """What happened in the seconds that begin in [start_s, end_s)."""
        return sum(self.seconds(start_s, end_s))

    def seconds(self, start_s: float, end_s: float) -> array[int]:
        """One count for every second that begins in [start_s, end_s) and is still kept, in order of time."""
        first = max(ceil(start_s), self._last - self._kept_s + 1)
        last = min(ceil(end_s) - 1, self._last)
        if last < first:
            return array("I")
        begin, end = first % self._kept_s, last % self._kept_s + 1
        return self._counts[begin:end] if begin < end else self._counts[begin:] + self._counts[:end]

    def worst(self, start_s: float, end_s: float, length_s: int) -> int:
        """The largest total of `length_s` seconds in a row within [start_s, end_s); seconds that are not kept count as 0."""
        counts = self.seconds(start_s, end_s)
        running = highest = sum(counts[:length_s])
        for leaving, entering in zip(counts, counts[length_s:], strict=False):
            running += entering - leaving
            highest = max(highest, running)
        return highest

    def first(self, start_s: float, end_s: float) -> int | None:
        """The first second in [start_s, end_s) that has a count."""
        return next(self._with_count(start_s, end_s), None)

    def _with_count(self, start_s: float, end_s: float) -> Iterator[int]:
        first = max(ceil(start_s), self._last - self._kept_s + 1)
        for ahead, count in enumerate(self.seconds(start_s, end_s)):
            if count:
                yield first + ahead

    def _forget(self, first: int, last: int) -> None:
        """Seconds that begin to count take the places of those that end to."""
        if last - first + 1 >= self._kept_s:
            self._counts = array("I", bytes(4 * self._kept_s))
            return
        for second in range(first, last + 1):
            self._counts[second % self._kept_s] = 0


def ceil(value: float) -> int:
    return -int(-value // 1)
