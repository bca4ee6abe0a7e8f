"""What a reasoner may have looked up: a closed set of reading tools over the evidence, the repository and the memory.

Every request is checked against what the case knows: a service in its evidence, a commit among its own, a file of a service of
policies/services.yaml that is in the tree of that commit. Whatever is asked for, nothing else is read, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bot.diagnosis.blame import blame
from bot.diagnosis.case import Case, Change, is_new
from bot.diagnosis.edges import shift
from bot.diagnosis.overlap import in_app
from bot.diagnosis.plain import clock, duration, plain, short, subject
from bot.errors import Refused
from bot.forge import Commit
from bot.model import Finding, Lookup, Tool
from bot.policy.paths import is_plain, services_of
from bot.policy.schema import Policies
from bot.ports import Recall
from bot.signature import split_frame

ABNORMAL = 0.1  # a call that got worse by less than this shows nothing
MAX_FINDINGS = 12  # of one diagnosis
MAX_TEXT = 3_000  # characters of one finding
MAX_ROWS = 20
LINES_AROUND = 20
PAST = 3  # past incidents of one search
MIN_PREFIX = 7  # hex digits of a commit, as people write it


class Code(Protocol):
    """The repository as the tools read it. Both raise Retry or Refused as the forge does."""

    def read_file(self, path: str, sha: str) -> str | None: ...
    def last_commit(self, path: str, sha: str) -> Commit | None:
        """The newest commit up to `sha` that touched the file."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where tools look. `code` None: no repository is at hand. `redact` is applied to everything that a tool gives."""

    memory: Recall
    policies: Policies
    redact: Callable[[str], str]
    code: Code | None = None


def look_up(case: Case, lookup: Lookup, sources: Sources) -> Finding:
    """The answer as the case's next finding. A request that the tool does not allow is answered with the reason.

    Raises Retry or Refused when repository or memory are away.
    """
    try:
        text, telling = TOOLS[lookup.tool](case, lookup, sources)
    except NotAllowed as problem:
        text, telling = f"refused: {problem}", False
    text = sources.redact(text)
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} …"
    return Finding(f"q{len(case.found) + 1}", lookup, cut, telling)


def worth_asking(case: Case, wanted: Iterable[Lookup]) -> tuple[Lookup, ...]:
    """Those that were not answered yet, in their order, as far as the case has room for findings."""
    asked = {finding.lookup for finding in case.found}
    fresh = dict.fromkeys(lookup for lookup in wanted if lookup not in asked)
    return tuple(fresh)[: max(0, MAX_FINDINGS - len(case.found))]


def blame_frames(case: Case) -> tuple[Lookup, ...]:
    """Blame for the line in which each new kind of exception was raised: what the evidence reasoner wants to know."""
    lookups = []
    for group in case.evidence.errors:
        frames = in_app(group.frames) if is_new(group) else ()
        path, _, line = split_frame(frames[-1]) if frames else ("", "", 0)
        known = next((f.path for c in case.changes for f in c.commit.files if path == f.path or path.endswith("/" + f.path)), "")
        if known and line:
            lookups.append(Lookup("blame", path=known, line=line, sha=group.commit if group.commit in _commits(case) else case.base_sha))
    return tuple(dict.fromkeys(lookups))


class NotAllowed(Refused):
    """A tool was asked for what it does not give; the text says what it does give."""


Answer = tuple[str, bool]  # what was found, and whether it shows anything abnormal


