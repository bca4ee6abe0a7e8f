"""NAB's standard profile: early in a window is worth most, each false alarm costs, doing nothing is 0 and everything at once 100.

Source: Lavin and Ahmad, *Evaluating Real-time Anomaly Detection Algorithms – the Numenta Anomaly Benchmark* (2015), and its scoring as
published with version 1.1: true positives 1.0, false negatives 1.0, false positives 0.11; the first 15 % of a file, at most 750 rows, is
probation.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

FALSE_POSITIVE_COST = 0.11
PROBATION_SHARE = 0.15
PROBATION_ROWS = 750
MAX_THRESHOLDS = 200


@dataclass(frozen=True)
class GaugeStream:
    """One file: times and scores of its rows, and its labelled windows (first and last time)."""

    times: tuple[float, ...]
    scores: tuple[float, ...]
    windows: tuple[tuple[float, float], ...]


def standard_score(streams: Sequence[GaugeStream], threshold: float) -> float:
    """0 … 100 (below 0 when false alarms outweigh) of all rows whose score is at least `threshold`."""
    judged = [_worth(stream, threshold) for stream in streams]
    windows = sum(windows for _, windows in judged)
    return 100.0 * (sum(worth for worth, _ in judged) + windows) / (2.0 * windows) if windows else 0.0


def best_threshold(streams: Sequence[GaugeStream]) -> float:
    """The threshold, of the scores that occur, with the highest standard score."""
    scores = sorted({score for stream in streams for score in stream.scores if score > 0.0})
    step = max(1, len(scores) // MAX_THRESHOLDS)
    return max(scores[::step], key=lambda threshold: standard_score(streams, threshold), default=math.inf)


def halves_score(streams: Sequence[GaugeStream]) -> float:
    """Threshold fixed on one half of the files and measured on the other, both ways, averaged. The halves: every second file by name."""
    halves = streams[::2], streams[1::2]
    return (standard_score(halves[1], best_threshold(halves[0])) + standard_score(halves[0], best_threshold(halves[1]))) / 2.0


def _worth(stream: GaugeStream, threshold: float) -> tuple[float, int]:
    """(worth of the rows that are raised, windows that count): a window that ends in probation does not count."""
    rows = len(stream.times)
    probation = min(math.floor(PROBATION_SHARE * rows), PROBATION_ROWS)
    raised = [row for row in range(probation, rows) if stream.scores[row] >= threshold]
    spans = [(bisect_left(stream.times, start), bisect_left(stream.times, end)) for start, end in stream.windows]
    counted = [(first, last) for first, last in spans if last >= probation]
    worth = sum(max((_in_window(row, first, last) for row in raised if first <= row <= last), default=-1.0) for first, last in counted)
    for row in raised:
        if not any(first <= row <= last for first, last in spans):
            worth += FALSE_POSITIVE_COST * _after(row, [span for span in spans if span[1] < row])
    return worth, len(counted)


def _in_window(row: int, first: int, last: int) -> float:
    return _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1.0)


def _after(row: int, passed: Sequence[tuple[int, int]]) -> float:
    """A false alarm soon after a window costs less than one far from any."""
    if not passed:
        return -1.0
    first, last = passed[-1]
    return _sigmoid((row - last) / max(last - first, 1e-9))


def _sigmoid(distance: float) -> float:
    return -1.0 if distance > 3.0 else 2.0 / (1.0 + math.exp(5.0 * distance)) - 1.0
