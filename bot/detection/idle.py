"""Places for what is learnt of each operation: bounded, and given on from those that nobody hears any more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

IDLE_S: Final = 2 * 86_400.0  # silent for so long, and what was learnt may go: a nightly job is heard once a day
IDLE_YOUNG_S: Final = 3_600.0  # the same while hardly anything is known
CHECK_S: Final = 10.0  # how often a newcomer that found no room is tried again

Operation = tuple[str, str]  # service and operation
T = TypeVar("T")


class Idle(Generic[T]):
    """At most `places` items by operation. `forgettable(item, idle_s)`: whether it may go after a silence of that long."""

    def __init__(self, places: int, forgettable: Callable[[T, float], bool]) -> None:
        self._places = places
        self._forgettable = forgettable
        self._items: OrderedDict[Operation, T] = OrderedDict()  # the longest silent first
        self._heard_s: dict[Operation, float] = {}
        self._full_s = float("-inf")  # when no place could be found
        self._refused: OrderedDict[Operation, float] = OrderedDict()  # when they were last heard

    def heard(self, operation: Operation, now_s: float, make: Callable[[], T]) -> T | None:
        """The operation's item, made anew when there is a place for it; None when there is none."""
        item = self._items.get(operation)
        if item is None:
            if not self._has_place(now_s):
                self._refuse(operation, now_s)
                return None
            item = self._items[operation] = make()
            self._refused.pop(operation, None)
        self._items.move_to_end(operation)
        self._heard_s[operation] = now_s
        return item

    def get(self, operation: Operation) -> T | None:
        return self._items.get(operation)

    def __getitem__(self, operation: Operation) -> T:
        return self._items[operation]

    def __contains__(self, operation: object) -> bool:
        return operation in self._items

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> Iterator[tuple[Operation, T]]:
        return iter(self._items.items())

    @property
    def refused(self) -> int:
        """How many operations found no place of late; at most as many as there are places are told apart."""
        return len(self._refused)

    def _refuse(self, operation: Operation, now_s: float) -> None:
        self._refused[operation] = now_s
        self._refused.move_to_end(operation)
        while len(self._refused) > self._places or next(iter(self._refused.values())) < now_s - IDLE_YOUNG_S:
            self._refused.popitem(last=False)

    def _has_place(self, now_s: float) -> bool:
        if len(self._items) < self._places:
            return True
        if now_s - self._full_s < CHECK_S:
            return False
        for operation, item in self._items.items():
            idle_s = now_s - self._heard_s[operation]
            if idle_s < IDLE_YOUNG_S:
                break
            if self._forgettable(item, idle_s):
                del self._items[operation], self._heard_s[operation]
                return True
        self._full_s = now_s
        return False
