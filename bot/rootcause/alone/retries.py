"""Retries: the same call again after it failed. A few are part of health; many, without pauses that grow, make things worse.

The caller is blamed for a storm, and when the callee says that it is asked too often; otherwise what failed is (`failures.py`). Pauses
between attempts should grow: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.rootcause.alone.calls import below, calls_below, says_overload, signature
from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.model import Finding, Span

STORM_ATTEMPTS = 5  # clients try two to four times by default; gRPC allows five at most
OVERLOAD_ATTEMPTS = 3  # when the callee says that it is asked too often
BACKOFF_GROWTH = 1.5  # a pause that is so many times the first one grows
STRENGTH = 3.0  # above a failure's: the failure is what is retried


@dataclass(frozen=True, slots=True)
class Storm:
    """`span_ids`: everything below the attempts; failures among them are explained. `parent` makes the attempts, `first` is the first of
    them, `total` how many there are at the innermost call."""

    finding: Finding
    span_ids: frozenset[Key]
    parent: Span
    first: Span
    total: int


def retries(forest: Forest, root: Span) -> Iterator[Storm]:
    """Storms, outermost first; those inside another one's attempts are left out."""
    inside: set[Key] = set()
    for parent in below(forest, root):
        if key_of(parent) in inside:
            continue
        for attempts in _attempts(forest, parent):
            total = _total(forest, attempts)
            overloaded = any(says_overload(one) for attempt in attempts for one in below(forest, attempt))
            enough = total >= STORM_ATTEMPTS and not _backs_off(attempts)
            if enough or (overloaded and len(attempts) >= OVERLOAD_ATTEMPTS):
                keys = frozenset(key_of(one) for attempt in attempts for one in below(forest, attempt))
                inside |= keys
                yield Storm(_finding(parent, attempts, total, overloaded), keys, parent, attempts[0], total)


def _attempts(forest: Forest, parent: Span) -> Iterator[list[Span]]:
    """Runs of the same call, each after the one before has failed; the last may have succeeded."""
    groups: dict[tuple[str, ...], list[Span]] = defaultdict(list)
    for kid in forest.kids(parent):
        groups[signature(kid)].append(kid)
    for group in groups.values():
        run = [group[0]]
        for earlier, later in pairwise(group):
            if not (failed(forest, earlier) and later.start_ns >= earlier.end_ns):
                break
            run.append(later)
        if sum(failed(forest, one) for one in run) > 1 and calls_below(forest, run[0]):
            yield run


def failed(forest: Forest, span: Span) -> bool:
    """Whether a call failed: it says so, or what it called does."""
    return span.failed or any(kid.failed for kid in forest.remote(span))


def _total(forest: Forest, attempts: Sequence[Span]) -> int:
    """Attempts at the innermost call: where callees retry too, they multiply."""
    total = 0
    for attempt in attempts:
        runs = [len(run) for one in below(forest, attempt) for run in _attempts(forest, one)]
        total += max(runs, default=1)
    return total


def _backs_off(attempts: Sequence[Span]) -> bool:
    """Whether the pauses between attempts grow. With random parts in them single ones may shrink: the halves are compared."""
    pauses = [later.start_ns - earlier.end_ns for earlier, later in pairwise(attempts)]
    half = len(pauses) // 2
    if not half:
        return False
    return sum(pauses[-half:]) > BACKOFF_GROWTH * sum(pauses[:half]) and pauses[-1] > 0


def _finding(parent: Span, attempts: Sequence[Span], total: int, overloaded: bool) -> Finding:
    first = attempts[0]
    multiplied = f" ({total} at the innermost call, since callees retry too)" if total > len(attempts) else ""
    reason = "although the callee says that it is asked too often" if overloaded else "without pauses that grow"
    return Finding(
        service=parent.service,
        fault="traffic",
        source="traces",
        strength=STRENGTH,
        what=f"{parent.operation} tries {first.operation} {len(attempts)} times{multiplied}, {reason}",
        instance=parent.instance,
        operation=parent.operation,
        since_ns=first.start_ns,
        evidence=(parent.trace_id,),
    )
