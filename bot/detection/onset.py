"""When the present row of bad seconds began, remembered as they pass: two numbers instead of the seconds themselves."""

from __future__ import annotations

from typing import Final

GAP_S: Final = 10.0  # without anything bad for so long, and the row has ended
MANY: Final = 15  # so many requests in a second, hardly any of them bad, end it at once


class Onset:
    """Feed it the seconds in their order. `allowed`: the share of requests that may be bad without the second counting as bad."""

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._since_s: float | None = None
        self._last_s = 0.0

    def take(self, second_s: float, requests: int, bad: int) -> None:
        if self._since_s is not None and (second_s - self._last_s > GAP_S or (requests >= MANY and bad <= self._allowed * requests)):
            self._since_s = None
        if bad > self._allowed * requests:
            self._since_s = second_s if self._since_s is None else self._since_s
            self._last_s = second_s

    def since_s(self, otherwise_s: float) -> float:
        """Start of the first bad second of the row; `otherwise_s` when there is no row."""
        return otherwise_s if self._since_s is None else self._since_s
