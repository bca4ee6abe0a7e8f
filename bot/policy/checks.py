"""The vocabulary of policies/guardrail.yaml: one small pure predicate for each word, in a table.

A predicate answers `holds` True, False or None (the rule does not apply to this pull request). What could not be found out is False.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bot.model import Reason
from bot.names import BRANCH_PREFIX, HOLD_ALL_LABEL
from bot.policy.case import GateCase
from bot.policy.paths import is_plain, matches
from bot.policy.schema import Policies

GUARDRAIL = "policies/guardrail.yaml"
AUTONOMY = "policies/autonomy.yaml"
SERVICES = "policies/services.yaml"


@dataclass(frozen=True)
class Answer:
    holds: bool | None
    text: str
    observed: str = ""
    limit: str = ""
    children: tuple[Reason, ...] = ()


Values = Mapping[str, object]
Predicate = Callable[[GateCase, Values, Policies], Answer]


@dataclass(frozen=True)
class Check:
    holds: Predicate
    meaning: str  # for `sre-space policy explain`
    parameters: Mapping[str, str] = field(default_factory=dict)  # name → texts | whole


def _texts(values: Values, name: str) -> tuple[str, ...]:
    value = values[name]
    if not isinstance(value, tuple):
        raise TypeError(f"{name} must be a list of texts")
    return value


def _whole(values: Values, name: str) -> int:
    value = values[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number")
    return value


def _undo(what: str) -> Answer:
    return Answer(None, f"an undo {what}")


# --- whose work it is, and whether people want it ------------------------------------------------------------------------------


def made_by_the_bot(case: GateCase, _: Values, __: Policies) -> Answer:
    if case.branch is None:
        return Answer(
            False, f"the branch namespace {BRANCH_PREFIX} belongs to the bot, and this is no name of its making", case.pull.branch
        )
    if case.pull.author != case.bot_login:
        text = f"the branch namespace {BRANCH_PREFIX} belongs to the bot: push this work to a branch of another name"
        return Answer(False, text, case.pull.author, case.bot_login)
    return Answer(True, "the bot opened it, from a branch of its own", case.pull.author, case.bot_login)


def base_is_default_branch(case: GateCase, _: Values, __: Policies) -> Answer:
    holds = case.pull.base_branch == case.default_branch
    text = "it goes to the default branch" if holds else "the bot's pull requests go to the default branch only"
    return Answer(holds, text, case.pull.base_branch, case.default_branch)


def pull_is_open(case: GateCase, _: Values, __: Policies) -> Answer:
    holds = case.pull.state == "open"
    return Answer(holds, "it is open" if holds else "only an open pull request can be merged", case.pull.state, "open")


def incident_is_recorded(case: GateCase, _: Values, __: Policies) -> Answer:
    if case.branch is None:
        return Answer(False, "the branch names no incident")
    number = case.branch.issue
    if case.issue is None:
        return Answer(False, f"issue #{number}, which the branch names, does not exist")
    if case.incident is None:
        return Answer(False, f"issue #{number} holds no incident recorded by the bot")
    if case.incident.fingerprint != case.branch.fingerprint:
        return Answer(False, f"the branch names another incident than issue #{number}", case.branch.fingerprint, case.incident.fingerprint)
    return Answer(True, f"the bot recorded the incident in issue #{number}", case.branch.fingerprint)


def incident_is_open(case: GateCase, _: Values, __: Policies) -> Answer:
    if case.issue is None:
        return Answer(False, "there is no incident to look at")
    holds = case.issue.state == "open"
    text = "the incident is open" if holds else f"issue #{case.issue.number} is closed: whether this is still wanted is a person's decision"
    return Answer(holds, text, case.issue.state, "open")


def not_on_hold(case: GateCase, values: Values, _: Policies) -> Answer:
    labels = _texts(values, "labels")
    held = [f"{label} on #{case.issue.number}" for label in labels if case.issue and label in case.issue.labels]
    held += [f"{label} on #{case.pull.number}" for label in labels if label in case.pull.labels]
    held += [f"{HOLD_ALL_LABEL} on #{number}" for number in case.held_by]
    if held:
        return Answer(False, "on hold: `/sre release`, or taking the label away, lets the bot go on", ", ".join(held), "no such label")
    return Answer(True, "nobody put it on hold", "no such label", "no such label")


def nobody_denied(case: GateCase, _: Values, __: Policies) -> Answer:
    if case.denials:
        who = ", ".join(f"@{by}" for by in dict.fromkeys(record.by for record in case.denials))
        return Answer(False, f"{who} said no; `/sre retry` in the issue asks for another attempt", who)
    return Answer(True, "nobody said no")


# --- whether it is what the incident asks for ---------------------------------------------------------------------------------------


def attempts_within(case: GateCase, _: Values, policies: Policies) -> Answer:
    limit = policies.autonomy.attempts
    if case.is_undo:
        return _undo("is no attempt")
    if case.attempts_used < 1:
        return Answer(False, f"attempt {case.attempt} is not recorded in the issue", "no record", f"≤ {limit} ({AUTONOMY}: attempts)")
    holds = case.attempts_used <= limit
    text = f"attempt {case.attempts_used} of {limit}" if holds else "all attempts are used up; `/sre retry` in the issue allows more"
    return Answer(holds, text, str(case.attempts_used), f"≤ {limit} ({AUTONOMY}: attempts)")


def remedy_kind_in(case: GateCase, values: Values, _: Policies) -> Answer:
    kinds = _texts(values, "kinds")
    if case.is_undo:
        return _undo("is always a revert")
    remedy = case.diagnosis.diagnosis.remedy if case.diagnosis else None
    if remedy is None:
        return Answer(False, f"no remedy is recorded for attempt {case.attempt}", "none", ", ".join(kinds))
    holds = remedy.kind in kinds
    return Answer(
        holds, "a kind of fix that the bot may make" if holds else "not a kind of fix that the bot may make", remedy.kind, ", ".join(kinds)
    )


def diff_matches_remedy(case: GateCase, _: Values, __: Policies) -> Answer:
    """The diff, computed anew from the recorded remedy and the branch's base, against the diff as it is."""
    if case.expected is None:
        return Answer(False, f"the fix can't be computed again: {case.expected_error or 'no remedy is recorded'}")
    if case.actual_error:
        return Answer(False, f"the change can't be compared with the recorded remedy: {case.actual_error}")
    wanted = {change.path: (change.before, change.after) for change in case.expected.changes}
    found = {change.path: (change.before, change.after) for change in case.actual}
    odd = tuple(
        Reason("file", None, text, observed=path)
        for path in sorted({*wanted, *found})
        if (text := _difference(wanted.get(path), found.get(path)))
    )
    if odd or not found:
        text = "the change is not the one that follows from the recorded remedy: somebody altered it, or it is empty"
        return Answer(False, text, f"{len(odd)} of {len({*wanted, *found})} files differ", "0 files differ", odd)
    return Answer(True, f"exactly what the recorded remedy gives on {case.expected.base_sha[:12]}", "0 files differ", "0 files differ")


