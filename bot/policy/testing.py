"""Policy tests: rows of `policies/tests/*.yaml` turned into cases and judged by the same `judge` as real pull requests.

A row says what is given; whatever it leaves out is as in a case that every sensible policy allows: a small, sure fix of the bot's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bot.errors import Refused
from bot.evidence import Evidence
from bot.forge import ChangedFile, Issue, Pull
from bot.journal import CommandRecord, DiagnosisRecord, IncidentRecord
from bot.model import Decision, Diagnosis, FileChange, Measurement, Objective, Proposal, Reason, Remedy, Signal, SignalKind, Verdict
from bot.names import FixBranch, parse_branch
from bot.policy.case import GateCase
from bot.policy.evaluate import judge
from bot.policy.schema import Policies
from bot.policy.strict_yaml import Entry, parse

_HEAD, _OTHER_HEAD, _BASE = "a" * 40, "b" * 40, "c" * 40
_BOT, _PERSON = "sre-space[bot]", "a-person"
_BRANCH = FixBranch("0123456789ab", 7, 1)


@dataclass(frozen=True)
class Row:
    name: str
    where: str  # FILE:LINE
    case: GateCase
    decision: Decision
    because: tuple[str, ...]  # rules that must be among those that gave this decision


@dataclass(frozen=True)
class Result:
    row: Row
    verdict: Verdict
    problem: str  # "" when the row holds


def example_path(policies: Policies) -> str:
    """A file that some service is built from."""
    patterns = [s.manifest for s in policies.services if s.manifest] + [p for s in policies.services for p in s.paths]
    return patterns[0].replace("**", "file").replace("*", "file").replace("?", "x")


def good_case(policies: Policies) -> GateCase:
    """A small, sure fix of the bot's own, in the first attempt: what the other cases differ from."""
    path, a = example_path(policies), policies.autonomy
    remedy = Remedy("revert", commit="d" * 40)
    sure = (a.confidence_above + 1) / 2
    diagnosis = Diagnosis("culprit", "a release broke it", (), (), (), sure, "brain", "", remedy)
    change = FileChange(path, "before\n", "after\n")
    return GateCase(
        pull=Pull(8, "Fix", "Refs #7", _BOT, str(_BRANCH), _HEAD, "main", "open", "", "", (), 0.0),
        files=(ChangedFile(path, "modified", 1, 1),),
        bot_login=_BOT,
        default_branch="main",
        branch=_BRANCH,
        issue=Issue(7, "Incident", "", _BOT, "open", ("sre:incident",), 0.0),
        incident=_incident(),
        diagnosis=DiagnosisRecord(1, diagnosis, _BASE),
        expected=Proposal(remedy, _BASE, (change,), 1, 1, ()),
        actual=(change,),
        attempt=1,
        attempts_used=1,
        open_pulls=1,
        pulls_last_hour=1,
    )


def _incident() -> IncidentRecord:
    objective = Objective("service", "GET /", 1000.0, 0.01, 60.0, 10, 5)
    well, ill = Measurement(0.0, 60.0, 100, 0, 0, 10.0, 20.0), Measurement(60.0, 120.0, 100, 50, 0, 10.0, 20.0)
    return IncidentRecord(_BRANCH.fingerprint, Signal(SignalKind.ERRORS, objective, well, ill, 60.0, 120.0), Evidence(120.0))


# --- what a row may give: each word changes the good case in one way ------------------------------------------------------------------


def _with_paths(case: GateCase, given: Entry) -> GateCase:
    changes = tuple(FileChange(path, "before\n", "after\n") for path in given.texts())
    files = tuple(ChangedFile(change.path, "modified", 1, 1) for change in changes)
    expected = replace(case.expected, changes=changes) if case.expected else None
    return replace(case, files=files, actual=changes, expected=expected)


def _with_lines(case: GateCase, given: Entry) -> GateCase:
    first, *others = case.files
    rest = tuple(replace(file, additions=0, deletions=0) for file in others)
    return replace(case, files=(replace(first, additions=given.whole(0), deletions=0), *rest))


