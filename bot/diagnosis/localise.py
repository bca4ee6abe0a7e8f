"""Localisation: all suspects of a case in one ranking, dependencies and changes together. Pure; the heart of CAG and Brain alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.diagnosis.candidate import Candidate, Measure, clip
from bot.diagnosis.case import Case, is_new
from bot.diagnosis.changes import change_candidates
from bot.diagnosis.describe import describe
from bot.diagnosis.edges import CLEARLY_SLOWER, comparable, dependency_candidates, explained_below, log_scale, operation_excess, shift
from bot.diagnosis.plain import percent, plain
from bot.model import SignalKind

CALLER_SHARE = 0.3  # of a slow call, a change at the caller (how it asks) rather than at the callee
ECHO_OF_UNSEEN = 0.1  # exceptions in a caller whose failing callee shows no cause of its own: hardly excused
CHANGED_CALLEE = 0.5  # a dependency that was itself just changed for the worse keeps this much less of the blame
RIVAL_FROM, RIVAL_EQUAL = 0.5, 0.9  # runner-up's share of the first one's score: from here it is a rival, here as good as equal


@dataclass(frozen=True)
class Localisation:
    """Candidates, best first. Without any: `comparable` says whether there was something to compare, `looked_at` what."""

    candidates: tuple[Candidate, ...]
    comparable: bool
    looked_at: tuple[str, ...]


def localise(case: Case) -> Localisation:
    """Ranks everything that the evidence can blame. The order of the evidence does not matter."""
    looked_at = tuple(
        name for name, seen in (("calls", case.evidence.edges), ("exceptions", case.evidence.errors), ("changes", case.changes)) if seen
    )
    if not comparable(case) or operation_excess(case) <= 0:
        return Localisation((), comparable(case), looked_at)
    dependencies = dependency_candidates(case)
    changes = change_candidates(case, _blame(case, dependencies), _echoes(case))
    dependencies = tuple(_less_the_changed(candidate, changes) for candidate in dependencies)
    ranked = sorted((*dependencies, *changes), key=lambda c: (-c.suspect.score, c.suspect.kind, c.suspect.name, c.suspect.at))
    found = tuple(_with_rivalry(c, ranked, case) for c in ranked if not _was_tried(c, case))
    return Localisation(found, True, looked_at)


def _was_tried(candidate: Candidate, case: Case) -> bool:
    """Acting on it did not heal this incident: it is not tried twice. It stays a rival of the others, so they gain no confidence by it."""
    suspect = candidate.suspect
    return any((t.kind, t.name, t.at) == (suspect.kind, suspect.name, suspect.at) for t in case.tried)


def signature_of(case: Case, candidate: Candidate) -> str:
    """The structured fingerprint of a candidate's kind of cause."""
    return str(describe(case, candidate))


def _blame(case: Case, dependencies: Iterable[Candidate]) -> dict[str, float]:
    """Service → how much of the slowness ends there: in callees by their edges, in the entry service by what is left."""
    signal = case.incident.signal
    blame: dict[str, float] = {}
    for candidate in dependencies:
        suspect = candidate.suspect
        blame[suspect.name] = max(blame.get(suspect.name, 0.0), suspect.score)
        blame[suspect.at] = max(blame.get(suspect.at, 0.0), CALLER_SHARE * suspect.score)
    if signal.kind is SignalKind.LATENCY and signal.now.p99_ms and signal.before.p99_ms:
        below = max((shift(edge, case).explains for edge in case.evidence.edges if edge.caller == signal.service), default=0.0)
        own = (1.0 - below) * log_scale(signal.now.p99_ms / signal.before.p99_ms, CLEARLY_SLOWER)
        blame[signal.service] = max(blame.get(signal.service, 0.0), own)
    return blame


def _echoes(case: Case) -> dict[str, float]:
    """Service → how far its exceptions are only the echo of calls that failed."""
    if case.incident.signal.kind is not SignalKind.ERRORS:
        return {}
    shifts = tuple(shift(edge, case) for edge in case.evidence.edges)
    echoes: dict[str, float] = {}
    for one in shifts:
        raised = sum(group.count for group in case.evidence.errors if group.service == one.edge.caller and is_new(group))
        if not raised or not one.excess:
            continue
        heard = clip(one.edge.now_errors / raised) * max(ECHO_OF_UNSEEN, explained_below(one, shifts, case))
        echoes[one.edge.caller] = max(echoes.get(one.edge.caller, 0.0), heard)
    return echoes


def _less_the_changed(candidate: Candidate, changes: Iterable[Candidate]) -> Candidate:
    """A dependency that was just changed for the worse: the change is the better explanation."""
    changed = max((c.suspect.score for c in changes if c.suspect.at == candidate.suspect.name), default=0.0)
    return candidate.rescored(candidate.suspect.score * (1.0 - CHANGED_CALLEE * changed))


def _with_rivalry(candidate: Candidate, ranked: Iterable[Candidate], case: Case) -> Candidate:
    """Adds how far ahead of (or behind) the best other candidate this one is."""
    others = [other for other in ranked if other.suspect != candidate.suspect]
    rival = max(others, key=lambda c: c.suspect.score, default=None)
    if rival is None:
        value, why = 1.0, "nothing else in the evidence explains it"
    else:
        ratio = rival.suspect.score / candidate.suspect.score
        value = 1.0 - clip((ratio - RIVAL_FROM) / (RIVAL_EQUAL - RIVAL_FROM))
        why = f"the best other explanation ({plain(rival.suspect.name)[:12]}) scores {percent(ratio)} of it"
    if case.changes_left_out and candidate.suspect.kind == "change":
        value, why = 0.0, f"{case.changes_left_out} further commits arrived with it that were not looked at"
    return replace(candidate, measures=(*candidate.measures, Measure("unrivalled", value, why)))