def _difference(wanted: tuple[str | None, str | None] | None, found: tuple[str | None, str | None] | None) -> str:
    if wanted == found:
        return ""
    if wanted is None:
        return "changed, though the remedy does not touch it"
    if found is None:
        return "not changed, though the remedy does"
    return "its text is not the remedy's"


def undoes_own_merge(case: GateCase, _: Values, __: Policies) -> Answer:
    if not case.is_undo:
        return Answer(None, "not an undo")
    if case.undo_of_ours:
        return Answer(True, f"takes back what the bot merged in attempt {case.attempt}")
    return Answer(False, f"attempt {case.attempt} has no merged pull request of the bot that could be taken back")


# --- how far it reaches ----------------------------------------------------------------------------------------------------------------


def _paths(case: GateCase) -> tuple[str, ...]:
    """Every path that the pull request touches, by GitHub's list and by the texts that were read: renames count on both sides."""
    listed = [path for file in case.files for path in (file.path, file.previous_path) if path]
    return tuple(sorted({*listed, *(change.path for change in case.actual)}))


def _path_answer(paths: tuple[str, ...], wrong: Mapping[str, str], good: str, bad: str, limit: str) -> Answer:
    if not paths:
        return Answer(False, "no changed file is known", "0 files", limit)
    children = tuple(Reason("path", None, why, observed=path) for path, why in wrong.items())
    return Answer(not wrong, bad if wrong else good, f"{len(wrong)} of {len(paths)} paths", limit, children)


def paths_of_a_service(case: GateCase, _: Values, policies: Policies) -> Answer:
    paths = _paths(case)
    patterns = [pattern for service in policies.services for pattern in service.paths]
    wrong = {p: "not under a service's paths" for p in paths if not (is_plain(p) and any(matches(p, pattern) for pattern in patterns))}
    return _path_answer(
        paths, wrong, "all files belong to a service", f"only files that {SERVICES} gives to a service may change", "0 paths outside"
    )


def paths_outside(case: GateCase, values: Values, _: Policies) -> Answer:
    paths, wrong = _paths(case), {}
    for path in paths:
        pattern = next((p for p in _texts(values, "paths") if matches(path, p, any_case=True)), None)
        if pattern is not None or not is_plain(path):
            wrong[path] = f"protected by {pattern}" if pattern else "not a plain path"
    return _path_answer(paths, wrong, "no protected file is touched", "protected files are changed by people only", "0 protected paths")