def _with_confidence(case: GateCase, given: Entry) -> GateCase:
    return _with_diagnosis(case, confidence=given.number(0, 1))


def _with_diagnosis(case: GateCase, **changes: object) -> GateCase:
    if case.diagnosis is None:
        return case
    return replace(case, diagnosis=replace(case.diagnosis, diagnosis=replace(case.diagnosis.diagnosis, **changes)))  # type: ignore[arg-type]


def _with_remedy(case: GateCase, given: Entry) -> GateCase:
    kind = given.one_of(["revert", "bound-dependency", "none"])
    if kind == "none":
        return _without_proposal(_with_diagnosis(case, remedy=None))
    return _with_diagnosis(case, remedy=Remedy("revert") if kind == "revert" else Remedy("bound-dependency"))


def _without_proposal(case: GateCase) -> GateCase:
    """The recorded remedy is gone. An undo does not rest on it: it takes back a merge."""
    return case if case.is_undo else replace(case, expected=None, expected_error="no remedy is recorded for this attempt")


def _with_verdict(case: GateCase, given: Entry) -> GateCase:
    if given.one_of(["culprit", "no-culprit", "inconclusive", "none"]) == "none":
        return _without_proposal(replace(case, diagnosis=None))
    return _with_diagnosis(case, verdict=given.text())


def _with_attempt(case: GateCase, given: Entry) -> GateCase:
    return replace(case, attempt=max(1, given.whole(0)), attempts_used=given.whole(0))


def _with_undo(case: GateCase, given: Entry) -> GateCase:
    if not given.flag():
        return case
    branch = replace(_BRANCH, undo=True)
    return replace(case, branch=branch, pull=replace(case.pull, branch=str(branch)), is_undo=True, undo_of_ours=True)


def _with_change(case: GateCase, given: Entry) -> GateCase:
    match given.one_of(["as proposed", "other text", "one file more", "one file less", "not comparable", "not computable"]):
        case "other text":
            return replace(case, actual=tuple(replace(change, after="something else\n") for change in case.actual))
        case "one file more" if case.expected:
            return replace(case, expected=replace(case.expected, changes=case.expected.changes[1:]))
        case "one file less":
            return replace(case, actual=case.actual[1:])
        case "not comparable":
            return replace(case, actual=(), actual_error="a file is binary")
        case "not computable":
            return replace(case, expected=None, expected_error="later changes conflict")
    return case


def _with_approval(case: GateCase, given: Entry) -> GateCase:
    sha = {"this head": _HEAD, "another head": _OTHER_HEAD}[given.one_of(["this head", "another head"])]
    return replace(case, approvals=(CommandRecord(1, "approve", _PERSON, True, sha, case.pull.number),))


def _with_denial(case: GateCase, given: Entry) -> GateCase:
    return replace(case, denials=(CommandRecord(2, "deny", _PERSON, True, _HEAD, case.pull.number),)) if given.flag() else case


def _with_issue(case: GateCase, given: Entry) -> GateCase:
    match given.one_of(["open", "closed", "missing", "not recorded", "of another incident"]):
        case "closed" if case.issue:
            return replace(case, issue=replace(case.issue, state="closed"))
        case "missing":
            return replace(case, issue=None, incident=None)
        case "not recorded":
            return replace(case, incident=None)
        case "of another incident" if case.incident:
            return replace(case, incident=replace(case.incident, fingerprint="f" * 12))
    return case


def _with_branch(case: GateCase, given: Entry) -> GateCase:
    return replace(case, branch=parse_branch(given.text()), pull=replace(case.pull, branch=given.text()))


def _with_state(case: GateCase, given: Entry) -> GateCase:
    match given.one_of(["open", "closed", "merged"]):
        case "closed":
            return replace(case, pull=replace(case.pull, state="closed"))
        case "merged":
            return replace(case, pull=replace(case.pull, state="merged"))
    return case


