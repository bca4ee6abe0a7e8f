"""N+1: one request asks for its items one by one, each call waiting for the one before.

Same call, same parent, one after the other, often enough to make up a good part of the parent's time; calls that run at the same time,
pages of a list, and the steps of a background job are no such thing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from bot.rootcause.alone.calls import (
    CONSUMER,
    INTERNAL,
    NS_PER_MS,
    below,
    calls_below,
    duration_ns,
    is_database,
    is_paged,
    is_read,
    milliseconds,
    own_work,
    signature,
)
from bot.rootcause.comparing.forest import Forest
from bot.rootcause.model import Finding, Span

MIN_CALLS = 8  # fewer are seldom worth a person's time
MIN_SHARE = 1 / 3  # of the parent's time
MIN_IN_TURN = 0.8  # of the calls begin after the one before has ended
BULK_MS = 100.0  # a database call of this length moves many rows: it is no lookup of one item
STRENGTH = 2.0  # at MIN_CALLS
MAX_STRENGTH = 2.4  # below that of an error that reached the user


def repeated_calls(forest: Forest, root: Span) -> Iterator[Finding]:
    """One finding for each place that asks for items one by one."""
    return (_finding(parent, group) for parent, group in loops(forest, root))


def loops(forest: Forest, root: Span) -> Iterator[tuple[Span, Sequence[Span]]]:
    """Each span that asks for items one by one, with those calls."""
    background = root.kind in (INTERNAL, CONSUMER)
    for parent in below(forest, root):
        groups: dict[tuple[str, ...], list[Span]] = defaultdict(list)
        for kid in forest.kids(parent):
            groups[signature(kid)].append(kid)
        for group in groups.values():
            if len(group) >= MIN_CALLS and _one_by_one(forest, parent, group, background):
                yield parent, group


def _one_by_one(forest: Forest, parent: Span, group: Sequence[Span], background: bool) -> bool:
    if not calls_below(forest, group[0]) or sum(kid.failed for kid in group) > len(group) / 2:
        return False
    work = [one for kid in group for one in own_work(forest, kid)]
    if any(is_paged(one) for one in work):
        return False
    if sum(map(duration_ns, group)) < MIN_SHARE * duration_ns(parent):
        return False
    in_turn = sum(later.start_ns >= earlier.end_ns for earlier, later in pairwise(group))
    if in_turn < MIN_IN_TURN * (len(group) - 1):
        return False
    databases = [one for one in work if is_database(one)]
    bulk = median(map(duration_ns, group)) >= BULK_MS * NS_PER_MS
    if bulk and (databases or background):
        return False
    return not background or all(is_read(one) for one in databases or group)


def _finding(parent: Span, group: Sequence[Span]) -> Finding:
    share = sum(map(duration_ns, group)) / max(duration_ns(parent), 1)
    what = (
        f"{parent.operation}: {len(group)} equal calls one after the other ({group[0].operation}), "
        f"{milliseconds(median(map(duration_ns, group)))} each, {min(share, 1.0):.0%} of its time"
    )
    return Finding(
        service=parent.service,
        fault="slow",
        source="traces",
        strength=min(MAX_STRENGTH, STRENGTH + 0.01 * (len(group) - MIN_CALLS)),
        what=what,
        instance=parent.instance,
        operation=parent.operation,
        since_ns=group[0].start_ns,
        evidence=(parent.trace_id,),
    )