def _query_spans(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    _known_service(case, lookup.service)
    rows = []
    for trace in case.evidence.traces:
        for span in trace.spans:
            if lookup.service in ("", span.service) and lookup.operation in ("", span.name):
                what = f"{plain(span.service)} {span.kind} {plain(span.name)}{f' to {plain(span.peer)}' if span.peer else ''}"
                how = f"{duration(span.duration_ms)} from {duration(span.offset_ms)}{' on' if span.finished else ' on, not ended'}"
                failed = f", failed{f' with {plain(span.error_type)}' if span.error_type else ''}" if span.error else ""
                rows.append(f"{span.id} in {trace.id} ({'bad' if trace.bad else 'good'}): {what}, {how}{failed}")
    return _listed(rows, "no such span among the exemplars"), False


def _compare_windows(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    _known_service(case, lookup.service)
    rows, telling = [], False
    for edge in case.evidence.edges:
        if lookup.service in ("", edge.caller, edge.peer):
            before = f"{edge.before_requests} calls, {edge.before_errors} failed, p99 {_ms(edge.before_p99_ms)}"
            now = f"{edge.now_requests} calls, {edge.now_errors} failed, p99 {_ms(edge.now_p99_ms)}"
            rows.append(f"{edge.id} {plain(edge.caller)} to {plain(edge.peer)}: before {before}; now {now}")
            telling = telling or shift(edge, case).worse >= ABNORMAL
    for group in case.evidence.errors:
        if lookup.service in ("", group.service):
            rows.append(f"{group.id} {plain(group.type)} in {plain(group.service)}: {group.before_count} before, {group.count} now")
            telling = telling or is_new(group)
    for line in case.evidence.logs:
        if lookup.service in ("", line.service):
            rows.append(f"{line.id} {plain(line.severity)} lines of {plain(line.service)}: {line.before_count} before, {line.count} now")
    return _listed(rows, "the evidence has no figures of it"), telling


def _read_file(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    sha, lines = _lines(case, lookup, sources)
    middle = min(max(lookup.line, 1), len(lines) or 1)
    first = max(1, middle - LINES_AROUND)
    shown = lines[first - 1 : first + 2 * LINES_AROUND]
    numbered = "\n".join(f"{number}: {line[:200]}" for number, line in enumerate(shown, first))
    return f"{lookup.path} at {short(sha)}, {len(lines)} lines:\n{numbered}", False


def _blame(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    if not is_plain(lookup.path) or lookup.line < 1:
        raise NotAllowed("blame takes the path of a file and the number of a line, from 1 on")
    sha = _commit(case, lookup.sha)
    change = blame(case.changes, lookup.path, lookup.line, sha)
    where = f"{plain(lookup.path)}:{lookup.line}"
    if change is not None:
        return f"{where} was last changed by {_told(change)}", True
    if sources.code is None or not services_of((lookup.path,), sources.policies):
        return f"{where} was written by none of the {len(case.changes)} changes in view", False
    older = sources.code.last_commit(lookup.path, sha)
    newest = f"; the file's newest commit up to {short(sha)} is {short(older.sha)}" if older is not None else ""
    return f"{where} was written by none of the {len(case.changes)} changes in view{newest}", False


def _list_deploys(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    _known_service(case, lookup.service)
    rows = []
    for mark in case.evidence.deploys:
        if lookup.service in ("", mark.service):
            brought = [short(change.commit.sha) for change in case.changes if mark.id in change.deploys]
            commits = f", which brought {', '.join(brought)}" if brought else ""
            rows.append(f"{mark.id} {plain(mark.service)} from {short(mark.commit)} on {clock(mark.first_seen_s)}{commits}")
    for change in case.evidence.changes:
        if lookup.service in ("", change.service):
            values = f"{plain(change.previous_value)} to {plain(change.value)}"
            rows.append(f"{change.id} {plain(change.service)}: {plain(change.key)} from {values} at {clock(change.first_seen_s)}")
    return _listed(rows, "neither a deploy nor a changed setting is known"), False


def _search_memory(case: Case, lookup: Lookup, sources: Sources) -> Answer:
    if not lookup.text.strip():
        raise NotAllowed("search_memory takes words to search for")
    found = sources.memory.recall(lookup.text[:MAX_TEXT], PAST)
    return _listed(
        [f"#{past.issue} ({past.outcome.value}): {past.text[:600]}" for past, _ in found], "no such incident is remembered"
    ), False


TOOLS: dict[Tool, Callable[[Case, Lookup, Sources], Answer]] = {
    "query_spans": _query_spans,
    "compare_windows": _compare_windows,
    "read_file": _read_file,
    "blame": _blame,
    "list_deploys": _list_deploys,
    "search_memory": _search_memory,
}


def _known_service(case: Case, service: str) -> None:
    evidence = case.evidence
    known = {case.incident.signal.service, *(n for e in evidence.edges for n in (e.caller, e.peer))}
    known |= {one.service for part in (evidence.errors, evidence.deploys, evidence.logs, evidence.changes) for one in part}
    known |= {span.service for trace in evidence.traces for span in trace.spans}
    if service and service not in known:
        raise NotAllowed("the evidence knows no such service; leave it empty for all of them")


def _commits(case: Case) -> frozenset[str]:
    """The commits that the case is about: nothing is read at any other."""
    evidence = case.evidence
    found = {case.base_sha, *(change.commit.sha for change in case.changes)}
    found |= {sha for mark in evidence.deploys for sha in (mark.commit, mark.previous_commit)}
    found |= {group.commit for group in evidence.errors} | {span.commit for trace in evidence.traces for span in trace.spans}
    return frozenset(found - {""})


def _commit(case: Case, sha: str) -> str:
    """The case's commit that `sha` names, whole or by its first digits; the default branch's head for ""."""
    if not sha:
        return case.base_sha
    found = [one for one in _commits(case) if one == sha or (len(sha) >= MIN_PREFIX and one.startswith(sha))]
    if len(found) != 1:
        raise NotAllowed("the case knows no such commit; name one of its changes or deploys, or none for the head of the default branch")
    return found[0]


def _lines(case: Case, lookup: Lookup, sources: Sources) -> tuple[str, list[str]]:
    sha = _commit(case, lookup.sha)
    if not is_plain(lookup.path) or not services_of((lookup.path,), sources.policies):
        raise NotAllowed("only files of the services in policies/services.yaml are read")
    if sources.code is None:
        raise NotAllowed("no repository is at hand")
    text = sources.code.read_file(lookup.path, sha)
    if text is None:
        raise NotAllowed(f"there is no such file at {short(sha)}")
    return sha, text.splitlines()


def _told(change: Change) -> str:
    brought = f", which came with {', '.join(change.deploys[:3])}" if change.deploys else ""
    return f'commit {short(change.commit.sha)} "{subject(change.commit.message)}" at {clock(change.commit.committed_s)}{brought}'


def _listed(rows: list[str], nothing: str) -> str:
    more = f"\n… and {len(rows) - MAX_ROWS} more" if len(rows) > MAX_ROWS else ""
    return "\n".join(rows[:MAX_ROWS]) + more if rows else nothing


def _ms(value: float | None) -> str:
    return "unknown" if value is None else duration(value)
