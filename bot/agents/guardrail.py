"""The veto: gathers from GitHub what a pull request of the bot is judged by, and judges it. Reads only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.diagnosis.remedies import build_proposal
from bot.ensure import incident_of, read_entries
from bot.errors import Missing, Refused
from bot.forge import ChangedFile, Issue, Pull
from bot.journal import AttemptRecord, CommandRecord, DiagnosisRecord, IncidentRecord, Record
from bot.model import Decision, Event, FileChange, Phase, Proposal, Remedy, Verdict
from bot.names import BRANCH_PREFIX, HOLD_ALL_LABEL, FixBranch, parse_branch
from bot.policy.case import GateCase, NotOurs
from bot.policy.evaluate import judge
from bot.policy.schema import Policies
from bot.ports import EventSink, ForgeReader
from bot.record import Keyring

Builder = Callable[[ForgeReader, Policies, Remedy, str], Awaitable[Proposal]]
HOUR_S = 3600.0
_FILES_READ = 100  # a larger change is not compared, and so never allowed


@dataclass(frozen=True)
class Gate:
    """What judging needs. `bot` is the login that the bot's writes carry (in an Actions job that is not the job token's)."""

    forge: ForgeReader
    policies: Policies
    keyring: Keyring
    bot: str
    build: Builder = build_proposal


async def gate(
    forge: ForgeReader, policies: Policies, keyring: Keyring, pull_number: int, say: EventSink, *, bot: str, now_s: float
) -> Verdict | NotOurs:
    """The verdict on a pull request's present head; NotOurs for one that people made.

    Raises what the Forge raises: then there is no verdict, and nothing is allowed.
    """
    case = await inspect(Gate(forge, policies, keyring, bot), pull_number, now_s)
    if isinstance(case, NotOurs):
        return case
    verdict = judge(case, policies)
    incident = str(case.branch.issue) if case.branch else ""
    data = (("pull", str(pull_number)), ("decision", verdict.decision.value), ("head_sha", verdict.head_sha))
    say.say(Event(now_s, "guardrail", Phase.DECIDE, incident, _sentence(pull_number, verdict), data))
    return verdict


def _sentence(pull: int, verdict: Verdict) -> str:
    because = [reason.rule for reason in verdict.reasons if reason.decision is verdict.decision]
    match verdict.decision:
        case Decision.ALLOW:
            return f"Pull request #{pull} may be merged at {verdict.head_sha[:12]}: {len(because)} rules hold."
        case Decision.ASK:
            return f"A person has to approve pull request #{pull}, because of {', '.join(because)}."
        case Decision.DENY:
            return f"Pull request #{pull} may not be merged, because of {', '.join(because)}."


async def inspect(tools: Gate, pull_number: int, now_s: float) -> GateCase | NotOurs:
    """Gathers the case. A branch in our namespace that isn't our work gives a case that denies; other branches are none of our business."""
    forge = tools.forge
    pull = await forge.pull(pull_number)
    if not pull.branch.startswith(BRANCH_PREFIX):
        return NotOurs(pull_number)
    branch, default = parse_branch(pull.branch), await forge.default_branch()
    if branch is None or pull.author != tools.bot:
        return GateCase(pull, (), tools.bot, default, branch)
    issue = await _issue(forge, branch.issue)
    recent = [p for p in await forge.recent_pulls() if p.author == tools.bot and parse_branch(p.branch)]
    of_incident = [p.number for p in recent if (named := parse_branch(p.branch)) and named.issue == branch.issue]
    records = await _records(tools, {branch.issue, pull_number, *of_incident} if issue else {pull_number})
    return await _Gathering(tools, pull, default, branch, now_s).case(issue, records, recent)


async def _issue(forge: ForgeReader, number: int) -> Issue | None:
    try:
        issue = await forge.issue(number)
    except Missing:
        return None
    return None if issue.is_pull else issue


async def _records(tools: Gate, numbers: Iterable[int]) -> tuple[Record, ...]:
    """Our records under these issues and pull requests, in the order in which they were written."""
    entries = [e for number in sorted(numbers) for e in await read_entries(tools.forge, tools.keyring, number, tools.bot)]
    return tuple(entry.record for entry in sorted(entries, key=lambda e: (e.created_s, e.comment_id)))


