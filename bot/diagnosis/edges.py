"""Dependency suspects: which call of one service to another got worse, and whether something behind it explains that.

The deepest node that explains keeps the blame: a slow or failing call whose callee's own calls (or exceptions) account for it is no
culprit. A callee that hangs may have left no server span at all, so everything rests on the caller's CLIENT spans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.diagnosis.candidate import Candidate, Measure, clip, evidence_order
from bot.diagnosis.case import Case, is_new
from bot.diagnosis.plain import duration, percent, plain
from bot.diagnosis.silence import lacks_call, lively, silence
from bot.evidence import UNFINISHED, EdgeStat, TraceView
from bot.model import Claim, Signal, SignalKind, Suspect

CLEARLY_SLOWER = 8.0  # times as long: full marks; the scale is logarithmic
CLEARLY_FAILING = 0.2  # more of the calls fail than before: full marks
WARM_UP_CALLS = 20  # before; fewer say less about what is normal
SEEN_CALLS = 5  # during the incident
WORTH_NAMING = 0.05  # candidates that score less are noise
HANGING = ("timeout", "timedout", "deadline")  # in error types, without case and separators


@dataclass(frozen=True)
class EdgeShift:
    """How one edge changed, in the incident's own unit: excess milliseconds (latency) or excess error ratio (errors)."""

    edge: EdgeStat
    excess: float
    worse: float  # 0..1
    explains: float  # share of the operation's excess
    silent: float = 0.0  # share of the expected calls that never ended, when that is what shows


def comparable(case: Case) -> bool:
    """Whether there is a before to compare with at all."""
    signal = case.incident.signal
    if signal.before.requests == 0:
        return False
    return signal.kind is not SignalKind.LATENCY or (signal.before.p99_ms is not None and signal.now.p99_ms is not None)


def operation_excess(case: Case) -> float:
    """What the operation itself got worse by: milliseconds of p99, error ratio, share of the requests that stay away; of a gauge that is
    nearly full, and of error logs, 1: no call has a part of them.
    """
    signal = case.incident.signal
    if signal.kind.of_service:
        return 1.0
    if signal.kind is SignalKind.THROUGHPUT:
        return clip(1.0 - signal.now.rate / signal.before.rate) if signal.before.rate else 0.0
    if signal.kind is SignalKind.ERRORS:
        return max(0.0, signal.now.error_ratio - signal.before.error_ratio)
    if signal.before.p99_ms is None or signal.now.p99_ms is None:
        return 0.0
    return max(0.0, signal.now.p99_ms - usual_ms(signal.before.p99_ms, signal))


def usual_ms(before_p99_ms: float, signal: Signal) -> float:
    """What counts as the usual p99: at most what is promised, as it was well. The p99 of few requests is their slowest, maybe by chance."""
    return min(before_p99_ms, signal.objective.p99_ms) if signal.kind is SignalKind.LATENCY else before_p99_ms


def shift(edge: EdgeStat, case: Case) -> EdgeShift:
    """How an edge changed, by the calls that ended or by those that did not; all zero when it has no before."""
    whole = operation_excess(case)
    ended, silent = _ended(edge, case, whole), silence(edge, case) if whole > 0 else 0.0
    return EdgeShift(edge, silent * whole, silent, silent, silent) if silent * whole > ended.excess else ended


def _ended(edge: EdgeStat, case: Case, whole: float) -> EdgeShift:
    signal = case.incident.signal
    if not edge.before_requests or not edge.now_requests or whole <= 0 or (signal.kind.of_service and edge.caller != signal.service):
        return EdgeShift(edge, 0.0, 0.0, 0.0)
    if by_failures(signal.kind):
        excess = max(0.0, edge.now_errors / edge.now_requests - edge.before_errors / edge.before_requests)
        worse = clip(excess / CLEARLY_FAILING)
        explains = worse if signal.kind.of_service else min(clip(excess / whole), _of_all_bad(edge, excess, case))
        return EdgeShift(edge, excess, worse, explains)
    if edge.before_p99_ms is None or edge.now_p99_ms is None:
        return EdgeShift(edge, 0.0, 0.0, 0.0)
    before_ms = usual_ms(edge.before_p99_ms, signal)
    excess = max(0.0, edge.now_p99_ms - before_ms)
    ratio = edge.now_p99_ms / max(before_ms, 1.0)
    worse = log_scale(ratio, CLEARLY_SLOWER)
    return EdgeShift(edge, excess, worse, worse if signal.kind.of_service else clip(excess / whole))