_GIVEN: Mapping[str, Callable[[GateCase, Entry], GateCase]] = MappingProxyType(
    {
        "undo": _with_undo,
        "paths": _with_paths,
        "lines": _with_lines,
        "confidence": _with_confidence,
        "remedy": _with_remedy,
        "diagnosis": _with_verdict,
        "attempt": _with_attempt,
        "undoes_own_merge": lambda case, given: replace(case, undo_of_ours=given.flag()),
        "change": _with_change,
        "approved": _with_approval,
        "denied": _with_denial,
        "issue": _with_issue,
        "branch": _with_branch,
        "base": lambda case, given: replace(case, pull=replace(case.pull, base_branch=given.text())),
        "author": lambda case, given: replace(case, pull=replace(case.pull, author=given.text())),
        "state": _with_state,
        "issue_labels": lambda case, given: replace(case, issue=replace(case.issue, labels=given.texts()) if case.issue else None),
        "pull_labels": lambda case, given: replace(case, pull=replace(case.pull, labels=given.texts())),
        "all_on_hold": lambda case, given: replace(case, held_by=(1,)) if given.flag() else case,
        "open_pulls": lambda case, given: replace(case, open_pulls=given.whole(0)),
        "pulls_last_hour": lambda case, given: replace(case, pulls_last_hour=given.whole(0)),
    }
)


# --- reading and running ------------------------------------------------------------------------------------------------------------


def read_rows(file: str, text: str, policies: Policies) -> tuple[Row, ...]:
    """The rows of one file. Raises Refused with file, line and key, as for policies."""
    rows: dict[str, Row] = {}
    for item in parse(file, text).items(at_least=1):
        row = _row(item, policies)
        if row.name in rows:
            raise item.refused(f"a second row named {row.name!r}")
        rows[row.name] = row
    return tuple(rows.values())


def _row(item: Entry, policies: Policies) -> Row:
    keys = item.mapping(["name", "given", "expect"])
    given = keys["given"].mapping([], _GIVEN)
    case = good_case(policies)
    for word in (word for word in _GIVEN if word in given):  # in the table's order: `undo` first, `paths` before `lines`
        case = _GIVEN[word](case, given[word])
    expect = keys["expect"].mapping(["decision"], ["because"])
    decision = Decision(expect["decision"].one_of([d.value for d in Decision]))
    return Row(keys["name"].text(), f"{item.file}:{item.line}", case, decision, _because(expect.get("because"), policies))


def _because(given: Entry | None, policies: Policies) -> tuple[str, ...]:
    if given is None:
        return ()
    wanted = given.texts() if given.is_list else (given.text(),)
    known = {"approval", *(rule.id for rule in policies.rules)}
    for rule in wanted:
        if rule not in known:
            raise given.refused(f"there is no rule {rule!r}; known: {', '.join(sorted(known))}")
    return wanted


def run_row(row: Row, policies: Policies) -> Result:
    """Judges one row. `because` must be among the rules that gave the decision; a denial or question must have no other cause."""
    verdict = judge(row.case, policies)
    if verdict.decision is not row.decision:
        return Result(row, verdict, f"expected {row.decision}, got {verdict.decision} ({_causes(verdict.reasons, verdict.decision)})")
    causes = [reason.rule for reason in verdict.reasons if reason.decision is verdict.decision]
    missing = [rule for rule in row.because if rule not in causes]
    surplus = [] if row.decision is Decision.ALLOW else [rule for rule in causes if row.because and rule not in row.because]
    if missing or surplus:
        return Result(row, verdict, f"expected {row.decision} because of {', '.join(row.because)}, got it because of {', '.join(causes)}")
    return Result(row, verdict, "")


def _causes(reasons: tuple[Reason, ...], decision: Decision) -> str:
    return ", ".join(reason.rule for reason in reasons if reason.decision is decision)


def run_directory(folder: Path, policies: Policies) -> tuple[Result, ...]:
    """All rows of `folder/*.yaml`, files by name. Raises Refused when there is no row at all: an empty test proves nothing."""
    results: list[Result] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise Refused(f"{path}:1: can't be read: {problem}") from problem
        results += [run_row(row, policies) for row in read_rows(f"{folder.name}/{path.name}", text, policies)]
    if not results:
        raise Refused(f"no policy tests in {folder}: add a file such as {folder}/fixes.yaml")
    return tuple(results)
