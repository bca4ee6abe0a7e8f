"""Localisation: all suspects of a case in one ranking, dependencies and changes together. Pure; the heart of CAG and Brain alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bot.diagnosis.candidate import Candidate, Measure, clip
from bot.diagnosis.case import Case, is_new
from bot.diagnosis.changes import change_candidates
from bot.diagnosis.describe import describe
from bot.diagnosis.edges import (
    CLEARLY_SLOWER,
    comparable,
    dependency_candidates,
    explained_below,
    log_scale,
    operation_excess,
    shift,
    usual_ms,
)
from bot.diagnosis.overlap import names_callee
from bot.diagnosis.plain import percent, plain
from bot.diagnosis.presence import presence_candidates
from bot.diagnosis.silence import begun
from bot.diagnosis.slowdowns import slowdown_candidates
from bot.diagnosis.spent import Spent, spent
from bot.diagnosis.switches import setting_candidates
from bot.model import SignalKind

CALLER_SHARE = 0.3  # of a slow call, a change at the caller (how it asks) rather than at the callee
ECHO_OF_UNSEEN = 0.1  # exceptions in a caller whose failing callee shows no cause of its own: hardly excused
CHANGED_CALLEE = 0.5  # a dependency that was itself just changed for the worse keeps this much less of the blame
RETUNED_CALL = 0.8  # the same when its caller's settings for it were: they say what the call does, the peer may be as it was
MUCH_MORE_TRAFFIC = 4.0  # times as many requests as before explain any slowness
RIVAL_FROM, RIVAL_EQUAL = 0.5, 0.9  # runner-up's share of the first one's score: from here it is a rival, here as good as equal


@dataclass(frozen=True)
class Localisation:
    """Candidates, best first. Without any: `comparable` says whether there was something to compare, `looked_at` what."""

    candidates: tuple[Candidate, ...]
    comparable: bool
    looked_at: tuple[str, ...]


def localise(case: Case) -> Localisation:
    """Ranks everything that the evidence can blame. The order of the evidence does not matter."""
    evidence = case.evidence
    parts = (("calls", evidence.edges), ("exceptions", evidence.errors), ("log lines", evidence.logs), ("changes", case.changes))
    looked_at = tuple(name for name, seen in parts if seen)
    if not comparable(case) or operation_excess(case) <= 0:
        return Localisation((), comparable(case), looked_at)
    dependencies = dependency_candidates(case)
    changes = _changed(case, dependencies)
    dependencies = tuple(_less_the_changed(candidate, changes, case) for candidate in dependencies)
    ranked = sorted((*dependencies, *changes), key=lambda c: (-c.suspect.score, c.suspect.kind, c.suspect.name, c.suspect.at))
    found = tuple(_with_rivalry(c, ranked, case) for c in ranked if not _was_tried(c, case))
    return Localisation(found, True, looked_at)


def _changed(case: Case, dependencies: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Commits and settings, by what the signal lets one see of them."""
    kind = case.incident.signal.kind
    if kind is SignalKind.ERRORS:
        echoes = _echoes(case)
        return (*change_candidates(case, echoes), *setting_candidates(case, {}, echoes))
    if kind is not SignalKind.LATENCY:
        return presence_candidates(case)
    seen = spent(case.evidence.traces, begun(case))
    blamed = _blame(case, dependencies, seen)
    return (*slowdown_candidates(case, blamed, seen), *setting_candidates(case, blamed, {}))


def _was_tried(candidate: Candidate, case: Case) -> bool:
    """Acting on it did not heal this incident: it is not tried twice. It stays a rival of the others, so they gain no confidence by it."""
    suspect = candidate.suspect
    return any((t.kind, t.name, t.at) == (suspect.kind, suspect.name, suspect.at) for t in case.tried)


def signature_of(case: Case, candidate: Candidate) -> str:
    """The structured fingerprint of a candidate's kind of cause."""
    return str(describe(case, candidate))


def _blame(case: Case, dependencies: Iterable[Candidate], seen: Mapping[str, Spent]) -> dict[str, float]:
    """Service → how much of the slowness ends there: by what the exemplars spend longer on where they tell, else in callees by their edges
    and in the entry service by what is left.
    """
    signal = case.incident.signal
    blame: dict[str, float] = {}
    for candidate in dependencies:
        suspect = candidate.suspect
        blame[suspect.name] = max(blame.get(suspect.name, 0.0), suspect.score)
        blame[suspect.at] = max(blame.get(suspect.at, 0.0), CALLER_SHARE * suspect.score)
    if seen:
        callers = {candidate.suspect.at for candidate in dependencies}
        return {**{at: blame[at] * CALLER_SHARE for at in callers}, **{service: one.share for service, one in seen.items()}}
    if signal.now.p99_ms and signal.before.p99_ms:
        below = max((shift(edge, case).explains for edge in case.evidence.edges if edge.caller == signal.service), default=0.0)
        own = (1.0 - below) * log_scale(signal.now.p99_ms / usual_ms(signal.before.p99_ms, signal), CLEARLY_SLOWER)
        blame[signal.service] = max(blame.get(signal.service, 0.0), own)
    return blame


