"""Is this point of a gauge unlike anything the gauge did before? For a series that stands alone.

Four lengths of looking back (one point, and the shapes of the last 4, 16 and 64) each say how rare what they see is among all they saw,
and the mean of what they say counts: of one series nobody knows beforehand whether its trouble is a spike, a stretch or a shape, and what
is odd at one length only is mostly chance. `docs/novelty-notes.md` has the figures, and what did not help.
"""

from __future__ import annotations

import math
from collections import deque

from bot.detection.novelty_scale import Scale

SCALES = (1, 4, 16, 64)  # points; each is a segment of the next
LONGEST = SCALES[-1]
REST_POINTS = 2 * LONGEST  # an odd point stays in the longest window for 64 points; after 64 more the signal has been normal for a while
LEVELS_PER_DECADE = 2  # an anomaly that goes on is told again when it is clearly rarer: by a factor of 3
UNUSUAL = 1.0 - 10.0**-1.5  # a score worth telling someone, the same for every series: rarer than 3 in 100 at all lengths together
LARGEST = 1e100  # beyond it a value is no measurement, and sums and distances could overflow


class Novelty:
    """The anomaly score of each point of one gauge, from its own past alone, in at most 256 KiB.

    A score is `1 - 10^-d`, with d the decades of rarity (the mean of -log10 of the p-values), rounded down to half decades: 0.68, 0.90,
    0.968, 0.990, … One anomaly is told once: a point scores only when it is rarer, by a level, than all points of the last `REST_POINTS`;
    until then, and after, the score is 0. It scores nothing during the first 50 points and speaks with full voice after about 180.
    """

    def __init__(self) -> None:
        self.ignored = 0
        """Values that were no measurement (NaN, infinite, beyond ±1e100): they score 0 and leave no trace in what is learnt."""
        self.rarity_decades = 0.0
        """How rare the last point was, told or not: for evidence and pictures."""
        self._scales = tuple(Scale(points) for points in SCALES)
        self._recent: list[float] = []
        self._points = 0
        self._levels: deque[tuple[int, int]] = deque()  # (point, level) of the last REST_POINTS, each higher than those after it
        self._last_s = math.nan
        self._spacing_s = math.nan

    def add(self, at_s: float, value: float) -> float:
        """The score (0 … 1) of the next point. Points count in the order they come, whatever their clock says; a gap ends the windows."""
        if not math.isfinite(value) or abs(value) > LARGEST:
            self.ignored += 1
            return 0.0
        self._notice_gap(at_s)
        self._recent.append(value)
        del self._recent[:-LONGEST]
        self.rarity_decades = sum(scale.decades(self._recent) for scale in self._scales) / len(self._scales)
        return self._told_once(math.floor(self.rarity_decades * LEVELS_PER_DECADE))

    def _told_once(self, level: int) -> float:
        self._points += 1
        while self._levels and self._levels[0][0] <= self._points - REST_POINTS:
            self._levels.popleft()
        is_news = level > (self._levels[0][1] if self._levels else 0)
        while self._levels and self._levels[-1][1] <= level:
            self._levels.pop()
        self._levels.append((self._points, level))
        return 1.0 - 10.0 ** (-level / LEVELS_PER_DECADE) if is_news else 0.0

    def _notice_gap(self, at_s: float) -> None:
        """Points on two sides of a gap are no shape: longer than the longest window usually takes, and the windows begin anew."""
        step_s = at_s - self._last_s
        self._last_s = at_s
        if not (math.isfinite(step_s) and step_s > 0.0):
            return
        if math.isnan(self._spacing_s):
            self._spacing_s = step_s
        longest_s = LONGEST * self._spacing_s
        if step_s > longest_s:
            self._recent.clear()
        # The gap counts too, cut short: a series that is sent more rarely from now on has windows again after a few points.
        self._spacing_s += (min(step_s, longest_s) - self._spacing_s) / LONGEST
