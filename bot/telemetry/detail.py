"""How many spans become objects: all while there are few, whole traces chosen by their ids when there are many, and what went wrong.

Back-pressure sheds detail and never counts: each span is in its series whatever happens here. Choosing by the trace id keeps or leaves a
trace as a whole, whichever service sends its spans.
"""

from __future__ import annotations

import math
from array import array
from typing import Final

from bot.telemetry import limits
from bot.telemetry.sketch import Sketch

GOLDEN: Final = 0x9E3779B97F4A7C15  # odd, far from regular patterns: spreads ids that are not random (Knuth, TAOCP 3, 6.4)
WORD: Final = 2**64 - 1
NEVER: Final = WORD
TAIL_MIN: Final = 10  # requests in a second to learn from
TAIL_QUANTILE: Final = 0.99
TAIL_FACTOR: Final = 1.5  # a second's slowest are nothing special: those are kept that stand out
TAIL_MEMORY: Final = 8  # such seconds
TAIL_EVERY: Final = 8
MAX_KEYS: Final = 2 * limits.SERIES_KEYS + 16  # as many as KeyTable can hold


def place(trace_id: bytes) -> int:
    """Where a trace lies between 0 and WORD: those below the share are kept."""
    return int.from_bytes(trace_id[8:], "big") * GOLDEN & WORD


class Detail:
    """The share of traces that is kept, one of 1, 1/2, 1/4 …: halved when spans come too fast, doubled after a calm time.

    A token bucket (limits.DETAIL_SPANS_PER_S, limits.DETAIL_BURST) says what is too fast.
    """

    def __init__(self) -> None:
        self.halvings = 0
        self.slow_ns = array("Q", [NEVER]) * MAX_KEYS  # by key: what took longer is worth keeping
        self.forced_left = limits.DETAIL_FORCED_PER_S
        self._promised: set[int] = set()
        self._second = -math.inf
        self._spans = 0
        self._credit = float(limits.DETAIL_BURST)
        self._calm_since_s = -math.inf

    @property
    def share(self) -> int:
        return WORD >> self.halvings

    def whole(self, trace_id: bytes) -> bool:
        return place(trace_id) <= self.share

    def promise(self, key: int, limit_ms: float) -> None:
        """Somebody said what is slow for this key: nothing is learnt of it."""
        self.slow_ns[key] = round(limit_ms * 1e6)
        self._promised.add(key)

    def learn(self, key: int, durations: Sketch, second: int) -> None:
        """Of a second's durations: what is far out for this key, as a slowly moving mean. One second in TAIL_EVERY, by key."""
        if (second + key) % TAIL_EVERY or key in self._promised or durations.count < TAIL_MIN:
            return
        far_ns = round((durations.quantile(TAIL_QUANTILE) or 0.0) * TAIL_FACTOR * 1e6)
        known = self.slow_ns[key]
        self.slow_ns[key] = far_ns if known == NEVER else known + (far_ns - known) // TAIL_MEMORY

    def force(self) -> bool:
        """Whether a span may be kept although its trace is not."""
        if self.forced_left <= 0:
            return False
        self.forced_left -= 1
        return True

    def expect(self, body_bytes: int, now_s: float) -> None:
        """Before a body is read: about so many bytes of spans come. Halves the share when there is no credit for what would be kept."""
        if now_s - self._second >= 1.0 or now_s < self._second:
            self._next_second(now_s)
        spans = body_bytes // limits.SPAN_BYTES or 1
        self._spans += spans
        self._credit -= spans / 2**self.halvings
        if self._credit < 0.0:
            self.halvings += 1
            self._calm_since_s = now_s
            self._credit = limits.DETAIL_SPANS_PER_S / 10.0  # time to see what half of them costs

    def counted(self, expected_bytes: int, spans: int) -> None:
        """After it: how many it was."""
        more = spans - (expected_bytes // limits.SPAN_BYTES or 1)
        self._spans += more
        self._credit -= more / 2**self.halvings

    def _next_second(self, now_s: float) -> None:
        """New credit; a smaller share ends when at twice of it less than half of the budget was needed, for DETAIL_CALM_S."""
        if self._spans * 4 > limits.DETAIL_SPANS_PER_S << self.halvings:
            self._calm_since_s = now_s
        elif self.halvings and now_s - self._calm_since_s >= limits.DETAIL_CALM_S:
            self.halvings -= 1
            self._calm_since_s = now_s
        elapsed_s = now_s - self._second if math.isfinite(self._second) else 0.0
        self._credit = min(limits.DETAIL_BURST, self._credit + max(1.0, elapsed_s) * limits.DETAIL_SPANS_PER_S)
        self._second, self._spans, self.forced_left = now_s, 0, limits.DETAIL_FORCED_PER_S
