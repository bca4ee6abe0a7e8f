"""What counts as right: hits within k (ties at random), committed answers, specificity, precision and calibration of the confidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.rootcause.model import Verdict

SURE = 0.90  # the confidence from which on answers are acted upon
BINS = 10
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Row:
    """One answered case. `top`: the chance to be right within 1, 3 and 5 when ties are broken at random (0 where there was no fault)."""

    suite: str
    case: str
    family: str
    faulty: bool
    verdict: Verdict
    confidence: float
    top: tuple[float, float, float]
    seconds: float
    suspects: tuple[tuple[str, float], ...] = ()
    truth: str = ""

    @property
    def right(self) -> float:
        """Whether the verdict, and for a culprit the first suspect, is true."""
        if self.verdict == "culprit":
            return self.top[0] if self.faulty else 0.0
        return 0.0 if self.faulty else 1.0


def within(scores: dict[str, float], truth: str | None, ks: Iterable[int] = (1, 3, 5)) -> tuple[float, ...]:
    if truth is None or truth not in scores:
        return tuple(0.0 for _ in ks)
    own = scores[truth]
    above, tied = sum(score > own for score in scores.values()), sum(score == own for score in scores.values())
    return tuple(min(max((k - above) / tied, 0.0), 1.0) for k in ks)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    spread = NORMAL_95**2
    middle = share + spread / (2 * count)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / count + spread / (4 * count**2))
    return max(0.0, (middle - half) / (1 + spread / count)), min(1.0, (middle + half) / (1 + spread / count))


def ranking_figures(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """AS@k and committed AS@1 over the faults, specificity over the rest; None where there are none."""
    faults, healthy = [row for row in rows if row.faulty], [row for row in rows if not row.faulty]
    figures: dict[str, float | int | None] = {"faults": len(faults), "controls": len(healthy)}
    for number, k in enumerate((1, 3, 5)):
        figures[f"AS@{k}"] = mean(row.top[number] for row in faults)
    figures["committed AS@1"] = mean(row.top[0] * (row.verdict == "culprit") for row in faults)
    figures["specificity"] = mean(float(row.verdict != "culprit") for row in healthy)
    return figures


def confidence_figures(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """Of answers given ("inconclusive" is none): precision where the confidence is SURE, the share of all cases that reach it; the
    expected calibration error over ten equal bins, the Brier score."""
    given = [row for row in rows if row.verdict != "inconclusive"]
    sure = [row for row in given if row.confidence >= SURE]
    bins: dict[int, list[Row]] = defaultdict(list)
    for row in given:
        bins[min(int(row.confidence * BINS), BINS - 1)].append(row)
    error = sum(abs(sum(row.confidence - row.right for row in some)) for some in bins.values())
    return {
        "answers": len(given),
        "sure": len(sure),
        "precision": mean(row.right for row in sure),
        "share": len(sure) / len(rows) if rows else None,
        "ECE": error / len(given) if given else None,
        "Brier": mean((row.confidence - row.right) ** 2 for row in given),
    }


def mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
