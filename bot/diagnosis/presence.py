"""Suspects of what no request's calls explain: a gauge that is nearly full, error logs that go on, requests that stay away.

There is no stack and no slow span to follow. A commit, a deploy or a setting is suspected for where it went and for how soon after it the
trouble began: at the service itself, or, where requests stay away, at a service that calls it. New log lines whose words stand in what a
commit added, and exceptions in lines that it wrote, tell one commit from another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.diagnosis.candidate import Candidate, Measure
from bot.diagnosis.case import CLOCK_SLACK_S, Case, Change, is_new
from bot.diagnosis.joins import Join, arrival, join, join_text, later, nearness
from bot.diagnosis.log_lines import OTHERS_TEXT, new_lines, written_by
from bot.diagnosis.overlap import overlap
from bot.diagnosis.plain import clock, percent, plain, short
from bot.diagnosis.switches import came_with_a_deploy
from bot.diagnosis.wording import added_lines, share, words, words_of
from bot.evidence import ConfigChange, DeployMark
from bot.model import Claim, SignalKind, Suspect

UPSTREAM = 0.7  # whoever calls the service may have stopped doing so: likely, less so than its own doing
OUTSIDE = 0.4  # a commit that was deployed to the service and touches no file of it
UNNAMED = 0.5  # what a commit keeps when the new log lines or exceptions have nothing of it
WORTH_NAMING = 0.05
MAX_UPSTREAM = 50
METHODS = frozenset({"get", "put", "post", "patch", "delete", "head", "options"})  # of HTTP: in the names of operations, not in code's

_BEGAN: Mapping[SignalKind, str] = {
    SignalKind.SATURATION: "high reading",
    SignalKind.LOG_ERRORS: "error line too many",
    SignalKind.THROUGHPUT: "moment without requests",
}
_SINCE: Mapping[SignalKind, str] = {
    SignalKind.SATURATION: "{} is nearly full since",
    SignalKind.LOG_ERRORS: "{} logs errors since",
    SignalKind.THROUGHPUT: "{} gets fewer requests since",
}


@dataclass(frozen=True)
class _Left:
    """What a change left in log lines or exceptions: what it keeps of its score, how well they meet, where, and their ids."""

    kept: float
    code: float
    why: str
    ids: tuple[str, ...] = ()


def presence_candidates(case: Case) -> tuple[Candidate, ...]:
    """One candidate for each commit and each setting that came to the service (or to whoever calls it) before the trouble began."""
    places = _places(case)
    signal = case.incident.signal
    told = words(signal.operation) - METHODS if signal.kind is not SignalKind.LOG_ERRORS else frozenset[str]()
    named = share(told, words_of(case)) if told else {}
    found = [_changed(change, places, named, case) for change in case.changes]
    found += [_switched(one, places, case) for one in case.evidence.changes if not came_with_a_deploy(one, case)]
    return tuple(one for one in found if one is not None and one.suspect.score >= WORTH_NAMING)


def upstream_of(service: str, case: Case) -> frozenset[str]:
    """Who calls the service, directly or through others."""
    found, new = set[str](), {service}
    while new and len(found) < MAX_UPSTREAM:
        new = {edge.caller for edge in case.evidence.edges if edge.peer in new} - found - {service}
        found |= new
    return frozenset(found)


def _places(case: Case) -> Mapping[str, float]:
    """Service → how likely its doing shows as this signal."""
    signal = case.incident.signal
    callers = upstream_of(signal.service, case) if signal.kind is SignalKind.THROUGHPUT else ()
    return {**dict.fromkeys(callers, UPSTREAM), signal.service: 1.0}


def _changed(change: Change, places: Mapping[str, float], named: Mapping[str, float], case: Case) -> Candidate | None:
    left, best = _left_by(change, named, case), None
    for service, place in sorted(places.items()):
        deploy = join(change, service, case.incident.signal.first_bad_s, "", case)
        if (mark := deploy.mark) is None:
            continue
        if service not in change.services:
            deploy = replace(deploy, value=deploy.value * OUTSIDE)
        candidate = _brought(change, service, place, deploy, mark, left, case)
        best = candidate if best is None or candidate.suspect.score > best.suspect.score else best
    return best


def _brought(change: Change, service: str, place: float, deploy: Join, mark: DeployMark, left: _Left, case: Case) -> Candidate:
    signal, sha, name = case.incident.signal, short(change.commit.sha), plain(service)
    claims = [Claim(arrival(change, deploy, mark, name, _BEGAN[signal.kind]), (mark.id,))]
    if left.ids:
        claims.append(Claim(f"What is new at {plain(signal.service)} stands in commit {sha}: {left.why}.", left.ids))
    return Candidate(
        suspect=Suspect("change", change.commit.sha, service, round(deploy.value * place * left.kept, 4)),
        mechanism="change-breaks",
        roles=(service, signal.kind.value),
        cause=f"Commit {sha} changed {name}, and {_SINCE[signal.kind].format(plain(signal.service))}.",
        measures=(
            Measure("deploy_match", deploy.value, join_text(deploy, name)),
            Measure("code_match", left.code, left.why),
            Measure("worse_now", place, _place_text(service, place, case)),
        ),
        claims=tuple(claims),
        own=(mark.id, *left.ids),
        model="timing",
    )


def _place_text(service: str, place: float, case: Case) -> str:
    here = plain(case.incident.signal.service)
    return f"it concerns {here} itself" if place == 1.0 else f"{plain(service)} calls {here}"


def _left_by(change: Change, named: Mapping[str, float], case: Case) -> _Left:
    """What new log lines and exceptions of the service, or the name of what the signal is about, say of a change."""
    signal = case.incident.signal
    if signal.kind is not SignalKind.LOG_ERRORS:
        return _named(change, named)
    errors = [one for one in case.evidence.errors if one.service == signal.service and is_new(one) and one.frames]
    logs = new_lines(signal.service, case)
    found = [(met, met, "a frame of the exception's stack", one.id) for one in errors if (met := overlap(change, one, case).value)]
    lines = [words(line) for line in added_lines(change)] if logs else []
    found += [(met, OTHERS_TEXT * met, "the log line", one.id) for one in logs if (met := written_by(change, lines, one.template))]
    if not found:
        return _Left(UNNAMED if errors or logs else 1.0, 0.0, "none of the new log lines or exceptions stands in it")
    kept = max(met for met, *_ in found)
    _, code, what, evidence_id = max(found, key=lambda one: (one[1], one[3]))
    return _Left(UNNAMED + (1.0 - UNNAMED) * kept, code, what, (evidence_id,))


def _named(change: Change, named: Mapping[str, float]) -> _Left:
    """Whether a change speaks of the gauge, or of the operation, by its name; other changes that do not keep less beside it."""
    code, most = named.get(change.commit.sha, 0.0), max(named.values(), default=0.0)
    if not most:
        return _Left(1.0, 0.0, "no change speaks of it by its name")
    said = f"{percent(code)} of the words of its name stand in the commit"
    return _Left(UNNAMED + (1.0 - UNNAMED) * code / most, code, said)


def _switched(change: ConfigChange, places: Mapping[str, float], case: Case) -> Candidate | None:
    signal = case.incident.signal
    place = places.get(change.service, 0.0)
    if change.first_seen_s > signal.first_bad_s + CLOCK_SLACK_S or not place:
        return None
    gap_s = max(0.0, signal.first_bad_s - change.first_seen_s)
    fits, key, service = nearness(gap_s), plain(change.key), plain(change.service)
    switched = f"from {plain(change.previous_value)} to {plain(change.value)}"
    text = f"{key} of {service} went {switched} at {clock(change.first_seen_s)}; the first {_BEGAN[signal.kind]} came {later(gap_s)}."
    return Candidate(
        suspect=Suspect("setting", change.key, change.service, round(fits * place, 4)),
        mechanism="change-breaks",
        roles=(change.service, "setting", change.key),
        cause=f"{key} of {service} was set {switched}, and {_SINCE[signal.kind].format(plain(signal.service))}.",
        measures=(
            Measure("deploy_match", fits, f"{service} took the new value, and it began {later(gap_s)}"),
            Measure("worse_now", place, _place_text(change.service, place, case)),
        ),
        claims=(Claim(text, (change.id,)),),
        own=(change.id,),
        model="setting",
    )
