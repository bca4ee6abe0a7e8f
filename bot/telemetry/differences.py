"""What is different in the bad requests: attributes that they have more often than good ones, by how sure that is.

Each (service, key, value) gives a table of two by two: bad and good requests, with it and without. It counts when Fisher's exact test
(Fisher 1935; one-sided) says so at a level that is shared out over all the pairs that were asked (Bonferroni): the chance of naming
anything when nothing differs stays below FALSE_ALARM, however many attributes there are. What counts is ranked by the lower confidence
bound of its log odds ratio, with half a request added to each cell (Haldane 1956, Anscombe 1956), so that it is finite when one is empty.
Neither depends on how many good requests were kept: tail sampling keeps most bad ones and few good ones, as a case-control study does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.evidence import Difference
from bot.redact import redact
from bot.telemetry import limits
from bot.telemetry.store import Trace

FALSE_ALARM: Final = 0.01  # chance that anything is named although nothing differs
MIN_BAD: Final = 5  # bad requests with it: fewer say nothing about a cause
MIN_GOOD: Final = 10  # good requests to compare with, with it or without
MIN_GAP: Final = 0.1  # it must be more frequent by this share: what touches fewer bad requests explains little of them
ONE_SIDED_95: Final = 1.645  # standard errors below the estimate
COMMIT_KEY: Final = "deployed commit"  # a canary's

Pair = tuple[str, str, str]  # service, key, value


@dataclass(slots=True)
class Count:
    bad: int = 0
    good: int = 0
    first: int = 0  # order of appearance


def pairs_of(trace: Trace) -> dict[Pair, None]:
    """What any span of the request says, in the order of the spans' beginnings."""
    found: dict[Pair, None] = {}
    for span in sorted(trace.spans.values(), key=lambda span: (span.start_s, -span.end_s)):
        if span.commit:
            found[span.service, COMMIT_KEY, span.commit] = None
        found.update(dict.fromkeys((span.service, key, value) for key, value in span.extra))
    return found


def differences(bad: Sequence[Trace], good: Sequence[Trace], shown: Callable[[str], str]) -> tuple[Difference, ...]:
    """At most limits.DIFFERENCES, the surest first. Values that redaction would touch are left out: they could not be told apart."""
    if len(bad) < MIN_BAD or len(good) < MIN_GOOD:
        return ()
    counts = _counts(bad, good)
    level = FALSE_ALARM / max(1, len(counts))
    ranked = [
        (-lower_bound(count.bad, len(bad), count.good, len(good)), count.first, pair, count)
        for pair, count in counts.items()
        if _telling(count, len(bad), len(good), level) and not any(redact(part) != part for part in pair[1:])
    ]
    ranked.sort(key=lambda item: item[:2])
    return tuple(
        Difference(
            f"a{i}",
            service=shown(pair[0]),
            key=shown(pair[1]),
            value=shown(pair[2]),
            bad_count=count.bad,
            bad_total=len(bad),
            good_count=count.good,
            good_total=len(good),
            score=round(math.exp(-negative), 2),
        )
        for i, (negative, _, pair, count) in enumerate(_distinct(ranked)[: limits.DIFFERENCES], 1)
    )


Ranked = tuple[float, int, Pair, Count]


def _distinct(ranked: Iterable[Ranked]) -> list[Ranked]:
    """Without repetitions: an attribute that is handed on from service to service is told once, where it is first seen."""
    seen: set[tuple[str, str, int, int]] = set()
    kept = []
    for item in ranked:
        _, _, (_, key, value), count = item
        same = (key, value, count.bad, count.good)
        if same not in seen:
            seen.add(same)
            kept.append(item)
    return kept


def _counts(bad: Sequence[Trace], good: Sequence[Trace]) -> dict[Pair, Count]:
    """Only what bad requests say: the rest cannot be more frequent in them."""
    counts: dict[Pair, Count] = {}
    for trace in bad:
        for pair in pairs_of(trace):
            count = counts.setdefault(pair, Count(first=len(counts)))
            count.bad += 1
    for trace in good:
        for pair in pairs_of(trace):
            known = counts.get(pair)
            if known is not None:
                known.good += 1
    return counts


def _telling(count: Count, bad: int, good: int, level: float) -> bool:
    if count.bad < MIN_BAD or count.bad / bad - count.good / good < MIN_GAP:
        return False
    return fisher(count.bad, bad, count.good, good) < level


def fisher(bad_with: int, bad: int, good_with: int, good: int) -> float:
    """Probability of at least `bad_with` of `bad` having what `bad_with + good_with` of all have, were it all the same to them."""
    both = bad_with + good_with
    total = 0.0
    for k in range(bad_with, min(bad, both) + 1):
        term = math.exp(_log_choose(bad, k) + _log_choose(good, both - k) - _log_choose(bad + good, both))
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def lower_bound(bad_with: int, bad: int, good_with: int, good: int) -> float:
    """Of the log odds ratio, one-sided, at 95 %."""
    cells = (bad_with + 0.5, bad - bad_with + 0.5, good_with + 0.5, good - good_with + 0.5)
    estimate = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    return estimate - ONE_SIDED_95 * math.sqrt(sum(1.0 / cell for cell in cells))
