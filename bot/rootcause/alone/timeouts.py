"""Time-outs: a caller gave up while the callee went on. Swallowed by the caller they show nowhere else.

Blamed is who was waited for: the deepest span that took most of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.rootcause.alone.calls import CLIENT, MAX_DEPTH, NS_PER_MS, below, duration_ns, leaves_service, milliseconds, says_timeout
from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.model import Finding, Span

LONGER = 1.05  # the callee's time beside the caller's: clocks differ by less
ROUND_WITHIN = 0.03  # a client that waits a configured time ends this share of it later at most
ROUND_VALUES = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0, 9.0)  # × a power of ten: what people configure, in milliseconds
MIN_TIMEOUT_MS = 50.0
COVERS = 0.6  # of the time of what waits: a child that takes so much is what it waited for
STRENGTH = 2.5
WEAK_STRENGTH = 1.2  # the round duration of a failed call alone


@dataclass(frozen=True, slots=True)
class Late:
    """`call` was given up; `span_ids`: the calls whose failure that explains."""

    finding: Finding
    span_ids: frozenset[Key]
    call: Span


def timeouts(forest: Forest, root: Span) -> Iterator[Late]:
    """One for each call that was given up."""
    for call in below(forest, root):
        if not leaves_service(forest, call) or duration_ns(call) < MIN_TIMEOUT_MS * NS_PER_MS or _was_hedged(forest, call):
            continue
        going_on = [kid for kid in forest.remote(call) if kid.end_ns > call.end_ns and duration_ns(kid) > LONGER * duration_ns(call)]
        told = call.failed or says_timeout(call)
        if going_on and (told or (is_round(duration_ns(call)) and call.kind in (0, CLIENT))):
            slow = deepest(forest, going_on[0])
            went_on = f"went on for {milliseconds(duration_ns(going_on[0]))}"
            yield Late(_finding(call, slow, STRENGTH, went_on), frozenset({key_of(call)}), call)
        elif told and not forest.remote(call) and call.peer and (says_timeout(call) or is_round(duration_ns(call))):
            strength = STRENGTH if says_timeout(call) and is_round(duration_ns(call)) else WEAK_STRENGTH
            yield Late(_unseen(call, strength), frozenset({key_of(call)}), call)


def is_round(duration: int) -> bool:
    """Whether a duration (ns) is a little above a number that people configure."""
    value = duration / NS_PER_MS
    while value >= 10.0:
        value /= 10.0
    return any(known <= value <= known * (1 + ROUND_WITHIN) for known in (*ROUND_VALUES, 10.0))


def deepest(forest: Forest, span: Span) -> Span:
    """Down to where the time was spent; it stays at the last span that a service reported."""
    for _ in range(MAX_DEPTH):
        longest = max(forest.kids(span), key=duration_ns, default=None)
        if longest is None or duration_ns(longest) < COVERS * duration_ns(span):
            break
        span = longest
    return span


def _was_hedged(forest: Forest, call: Span) -> bool:
    """A call that was dropped because its twin answered first."""
    parent = forest.parent(call)
    twins = forest.kids(parent) if parent is not None else ()
    same = [twin for twin in twins if twin is not call and twin.operation == call.operation and not twin.failed]
    return any(twin.start_ns < call.end_ns and twin.end_ns > call.start_ns for twin in same)


def _finding(call: Span, slow: Span, strength: float, what: str) -> Finding:
    return Finding(
        service=slow.service,
        fault="slow",
        source="traces",
        strength=strength,
        what=f"{call.service} gave up {call.operation} after {milliseconds(duration_ns(call))}; {slow.operation} {what}",
        instance=slow.instance,
        operation=slow.operation,
        since_ns=slow.start_ns,
        evidence=(call.trace_id,),
    )


def _unseen(call: Span, strength: float) -> Finding:
    return Finding(
        service=call.peer,
        fault="slow",
        source="traces",
        strength=strength,
        what=f"{call.service} gave up {call.operation} after {milliseconds(duration_ns(call))}; no span of {call.peer} is there",
        since_ns=call.start_ns,
        evidence=(call.trace_id,),
    )
