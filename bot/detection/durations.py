"""A duration seen through several of its statistics (mean, p50, p99 …): slow only when two of them say so.

One statistic alone jumps for one slow request; two that agree speak of many. Only upward: getting faster is no incident.
"""

from __future__ import annotations

import math

from bot.detection.rhythm import Rhythm
from bot.detection.tail import Tail

AGREEING = 2
MAX_STATISTICS = 8  # beside one another; more are ignored
LEARN_SURPRISE = 6.0  # a value more surprising than once in 400 intervals is learnt as that much: incidents do not become normal,
# and the noise's own tail still does


class DurationJudge:
    """One distribution of one service."""

    def __init__(self) -> None:
        self._tails: dict[str, tuple[Tail, Rhythm]] = {}

    def judge(self, at_s: float, values: dict[str, float]) -> float:
        """Surprise that AGREEING statistics share (`values`: statistic → duration, any unit), learning from it."""
        surprises: list[float] = []
        for statistic, value in values.items():
            if value <= 0.0 or (statistic not in self._tails and len(self._tails) >= MAX_STATISTICS):
                continue
            if statistic not in self._tails:
                self._tails[statistic] = Tail(), Rhythm()
            tail, rhythm = self._tails[statistic]
            usual_here = rhythm.offset(at_s)
            height = math.log(value) - usual_here
            surprises.append(tail.surprise(height))
            learnt = min(height, tail.value_at(LEARN_SURPRISE))
            tail.learn(learnt)
            rhythm.learn(at_s, learnt + usual_here)
        return sorted(surprises)[-AGREEING] if len(surprises) >= AGREEING else 0.0