def _echoes(case: Case) -> dict[str, float]:
    """Service → how far its exceptions are only the echo of calls that failed."""
    shifts = tuple(shift(edge, case) for edge in case.evidence.edges)
    echoes: dict[str, float] = {}
    for one in shifts:
        raised = sum(group.count for group in case.evidence.errors if group.service == one.edge.caller and is_new(group))
        if not raised or not one.excess:
            continue
        heard = clip(one.edge.now_errors / raised) * max(ECHO_OF_UNSEEN, explained_below(one, shifts, case))
        echoes[one.edge.caller] = max(echoes.get(one.edge.caller, 0.0), heard)
    return echoes


def _less_the_changed(candidate: Candidate, changes: Iterable[Candidate], case: Case) -> Candidate:
    """A dependency that was just changed for the worse, or how its caller treats it: the change is the better explanation."""
    caller, peer = candidate.suspect.at, candidate.suspect.name
    retuned = {change.commit.sha for change in case.changes if names_callee(change, caller, peer)}
    less = [CHANGED_CALLEE * c.suspect.score for c in changes if c.suspect.at == peer]
    less += [RETUNED_CALL * c.suspect.score for c in changes if c.suspect.at == caller and c.suspect.name in retuned]
    return candidate.rescored(candidate.suspect.score * (1.0 - max(less, default=0.0)))


def _with_rivalry(candidate: Candidate, ranked: Iterable[Candidate], case: Case) -> Candidate:
    """Adds how far ahead of (or behind) the best other explanation this one is."""
    others = [other for other in ranked if other.suspect != candidate.suspect]
    best = max(others, key=lambda c: c.suspect.score, default=None)
    rivals = [*_siblings(candidate, case), *_growth(candidate, case)]
    if best is not None:
        text = f"the best other explanation ({plain(best.suspect.name)[:12]}) scores {{}} of it"
        rivals.append((best.suspect.score / candidate.suspect.score, text))
    if not rivals:
        value, why = 1.0, "nothing else in the evidence explains it"
    else:
        ratio, text = max(rivals)
        value = 1.0 - clip((ratio - RIVAL_FROM) / (RIVAL_EQUAL - RIVAL_FROM))
        why = text.format(percent(ratio))
    if case.changes_left_out and candidate.suspect.kind == "change":
        value, why = 0.0, f"{case.changes_left_out} further commits arrived with it that were not looked at"
    return replace(candidate, measures=(*candidate.measures, Measure("unrivalled", value, why)))


Rival = tuple[float, str]  # how near it comes, 1 as good as equal, and a sentence with room for that


def _siblings(candidate: Candidate, case: Case) -> Iterable[Rival]:
    """Other calls of the same caller that got worse as well: what they have in common explains it, not one of them."""
    caller, peer = candidate.suspect.at, candidate.suspect.name
    if candidate.suspect.kind != "dependency":
        return
    shifts = [shift(edge, case) for edge in case.evidence.edges if edge.caller == caller]
    own = max((one.worse for one in shifts if one.edge.peer == peer), default=0.0)
    other = max((one.worse for one in shifts if one.edge.peer != peer), default=0.0)
    if own and other:
        yield other / own, f"{plain(caller)}'s other calls got worse as well, by {{}} as much"


def _times_as_many(case: Case) -> float:
    """Requests a second, now against before; of a gauge's service the calls to it and by it, as nobody counted its requests."""
    signal = case.incident.signal
    if not signal.kind.of_service:
        return signal.now.rate / signal.before.rate if signal.before.rate else 1.0
    calls = [edge for edge in case.evidence.edges if signal.service in (edge.caller, edge.peer)]
    before, now = sum(edge.before_requests for edge in calls), sum(edge.now_requests for edge in calls)
    past_s, since_s = signal.before.end_s - signal.before.start_s, case.evidence.taken_s - signal.first_bad_s
    return (now / since_s) / (before / past_s) if before and past_s > 0 and since_s > 0 else 1.0


def _growth(candidate: Candidate, case: Case) -> Iterable[Rival]:
    """Slowness, or a full gauge, under more traffic than before needs no other cause. Failures may be what people retry."""
    signal = case.incident.signal
    if signal.kind not in (SignalKind.LATENCY, SignalKind.SATURATION) or candidate.suspect.kind == "setting":
        return
    grown = log_scale(_times_as_many(case), MUCH_MORE_TRAFFIC)
    if grown:
        yield grown, "there are more requests than before, which explains {} of it"
