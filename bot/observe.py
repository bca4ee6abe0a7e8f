"""Facts, read fresh: one incident as GitHub and telemetry show it now. Reads only; remembers nothing between calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.agents.human import parse_commands
from bot.agents.verifier import is_bad
from bot.belonging import Belonging, belonging
from bot.ensure import Entry, entries_in, incidents, read_entries
from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.forge import Comment, Issue, Pull, WorkflowRun
from bot.journal import (
    AttemptRecord,
    CommandRecord,
    DiagnosisRecord,
    EscalationRecord,
    IncidentRecord,
    NoticeRecord,
    OutcomeRecord,
    PostMortemRecord,
    Record,
    VerdictRecord,
)
from bot.model import Health, OutcomeKind, Signal
from bot.names import (
    BRANCH_PREFIX,
    CURATOR_WORKFLOW,
    DIAGNOSE_WORKFLOW,
    DUPLICATE_NOTICE,
    GUARDRAIL_WORKFLOW,
    HOLD_ALL_LABEL,
    HOLD_LABEL,
    FixBranch,
    closing_issue,
    curator_title,
    diagnosis_title,
    merge_refused,
    parse_branch,
    trailer,
)
from bot.policy.maintenance import active
from bot.policy.schema import Policies
from bot.ports import ForgeReader, Telemetry
from bot.proof import Merged, prove
from bot.record import Keyring, identity
from bot.signature import fingerprint

HOUR_S = 3600.0


@dataclass(frozen=True)
class Eyes:
    """What observing needs. `bot` is the login that our writes carry."""

    forge: ForgeReader
    telemetry: Telemetry
    keyring: Keyring
    policies: Policies
    bot: str


async def read_records(forge: ForgeReader, keyring: Keyring, number: int, bot: str) -> tuple[Record, ...]:
    """All our records under an issue or pull request, oldest first."""
    return tuple(entry.record for entry in await read_entries(forge, keyring, number, bot))


def fingerprint_of(signal: Signal) -> str:
    """An incident is one operation being unwell: a latency breach that turns into errors stays the same incident."""
    return fingerprint(signal.service, signal.operation, signal.aspect)


async def observe(eyes: Eyes, fp: str, now_s: float) -> Facts:
    """Everything that `decide` may know about one incident. Raises what the Forge raises."""
    signal = next((s for s in eyes.telemetry.signals(now_s) if fingerprint_of(s) == fp), None)
    issue, incident, duplicates = await _find(eyes, fp, signal)
    recent = [p for p in await eyes.forge.recent_pulls() if p.author == eyes.bot and p.branch.startswith(BRANCH_PREFIX)]
    strays = await _strays(eyes, fp, recent, issue)
    if issue is None or incident is None:
        return await _unopened(eyes, fp, now_s, signal, strays)
    own = incident.signal
    health, _ = eyes.telemetry.health(own.service, own.operation, now_s, own)
    comments = await eyes.forge.comments(issue.number)
    entries, twins = entries_in(comments, eyes.keyring, issue.number, eyes.bot)
    look = _Look(eyes, fp, now_s, issue, incident, health, entries, tuple(recent))
    attempts = await look.attempts()
    asked = list(asked_in(eyes, comments, entries, issue.number))
    for number in look.pull_numbers:
        asked += asked_in(eyes, look.pull_comments[number], look.pull_entries[number], number)
    retried = max((e.comment_id for e in look.all_entries() if _is(e, "retry")), default=0)  # in GitHub's order: a worker may have stalled
    escalations = [e for e in entries if isinstance(e.record, EscalationRecord) and e.comment_id > retried]
    found = await _belonging(eyes, signal or own, issue, incident, now_s)
    return Facts(
        fingerprint=fp,
        now_s=now_s,
        signal=signal,
        health=health,
        quiet=_quiet(eyes, own, health, now_s),
        issue=issue,
        incident=incident,
        duplicates=duplicates,
        strays=strays,
        twins=(*twins, *look.pull_twins),
        held=HOLD_LABEL in issue.labels or look.pull_held or bool(await eyes.forge.issues(label=HOLD_ALL_LABEL)),
        asked=tuple(sorted(asked, key=lambda a: a.comment_id)),
        attempts=attempts,
        counted=sum(isinstance(e.record, AttemptRecord) and e.comment_id > retried for e in entries),
        escalation=escalations[-1].record if escalations and isinstance(escalations[-1].record, EscalationRecord) else None,
        called=tuple(e.record for e in entries if isinstance(e.record, EscalationRecord)),
        healed=any(a.outcome and a.outcome.outcome is OutcomeKind.HEALED for a in attempts),
        post_mortem=next((e.record.post_mortem for e in entries if isinstance(e.record, PostMortemRecord)), None),
        lessons=len(await _lessons(eyes, issue)) if issue.state == "closed" else 0,
        open_pulls=sum(p.state == "open" for p in recent),
        pulls_last_hour=sum(now_s - p.created_s < HOUR_S for p in recent),
        default_branch=await eyes.forge.default_branch(),
        confidence_above=eyes.policies.autonomy.confidence_above,
        affected=found.affected,
        upstream=found.upstream,
        part_of=found.part_of if signal is not None and issue.state == "open" else "",
    )


async def _belonging(eyes: Eyes, signal: Signal, issue: Issue, incident: IncidentRecord, now_s: float) -> Belonging:
    """Of an incident that has an issue: with the older ones that are open and whose own signals are broken now."""
    broken = {fingerprint_of(s) for s in eyes.telemetry.signals(now_s)} - {incident.fingerprint}
    if not broken:
        return Belonging()
    older = [(i.number, r) for i, r in await incidents(eyes.forge, eyes.keyring, eyes.bot) if i.number < issue.number]
    opened = [*((number, record) for number, record in older if record.fingerprint in broken), (issue.number, incident)]
    return belonging(signal, eyes.telemetry, eyes.policies, opened, now_s)


async def _unopened(eyes: Eyes, fp: str, now_s: float, signal: Signal | None, strays: tuple[int, ...]) -> Facts:
    """Nothing is open for it. When it is broken: whether an incident of its own is to be opened."""
    facts = _nothing(fp, now_s, signal, strays)
    if signal is None:
        return facts
    opened = [(issue.number, record) for issue, record in await incidents(eyes.forge, eyes.keyring, eyes.bot)]
    found = belonging(signal, eyes.telemetry, eyes.policies, opened, now_s)
    return replace(
        facts,
        held=bool(await eyes.forge.issues(label=HOLD_ALL_LABEL)),
        affected=found.affected,
        upstream=found.upstream,
        part_of=found.part_of,
        maintenance=_maintenance(eyes.policies, signal.service, now_s),
    )


def _maintenance(policies: Policies, service: str, now_s: float) -> str:
    window = active(policies.maintenance, service, now_s)
    return f"until {datetime.fromtimestamp(window[1], UTC):%Y-%m-%d %H:%M} UTC: {window[0].reason}" if window else ""


def over(issue: Issue, incident: IncidentRecord, now_s: float) -> Facts:
    """An incident that is over, as far as answering a person needs it."""
    return replace(_nothing(incident.fingerprint, now_s, None, ()), issue=issue, incident=incident)


def _nothing(fp: str, now_s: float, signal: Signal | None, strays: tuple[int, ...]) -> Facts:
    health = Health.UNHEALTHY if signal else Health.UNKNOWN
    return Facts(fp, now_s, signal, health, False, None, None, (), strays, (), False, (), (), 0, None, (), False, None, 0, 0, 0, "")


async def _strays(eyes: Eyes, fp: str, recent: Sequence[Pull], issue: Issue | None) -> tuple[int, ...]:
    """Open pull requests of ours whose incident is closed: by a person, as a duplicate, or while another worker was opening one."""
    found = []
    for pull in recent:
        branch = parse_branch(pull.branch)
        if pull.state != "open" or branch is None or branch.fingerprint != fp:
            continue
        if issue is not None and branch.issue == issue.number and issue.state == "open":
            continue
        now = await eyes.forge.pull(pull.number)
        if now.state == "open" and await _is_ours(eyes, now, branch):
            found.append(pull.number)
    return tuple(found)


Found = tuple[Issue | None, IncidentRecord | None, tuple[int, ...]]


async def _find(eyes: Eyes, fp: str, signal: Signal | None) -> Found:
    """The issue that this pass is about: the oldest open one, else the youngest closed one while there is no new breach."""
    past: list[tuple[Issue, IncidentRecord]] = []
    for state in ("open", "all"):  # not "closed": of two lists one may lag, and one that was just closed would be in neither
        past = [(i, r) for i, r in await incidents(eyes.forge, eyes.keyring, eyes.bot, state) if r.fingerprint == fp]
        mine = [(i, r) for i, r in past if i.state == "open"]
        if mine:
            return *mine[0], tuple(i.number for i, _ in mine[1:])
    for issue, record in reversed(past):
        records = await read_records(eyes.forge, eyes.keyring, issue.number, eyes.bot)
        if any(isinstance(r, NoticeRecord) and r.topic == DUPLICATE_NOTICE for r in records):
            continue
        if signal is None or _still_refused(eyes.telemetry, signal, issue, closed_by_us=_closed_by_us(records, issue.closed_s or 0.0)):
            return issue, record, ()
        break
    return None, None, ()


def _closed_by_us(records: Sequence[Record], closed_s: float) -> bool:
    """We wrote that it is over (healed, or gone by itself), and nothing was begun since."""
    begun = [r.attempt for r in records if isinstance(r, AttemptRecord) and r.started_s <= closed_s]  # a worker may have been late
    newest = max(begun, default=0)
    gone = any(isinstance(r, NoticeRecord) and r.topic == closing_issue(newest) for r in records)
    return gone or any(
        isinstance(r, OutcomeRecord) and (r.attempt, r.undo, r.outcome) == (newest, False, OutcomeKind.HEALED) for r in records
    )


def _still_refused(telemetry: Telemetry, signal: Signal, issue: Issue, *, closed_by_us: bool) -> bool:
    """A person closed the last issue while it was broken: no new one until the service has been healthy in between.
    After a healing of ours, requests from before the closing don't count as a new breach."""
    closed_s = issue.closed_s or 0.0
    if closed_by_us:
        return signal.now.start_s <= closed_s
    first_s = signal.first_bad_s
    since = telemetry.measure(signal.service, signal.operation, max(closed_s, first_s - signal.objective.window_s), first_s, signal)
    return since is None or since.requests < signal.objective.min_requests or is_bad(since, signal.objective)


