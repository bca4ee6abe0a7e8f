"""Remedies: which fix a suspect calls for, and the exact change of files that a remedy means on a base commit.

A remedy is parametric and small; `build_proposal` derives the whole diff from it, so that anybody can recompute and compare it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import SequenceMatcher

from bot.diagnosis.case import Case
from bot.diagnosis.manifest_edit import dotted, lookup, parse, scalar, set_scalars
from bot.diagnosis.plain import short, subject
from bot.diagnosis.revert import revert
from bot.errors import Refused
from bot.evidence import EdgeStat
from bot.model import FileChange, Proposal, Remedy, Suspect
from bot.policy.paths import services_of
from bot.policy.schema import Policies
from bot.ports import ForgeReader
from bot.redact import redact

STEP_S = 0.05  # time-outs are rounded to this


def propose_remedy(case: Case, suspect: Suspect, policies: Policies) -> Remedy | None:
    """The remedy for a suspect, its parameters derived from this case; None when its precondition does not hold."""
    if suspect.kind == "change":
        return _propose_revert(case, suspect)
    if suspect.kind == "setting":
        return None  # a person switched it somewhere else
    return _propose_bound(case, suspect, policies)


async def build_proposal(reader: ForgeReader, policies: Policies, remedy: Remedy, base_sha: str) -> Proposal:
    """The change that a remedy means on `base_sha`: the same arguments always give the same proposal.

    Raises Refused when nothing is left to change, later changes conflict, or the remedy is not one that policies/known.yaml allows.
    """
    if remedy.kind == "revert":
        changes = await revert(reader, remedy.commit, base_sha)
    else:
        changes = (await _bounded_manifest(reader, policies, remedy, base_sha),)
    counts = [_line_counts(change) for change in changes]
    touched = services_of((change.path for change in changes), policies)
    return Proposal(remedy, base_sha, changes, sum(a for a, _ in counts), sum(r for _, r in counts), touched)


def bounded_timeout_s(edge: EdgeStat, objective_p99_ms: float, policies: Policies) -> float | None:
    """The time-out for an edge by policies/known.yaml: seconds in steps of 0.05. None when the normal time is unknown or longer."""
    if edge.before_p99_ms is None:
        return None
    rule = policies.bound_dependency
    normal_s = edge.before_p99_ms / 1000
    most_s = rule.at_most_share_of_objective * objective_p99_ms / 1000
    wanted_s = max(rule.at_least_s, min(rule.times_normal_p99 * normal_s, most_s))
    steps = round(wanted_s / STEP_S)
    if steps * STEP_S > most_s + 1e-9:
        steps = math.floor(most_s / STEP_S + 1e-9)
    timeout_s = round(steps * STEP_S, 2)
    return timeout_s if timeout_s > normal_s else None  # a bound below the normal time would break what works


def _propose_revert(case: Case, suspect: Suspect) -> Remedy | None:
    change = next((c for c in case.changes if c.commit.sha == suspect.name), None)
    if change is None or not change.commit.parents or not change.commit.files or not change.services:
        return None
    return Remedy(
        kind="revert",
        commit=change.commit.sha,
        summary=f'Revert "{subject(redact(change.commit.message))}" ({short(change.commit.sha)})',
    )


def _propose_bound(case: Case, suspect: Suspect, policies: Policies) -> Remedy | None:
    text, spec = case.manifest(suspect.at), policies.service(suspect.at)
    edges = [e for e in case.evidence.edges if (e.caller, e.peer) == (suspect.at, suspect.name) and e.before_p99_ms is not None]
    if text is None or spec is None or not edges:
        return None
    edge = max(edges, key=lambda e: (e.before_requests, e.id))
    timeout_s = bounded_timeout_s(edge, case.incident.signal.objective.p99_ms, policies)
    key = dotted(spec.dependency_key, {"name": suspect.name})
    try:
        document = parse(text)
    except Refused:
        return None
    if timeout_s is None or not isinstance(lookup(document, key), dict):
        return None
    rule = policies.bound_dependency
    parameters = []
    if _larger_or_absent(lookup(document, (*key, *rule.timeout_field.split("."))), timeout_s):
        parameters.append((rule.timeout_field, str(timeout_s)))
    wanted = [(field, _plain(value)) for field, value in rule.settings]
    if not parameters and all(lookup(document, (*key, *field.split("."))) == scalar(value) for field, value in wanted):
        return None
    return Remedy(
        kind="bound-dependency",
        service=suspect.at,
        dependency=suspect.name,
        parameters=(*parameters, *wanted),
        summary=_bound_summary(suspect, timeout_s if parameters else None, wanted),
    )


def _larger_or_absent(current: object, timeout_s: float) -> bool:
    if isinstance(current, bool) or not isinstance(current, (int, float)):
        return True
    return float(current) > timeout_s


def _plain(value: str) -> str:
    """`True` as YAML writes it."""
    return value.lower() if value.lower() in ("true", "false") else value


def _bound_summary(suspect: Suspect, timeout_s: float | None, settings: Sequence[tuple[str, str]]) -> str:
    bound = f"wait at most {timeout_s:g} s for {suspect.name}" if timeout_s is not None else f"keep the time-out for {suspect.name}"
    return f"In the manifest of {suspect.at}: {bound}, and set {', '.join(f'{field} to {value}' for field, value in settings)}."


async def _bounded_manifest(reader: ForgeReader, policies: Policies, remedy: Remedy, base_sha: str) -> FileChange:
    spec = policies.service(remedy.service)
    if spec is None or not spec.manifest:
        raise Refused(f"policies/services.yaml names no manifest for {remedy.service!r}: add one, then try again")
    before = await reader.read_file(spec.manifest, base_sha)
    if before is None:
        raise Refused(f"{spec.manifest} does not exist on {base_sha[:12]}: correct policies/services.yaml, then try again")
    key = dotted(spec.dependency_key, {"name": remedy.dependency})
    if not isinstance(lookup(parse(before), key), dict):
        raise Refused(f"{spec.manifest} has no settings for {remedy.dependency!r}: nothing to bound")
    settings = _allowed(remedy, policies)
    after = set_scalars(before, [((*key, *field.split(".")), value) for field, value in settings])
    if after == before:
        raise Refused(f"{spec.manifest} bounds {remedy.dependency!r} like this already: nothing to change")
    return FileChange(spec.manifest, before, after)


def _allowed(remedy: Remedy, policies: Policies) -> tuple[tuple[str, str], ...]:
    """The remedy's parameters, each checked against policies/known.yaml."""
    rule = policies.bound_dependency
    settings = {field: _plain(value) for field, value in rule.settings}
    for field, value in remedy.parameters:
        if field == rule.timeout_field:
            seconds = scalar(value)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not rule.at_least_s <= seconds:
                raise Refused(f"{field} {value!r} is no time-out of at least {rule.at_least_s:g} s: make the diagnosis again")
        elif settings.get(field) != value:
            raise Refused(f"{field} = {value!r} is not a setting that policies/known.yaml allows: make the diagnosis again")
    return remedy.parameters


def _line_counts(change: FileChange) -> tuple[int, int]:
    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [code for code in codes if code[0] != "equal"]
    return sum(j2 - j1 for _, _, _, j1, j2 in changed), sum(i2 - i1 for _, i1, i2, _, _ in changed)
