"""Did it heal? The same signal, measured again once the merge commit or a descendant of it serves."""

from __future__ import annotations

from bot.model import Health, Measurement, Objective, OutcomeKind, Signal, SignalKind
from bot.policy.schema import Autonomy

Finding = tuple[OutcomeKind, str, Measurement | None]

ANOTHER_IS_LEFT = {
    SignalKind.ERRORS: "requests no longer fail; that they are too slow has another cause",
    SignalKind.LATENCY: "requests are quick again; that they fail has another cause",
}
STRETCH = 1.2  # a request as slow as those of the incident must have had the time to end before its absence means anything


def window_s(signal: Signal, a: Autonomy) -> float:
    """How long to look: long enough for a request as slow as the incident's to show."""
    slowest_s = (signal.now.p99_ms or 0.0) / 1000
    return min(max(a.verify_min_s, STRETCH * slowest_s), a.verify_max_s / 2)


def min_requests(signal: Signal, a: Autonomy) -> int:
    """So many requests prove something; of a gauge or of logs, so many readings or seconds as its own window needs."""
    return signal.objective.min_requests if signal.kind.of_service else a.verify_min_requests


def is_bad(m: Measurement, o: Objective) -> bool:
    return o.too_slow(m) or o.too_many_errors(m)


def only_another_is_left(signal: Signal, after: Measurement, meanwhile: Measurement | None, *, restores: bool) -> bool:
    """Whether what was broken until the change served (`meanwhile`) is kept since, and it is the objective's other promise that is broken,
    for which the change is not to blame: it brings back code that was well, or that promise was broken before as well.
    """
    o = signal.objective
    promises = {SignalKind.ERRORS: (o.too_many_errors, o.too_slow), SignalKind.LATENCY: (o.too_slow, o.too_many_errors)}
    if signal.kind not in promises or meanwhile is None:
        return False
    own, other = promises[signal.kind]
    return own(meanwhile) and not own(after) and other(after) and (restores or other(meanwhile))


def verify(
    signal: Signal,
    *,
    merged_s: float,
    serving_s: float | None,
    after: Measurement | None,
    health: Health,
    now_s: float,
    a: Autonomy,
    meanwhile: Measurement | None = None,
    restores: bool = False,
) -> Finding | None:
    """None: look again later. Not measured is never healed: it is inconclusive in the end, or an error when the commit never served.

    `meanwhile`: requests of the incident, or of the attempt if it is not the first, until the commit served; `after`: those since then;
    `restores`: the commit is a revert.
    """
    if serving_s is None:
        if now_s - merged_s > a.deploy_timeout_s:
            return OutcomeKind.ERROR, f"merged, but no service answered from it within {a.deploy_timeout_s:.0f} s", None
        return None
    looked_s = now_s - serving_s
    enough = after is not None and after.requests >= min_requests(signal, a)
    if after is not None and enough and looked_s >= window_s(signal, a):
        if only_another_is_left(signal, after, meanwhile, restores=restores):
            return OutcomeKind.PARTIAL, ANOTHER_IS_LEFT[signal.kind], after
        if is_bad(after, signal.objective):
            return OutcomeKind.FAILED, "the objective is still broken with the change in place", after
        if health is Health.HEALTHY:
            return OutcomeKind.HEALED, "the objective holds again with the change in place", after
    if looked_s > a.verify_max_s:
        return OutcomeKind.INCONCLUSIVE, f"no clear measurement within {a.verify_max_s:.0f} s of serving", after
    return None