def _quiet(eyes: Eyes, signal: Signal, health: Health, now_s: float) -> bool:
    if health is not Health.HEALTHY:
        return False
    span_s = eyes.policies.autonomy.recurrence_s
    if signal.kind.of_service:
        span_s = max(span_s, signal.objective.window_s)  # a gauge may be read once a minute
    whole = eyes.telemetry.measure(signal.service, signal.operation, now_s - span_s, now_s, signal)
    early = eyes.telemetry.measure(signal.service, signal.operation, now_s - span_s, now_s - span_s * 0.8, signal)
    if whole is None or early is None:
        return False
    return early.requests > 0 and whole.requests >= signal.objective.min_requests and not is_bad(whole, signal.objective)


def _is(entry: Entry, verb: str) -> bool:
    return isinstance(entry.record, CommandRecord) and entry.record.verb == verb and entry.record.accepted


def asked_in(eyes: Eyes, comments: Sequence[Comment], entries: Sequence[Entry], number: int) -> list[Asked]:
    """The commands in the comments under one issue or pull request that no record there answers."""
    answered = {(e.record.comment_id, e.record.verb) for e in entries if isinstance(e.record, CommandRecord)}
    found: list[Asked] = []
    for comment in comments:
        if comment.author_is_bot or comment.updated_s > comment.created_s:
            continue  # an edited comment is not a new one
        commands = parse_commands(comment.body)
        if commands and eyes.keyring.is_ours(comment.body, number):
            continue  # ours are never commands
        for command in commands:
            if (comment.id, command.verb) not in answered:
                found.append(Asked(comment.id, number, command.verb, command.argument, comment.author, command.suggestion))
                answered.add((comment.id, command.verb))
    return found