@dataclass(frozen=True)
class _Gathering:
    tools: Gate
    pull: Pull
    default_branch: str
    branch: FixBranch
    now_s: float

    async def case(self, issue: Issue | None, records: Sequence[Record], recent: Sequence[Pull]) -> GateCase:
        forge, branch = self.tools.forge, self.branch
        files = tuple(await forge.pull_files(self.pull.number))
        base_sha, actual_error = await self._base()
        actual: tuple[FileChange, ...] = ()
        if base_sha:
            actual, actual_error = await self._actual(files, base_sha)
        diagnosis = next((r for r in records if isinstance(r, DiagnosisRecord) and r.attempt == branch.attempt), None)
        merge_sha = await self._merge_to_undo() if branch.undo else ""
        expected, expected_error = await self._expected(diagnosis, merge_sha, base_sha)
        return GateCase(
            pull=self.pull,
            files=files,
            bot_login=self.tools.bot,
            default_branch=self.default_branch,
            branch=branch,
            issue=issue,
            incident=self._incident(issue),
            diagnosis=diagnosis,
            expected=expected,
            expected_error=expected_error,
            actual=actual,
            actual_error=actual_error,
            attempt=branch.attempt,
            attempts_used=attempts_used(records, branch.attempt),
            is_undo=branch.undo,
            undo_of_ours=bool(merge_sha),
            approvals=_said("approve", self.pull.number, records),
            denials=_said("deny", self.pull.number, records),
            held_by=tuple(i.number for i in await forge.issues(label=HOLD_ALL_LABEL)),
            open_pulls=sum(p.state == "open" for p in recent),
            pulls_last_hour=sum(self.now_s - p.created_s < HOUR_S for p in recent),
        )

    def _incident(self, issue: Issue | None) -> IncidentRecord | None:
        return incident_of(issue, self.tools.keyring, self.tools.bot) if issue else None

    async def _base(self) -> tuple[str, str]:
        """The commit that the branch's one commit stands on, or why there is none."""
        ahead = (await self.tools.forge.compare(self.default_branch, self.pull.head_sha)).commits
        if len(ahead) != 1 or ahead[0].sha != self.pull.head_sha:
            return "", f"the branch holds {len(ahead)} commits; the bot makes exactly one, so somebody else pushed to it"
        if len(ahead[0].parents) != 1:
            return "", "the branch's commit is a merge; the bot makes none"
        return ahead[0].parents[0], ""

    async def _actual(self, files: Sequence[ChangedFile], base_sha: str) -> tuple[tuple[FileChange, ...], str]:
        paths = sorted({path for file in files for path in (file.path, file.previous_path) if path})
        if len(paths) > _FILES_READ:
            return (), f"{len(paths)} files are more than can be compared ({_FILES_READ})"
        read = self.tools.forge.read_file
        try:
            return tuple([FileChange(p, await read(p, base_sha), await read(p, self.pull.head_sha)) for p in paths]), ""
        except Refused as problem:
            return (), str(problem)

    async def _merge_to_undo(self) -> str:
        """The commit by which the bot merged the attempt's fix; "" when it did not."""
        fix = str(FixBranch(self.branch.fingerprint, self.branch.issue, self.branch.attempt))
        merged = [p for p in await self.tools.forge.pulls(branch=fix) if p.state == "merged" and p.author == self.tools.bot]
        return merged[-1].merge_sha if merged else ""

    async def _expected(self, diagnosis: DiagnosisRecord | None, merge_sha: str, base_sha: str) -> tuple[Proposal | None, str]:
        if self.branch.undo:
            remedy = Remedy("revert", commit=merge_sha) if merge_sha else None
        else:
            remedy = diagnosis.diagnosis.remedy if diagnosis else None
        if remedy is None:
            return None, "no remedy is recorded for this attempt"
        if not base_sha:
            return None, "its base is not known, because the branch is not one commit of the bot"
        try:
            return await self.tools.build(self.tools.forge, self.tools.policies, remedy, base_sha), ""
        except Refused as problem:
            return None, str(problem)


def attempts_used(records: Iterable[Record], attempt: int) -> int:
    """How many attempts up to this one were recorded since the last accepted `/sre retry`; 0 when this one is not recorded.

    `records` in the order in which they were written.
    """
    counted: set[int] = set()
    recorded = False
    for record in records:
        if isinstance(record, CommandRecord) and record.verb == "retry" and record.accepted:
            counted.clear()
        elif isinstance(record, AttemptRecord) and record.attempt <= attempt:
            counted.add(record.attempt)
            recorded = recorded or record.attempt == attempt
    return max(1, len(counted)) if recorded else 0


def _said(verb: str, pull: int, records: Iterable[Record]) -> tuple[CommandRecord, ...]:
    return tuple(r for r in records if isinstance(r, CommandRecord) and (r.verb, r.accepted, r.pull) == (verb, True, pull))