def size_within(case: GateCase, values: Values, _: Policies) -> Answer:
    if case.is_undo:
        return _undo("is as large as what it takes back")
    files, lines = len(case.files), sum(file.additions + file.deletions for file in case.files)
    limit = f"≤ {_whole(values, 'files')} files, ≤ {_whole(values, 'lines')} lines"
    holds = 0 < files <= _whole(values, "files") and 0 <= lines <= _whole(values, "lines")
    return Answer(
        holds,
        "small enough to be read at a glance" if holds else "larger than the bot may change by itself",
        f"{files} files, {lines} lines",
        limit,
    )


def _cap(case: GateCase, count: int | None, limit: int, name: str, what: str) -> Answer:
    if case.is_undo:
        return _undo("is not counted against the caps")
    shown = f"≤ {limit} ({AUTONOMY}: {name})"
    if count is None:
        return Answer(False, f"how many {what} there are could not be found out", "unknown", shown)
    return Answer(count <= limit, f"{what}: {count}", str(count), shown)


def open_pulls_within(case: GateCase, _: Values, policies: Policies) -> Answer:
    return _cap(case, case.open_pulls, policies.autonomy.open_pulls, "open_pulls", "open pull requests of the bot")


def pulls_per_hour_within(case: GateCase, _: Values, policies: Policies) -> Answer:
    return _cap(case, case.pulls_last_hour, policies.autonomy.pulls_per_hour, "pulls_per_hour", "pull requests of the bot in the last hour")


def confidence_above(case: GateCase, _: Values, policies: Policies) -> Answer:
    limit = policies.autonomy.confidence_above
    if case.is_undo:
        return _undo("needs no confidence: it goes back to what was there")
    shown = f"> {limit:.2f} ({AUTONOMY}: confidence_above)"
    if case.diagnosis is None:
        return Answer(False, f"no diagnosis is recorded for attempt {case.attempt}", "unknown", shown)
    diagnosis = case.diagnosis.diagnosis
    features = tuple(Reason(f.name, None, f.why, observed=f"{f.value:.2f} × {f.weight:+.2f}") for f in diagnosis.features)
    holds = limit < diagnosis.confidence <= 1 and diagnosis.verdict == "culprit"
    if diagnosis.verdict != "culprit":
        text = f"the diagnosis is {diagnosis.verdict}: the bot does not know the cause"
    else:
        text = "sure enough of the cause" if holds else "not sure enough of the cause to change anything alone"
    return Answer(holds, text, f"{diagnosis.confidence:.4f}", shown, features)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "made-by-the-bot": Check(made_by_the_bot, "the bot opened it, from a branch sre/<fingerprint>/<issue>/<attempt>[-undo]"),
        "base-is-default-branch": Check(base_is_default_branch, "it goes to the repository's default branch"),
        "pull-is-open": Check(pull_is_open, "it is neither merged nor closed"),
        "incident-is-recorded": Check(
            incident_is_recorded, "the issue that the branch names holds the bot's sealed record of that incident"
        ),
        "incident-is-open": Check(incident_is_open, "that issue is open"),
        "not-on-hold": Check(
            not_on_hold,
            f"neither the issue nor the pull request has one of `labels`, and no open issue has {HOLD_ALL_LABEL}",
            {"labels": "texts"},
        ),
        "nobody-denied": Check(nobody_denied, "nobody with write permission said `/sre deny`"),
        "attempts-within": Check(
            attempts_within, "no more attempts since the last `/sre retry` than autonomy.yaml allows; an undo is none"
        ),
        "remedy-kind-in": Check(remedy_kind_in, "the recorded remedy is one of `kinds`", {"kinds": "texts"}),
        "diff-matches-remedy": Check(
            diff_matches_remedy, "the change is, to the letter, what the recorded remedy gives on the branch's base"
        ),
        "undoes-own-merge": Check(undoes_own_merge, "an undo takes back a merge of the bot's own"),
        "paths-of-a-service": Check(paths_of_a_service, "every file belongs to a service of services.yaml"),
        "paths-outside": Check(paths_outside, "no file matches one of `paths` (any case)", {"paths": "texts"}),
        "size-within": Check(
            size_within, "at most `files` files and `lines` changed lines; an undo is not measured", {"files": "whole", "lines": "whole"}
        ),
        "open-pulls-within": Check(open_pulls_within, "no more open pull requests of the bot than autonomy.yaml allows, this one included"),
        "pulls-per-hour-within": Check(
            pulls_per_hour_within, "no more pull requests of the bot in the last hour than autonomy.yaml allows"
        ),
        "confidence-above": Check(
            confidence_above, "the diagnosis names a culprit with a confidence above autonomy.yaml's; an undo needs none"
        ),
    }
)

# Without these a verdict would mean nothing: policies/guardrail.yaml must hold each of them, and they can only deny.
CORE = (
    "made-by-the-bot",
    "base-is-default-branch",
    "incident-is-recorded",
    "not-on-hold",
    "nobody-denied",
    "diff-matches-remedy",
    "undoes-own-merge",
    "paths-of-a-service",
)