async def _lessons(eyes: Eyes, issue: Issue) -> list[WorkflowRun]:
    title = curator_title(issue.number)
    return [run for run in await eyes.forge.runs(CURATOR_WORKFLOW) if run.title == title]


class _Look:
    """One pass over the attempts of an incident: holds what was read, so that nothing is read twice."""

    def __init__(
        self, eyes: Eyes, fp: str, now_s: float, issue: Issue, incident: IncidentRecord, health: Health,
        entries: tuple[Entry, ...], recent: tuple[Pull, ...],
    ) -> None:  # fmt: skip
        self.eyes, self.fp, self.now_s, self.issue, self.incident = eyes, fp, now_s, issue, incident
        self.health, self.entries, self.recent = health, entries, recent
        self.pull_comments: dict[int, Sequence[Comment]] = {}
        self.pull_entries: dict[int, tuple[Entry, ...]] = {}
        self.pull_numbers: list[int] = []
        self.pull_twins: list[int] = []
        self.pull_held = False

    def all_entries(self) -> list[Entry]:
        return [*self.entries, *(e for entries in self.pull_entries.values() for e in entries)]

    async def attempts(self) -> tuple[Attempt, ...]:
        started = sorted(
            ((e.record, e.at_s) for e in self.entries if isinstance(e.record, AttemptRecord)), key=lambda pair: pair[0].attempt
        )
        return tuple([await self._attempt(record, at_s) for record, at_s in started])

    async def _attempt(self, record: AttemptRecord, at_s: float) -> Attempt:
        n = record.attempt
        diagnosis = next((e.record for e in self.entries if isinstance(e.record, DiagnosisRecord) and e.record.attempt == n), None)
        outcomes = [e.record for e in self.entries if isinstance(e.record, OutcomeRecord) and e.record.attempt == n]
        outcome = next((o for o in outcomes if not o.undo), None)
        branch, undo_branch = FixBranch(self.fp, self.issue.number, n), FixBranch(self.fp, self.issue.number, n, undo=True)
        runs: tuple[WorkflowRun, ...] = ()
        if diagnosis is None and outcome is None:
            title = diagnosis_title(self.issue.number, n)
            runs = tuple(r for r in await self.eyes.forge.runs(DIAGNOSE_WORKFLOW) if r.title == title)
        since_s = at_s if n > 1 else self.incident.signal.first_bad_s  # what an earlier attempt has mended is no merit of this one
        remedy = diagnosis.diagnosis.remedy if diagnosis else None
        restores = remedy is not None and remedy.kind == "revert"
        pull = await self._pull(branch, since_s, restores=restores) if diagnosis else None
        failed = outcome is not None and outcome.outcome is OutcomeKind.FAILED
        undo = await self._pull(undo_branch, since_s, restores=False) if failed else None
        return Attempt(
            number=n,
            record=record,
            started_s=at_s,
            runs=runs,
            diagnosis=diagnosis,
            branch_sha=await self.eyes.forge.branch_sha(str(branch)) if diagnosis and not pull else None,
            pull=pull,
            outcome=outcome,
            undo_branch_sha=await self.eyes.forge.branch_sha(str(undo_branch)) if failed and not undo else None,
            undo=undo,
            undo_outcome=next((o for o in outcomes if o.undo), None),
        )

    async def _pull(self, branch: FixBranch, since_s: float, *, restores: bool) -> PullFacts | None:
        pull = next((p for p in self.recent if p.branch == str(branch)), None)
        if pull is None:
            pull = next(iter(await self.eyes.forge.pulls(branch=str(branch))), None)
        if pull is None:
            return None
        if pull.state == "open":
            pull = await self.eyes.forge.pull(pull.number)  # lists lag behind, and do not say whether it can be merged
        comments = await self.eyes.forge.comments(pull.number)
        entries, twins = entries_in(comments, self.eyes.keyring, pull.number, self.eyes.bot)
        self.pull_numbers.append(pull.number)
        self.pull_comments[pull.number] = comments
        self.pull_entries[pull.number] = entries
        self.pull_twins += twins
        self.pull_held = self.pull_held or (pull.state == "open" and HOLD_LABEL in pull.labels)
        concluded = [e for e in self.entries if isinstance(e.record, OutcomeRecord) and e.record.attempt == branch.attempt]
        done = any(isinstance(e.record, OutcomeRecord) and e.record.undo is branch.undo for e in concluded)
        finding, serving_s = None, None
        if pull.state == "merged" and not done:
            merged = Merged(pull, since_s, undo=branch.undo, restores=restores)
            finding, serving_s = await prove(self.eyes, self.incident.signal, self.health, merged, self.now_s)
        verdicts = [e for e in entries if isinstance(e.record, VerdictRecord) and e.record.verdict.head_sha == pull.head_sha]
        answers = [e for e in self.all_entries() if _is_answer(e, pull)]
        opened = pull.state == "open"
        refused = NoticeRecord(merge_refused(pull.head_sha), pull.number)
        return PullFacts(
            pull=pull,
            ours=not opened or await _is_ours(self.eyes, pull, branch),
            gate_run=await self._gate_run(pull),
            verdict=verdicts[-1].record if verdicts and isinstance(verdicts[-1].record, VerdictRecord) else None,
            approval=answers[-1].record if answers and isinstance(answers[-1].record, CommandRecord) else None,
            approval_is_newer=bool(answers and verdicts and answers[-1].at_s > verdicts[-1].at_s),
            healthy_noticed=any(isinstance(e.record, NoticeRecord) and e.record.topic == "healthy-before-merge" for e in entries),
            verified=finding,
            serving_s=serving_s,
            refused_s=next(
                (e.at_s for e in entries if isinstance(e.record, NoticeRecord) and identity(e.record) == identity(refused)), None
            ),
        )

    async def _gate_run(self, pull: Pull) -> WorkflowRun | None:
        runs = await self.eyes.forge.runs(GUARDRAIL_WORKFLOW, head_sha=pull.head_sha)
        return max(runs, key=lambda r: (r.created_s, r.id), default=None)


async def _is_ours(eyes: Eyes, pull: Pull, branch: FixBranch) -> bool:
    """Opened by us, and nobody has pushed to it since."""
    return pull.author == eyes.bot and (await eyes.forge.commit(pull.head_sha)).message.rstrip().endswith(trailer(branch))


def _is_answer(entry: Entry, pull: Pull) -> bool:
    r = entry.record
    return isinstance(r, CommandRecord) and r.accepted and r.verb in ("approve", "deny") and (r.pull, r.sha) == (pull.number, pull.head_sha)