def _of_all_bad(edge: EdgeStat, excess: float, case: Case) -> float:
    """The largest share of the failed requests that so many failed calls can be behind: one call fails one request at the most, however
    large a part of the few calls that are left it is."""
    if case.incident.signal.kind is not SignalKind.ERRORS or not case.evidence.bad_requests:
        return 1.0
    return clip(excess * edge.now_requests / case.evidence.bad_requests)


def by_failures(kind: SignalKind) -> bool:
    """Whether calls count as worse for failing rather than for taking long: the few requests that come cannot say why others stay away."""
    return kind in (SignalKind.ERRORS, SignalKind.LOG_ERRORS, SignalKind.THROUGHPUT)


def log_scale(ratio: float, full: float) -> float:
    """0 at a ratio of 1, 1 at `full` and above, logarithmic between."""
    return clip(math.log(max(1.0, ratio)) / math.log(full))


def explained_below(one: EdgeShift, shifts: tuple[EdgeShift, ...], case: Case) -> float:
    """Share of an edge's excess that its callee's own calls, or (for errors) new exceptions in the callee's own code, account for."""
    if one.excess <= 0:
        return 0.0
    below = max((s.excess / one.excess for s in shifts if s.edge.caller == one.edge.peer and s.edge.peer != s.edge.caller), default=0.0)
    if case.incident.signal.kind is SignalKind.ERRORS:
        raised = sum(group.count for group in case.evidence.errors if group.service == one.edge.peer and group.frames and is_new(group))
        below = max(below, 1.0 if raised else 0.0)
    return clip(below)


def dependency_candidates(case: Case) -> tuple[Candidate, ...]:
    """One candidate for each (caller, peer) that got worse and is not explained by what is behind it."""
    shifts = tuple(shift(edge, case) for edge in sorted(case.evidence.edges, key=lambda e: evidence_order(e.id)))
    best: dict[tuple[str, str], Candidate] = {}
    for one in shifts:
        candidate = _candidate(one, shifts, case)
        key = (one.edge.caller, one.edge.peer)
        if candidate.suspect.score >= WORTH_NAMING and (key not in best or candidate.suspect.score > best[key].suspect.score):
            best[key] = candidate
    return tuple(best.values())


def _candidate(one: EdgeShift, shifts: tuple[EdgeShift, ...], case: Case) -> Candidate:
    edge, errors = one.edge, by_failures(case.incident.signal.kind)
    below = explained_below(one, shifts, case)
    agreeing, bad = _agreeing(one, case)
    caller, peer = plain(edge.caller), plain(edge.peer)
    hangs = not errors or any(timed_out(kind) for kind in edge.error_types)
    measures = (
        Measure("edge_worse", one.worse, _worse_text(one, errors)),
        Measure("explains_excess", one.explains, f"{percent(one.explains)} of what the operation got worse by"),
        Measure("deepest", 1.0 - below, f"{percent(below)} of it is explained by what {peer} calls or raises itself"),
        Measure(
            "enough_calls",
            min(clip(edge.before_requests / WARM_UP_CALLS), clip(_seen(one, case) / SEEN_CALLS)),
            f"{edge.before_requests} calls before, {_seen(one, case)} {'expected' if one.silent else 'seen'} during the incident",
        ),
        Measure("exemplars_agree", len(agreeing) / len(bad) if bad else 0.0, f"{len(agreeing)} of {len(bad)} bad exemplar traces show it"),
    )
    return Candidate(
        suspect=Suspect("dependency", edge.peer, edge.caller, round(one.worse * one.explains * (1.0 - below), 4)),
        mechanism="dependency-hangs" if hangs else "dependency-fails",
        roles=(edge.caller, edge.operation),
        cause=f"{peer} {'hangs' if hangs else 'fails'}, and {caller} {'waits for it' if hangs else 'fails with it'}.",
        measures=measures,
        claims=_claims(one, shifts, agreeing, case),
        own=(edge.id,),
        model="dependency",
    )


def _seen(one: EdgeShift, case: Case) -> int:
    """Calls during the incident; those of the liveliest sibling where this edge's own never ended."""
    return lively(one.edge, case)[0].now_requests if one.silent else one.edge.now_requests


def _worse_text(one: EdgeShift, errors: bool) -> str:
    edge = one.edge
    if one.silent:
        return f"{edge.now_requests or 'none'} of those that began have ended, before p99 {duration(edge.before_p99_ms or 0.0)}"
    if errors:
        return f"{edge.now_errors} of {edge.now_requests} calls failed, before {edge.before_errors} of {edge.before_requests}"
    return f"p99 {duration(edge.now_p99_ms or 0.0)}, before {duration(edge.before_p99_ms or 0.0)}"


def _claims(one: EdgeShift, shifts: tuple[EdgeShift, ...], agreeing: tuple[str, ...], case: Case) -> tuple[Claim, ...]:
    edge, caller, peer = one.edge, plain(one.edge.caller), plain(one.edge.peer)
    signal = case.incident.signal
    errors = by_failures(signal.kind)
    normal = [s.edge for s in shifts if s.edge.caller == edge.caller and s.edge.peer != edge.peer and s.worse < one.worse / 4]
    ids = (edge.id, *(e.id for e in normal))
    if one.silent:
        text = f"Calls from {caller} to {peer} do not end: {_worse_text(one, errors)}, while {caller}'s other calls go on."
        claims = [Claim(text, ids)]
    else:
        verb = "fail more often" if errors else "take longer"
        explains = (
            "" if signal.kind.of_service else f" That explains {percent(one.explains)} of what {plain(signal.operation)} got worse by."
        )
        claims = [Claim(f"Calls from {caller} to {peer} {verb}: {_worse_text(one, errors)}.{explains}", (edge.id,))]
        if normal:
            claims.append(Claim(f"{caller}'s other calls stayed as they were: {', '.join(plain(e.peer) for e in normal)}.", ids))
    if agreeing:
        what = "has not ended" if one.silent else "fails" if errors else "takes most of the time"
        claims.append(Claim(f"In the bad exemplar traces the call to {peer} {what}.", agreeing))
    return tuple(claims)


def _agreeing(one: EdgeShift, case: Case) -> tuple[tuple[str, ...], tuple[TraceView, ...]]:
    """Ids of client spans of this edge that dominate or fail their bad trace (of the trace, where its call never ended); the bad traces."""
    edge, bad = one.edge, tuple(trace for trace in case.evidence.traces if trace.bad)
    if one.silent:
        return tuple(trace.id for trace in bad if lacks_call(edge, trace)), bad
    errors, found = by_failures(case.incident.signal.kind), []
    for trace in bad:
        length_ms = max((s.offset_ms + s.duration_ms for s in trace.spans), default=0.0)
        calls = [s for s in trace.spans if s.kind == "client" and (s.service, s.peer) == (edge.caller, edge.peer)]
        telling = [s.id for s in calls if (s.error if errors else s.duration_ms >= length_ms / 2)]
        found += telling[:1]
    return tuple(found), bad


def timed_out(kind: str) -> bool:
    """Whether an error of this kind says that a call took too long."""
    squeezed = "".join(c for c in kind.lower() if c.isalnum())
    return any(word in squeezed for word in HANGING)


def gave_up(kind: str) -> bool:
    """Whether a call of this kind of error has not come back, whoever stopped waiting for it, if anybody has."""
    return kind == UNFINISHED or "cancel" in kind.lower() or timed_out(kind)
