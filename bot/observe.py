"""Facts, read fresh: one incident as GitHub and telemetry show it now. Reads only; remembers nothing between calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.agents.human import parse_commands
from bot.agents.verifier import Finding, is_bad, verify
from bot.ensure import Entry, incidents, read_entries
from bot.errors import Missing
from bot.facts import Asked, Attempt, Facts, PullFacts
from bot.forge import Comment, Issue, Pull, WorkflowRun
from bot.model import (
    AttemptRecord,
    CommandRecord,
    DiagnosisRecord,
    EscalationRecord,
    Health,
    IncidentRecord,
    NoticeRecord,
    OutcomeKind,
    OutcomeRecord,
    PostMortemRecord,
    Record,
    Signal,
    VerdictRecord,
)
from bot.names import (
    BRANCH_PREFIX,
    CURATOR_WORKFLOW,
    DIAGNOSE_WORKFLOW,
    GUARDRAIL_WORKFLOW,
    HOLD_ALL_LABEL,
    HOLD_LABEL,
    FixBranch,
    curator_title,
    diagnosis_title,
    trailer,
)
from bot.policy.paths import services_of
from bot.policy.schema import Policies
from bot.ports import ForgeReader, Telemetry
from bot.record import Keyring
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
    return fingerprint(signal.service, signal.operation, "")


async def observe(eyes: Eyes, fp: str, now_s: float) -> Facts:
    """Everything that `decide` may know about one incident. Raises what the Forge raises."""
    signal = next((s for s in eyes.telemetry.signals(now_s) if fingerprint_of(s) == fp), None)
    issue, incident, duplicates, last_closed = await _find(eyes, fp, signal)
    if issue is None or incident is None:
        return _nothing(eyes, fp, now_s, signal, refused=_still_refused(eyes.telemetry, signal, last_closed))
    own = incident.signal
    health, _ = eyes.telemetry.health(own.service, own.operation, now_s)
    comments = await eyes.forge.comments(issue.number)
    entries = await read_entries(eyes.forge, eyes.keyring, issue.number, eyes.bot)
    recent = [p for p in await eyes.forge.recent_pulls() if p.author == eyes.bot and p.branch.startswith(BRANCH_PREFIX)]
    look = _Look(eyes, fp, now_s, issue, incident, health, entries, tuple(recent))
    attempts = await look.attempts()
    asked = list(_asked(eyes, comments, entries, issue.number))
    for number in look.pull_numbers:
        asked += _asked(eyes, look.pull_comments[number], (*entries, *look.pull_entries[number]), number)
    retried_s = max((e.created_s for e in look.all_entries() if _is(e, "retry")), default=0.0)
    escalations = [e for e in entries if isinstance(e.record, EscalationRecord) and e.created_s > retried_s]
    return Facts(
        fingerprint=fp,
        now_s=now_s,
        signal=signal,
        health=health,
        quiet=_quiet(eyes, own, health, now_s),
        issue=issue,
        incident=incident,
        duplicates=duplicates,
        refused=False,
        held=HOLD_LABEL in issue.labels or look.pull_held or bool(await eyes.forge.issues(label=HOLD_ALL_LABEL)),
        asked=tuple(sorted(asked, key=lambda a: a.comment_id)),
        attempts=attempts,
        counted=sum(a.started_s > retried_s for a in attempts),
        escalation=escalations[-1].record if escalations and isinstance(escalations[-1].record, EscalationRecord) else None,
        healed=any(a.outcome and a.outcome.outcome is OutcomeKind.HEALED for a in attempts),
        post_mortem=next((e.record.post_mortem for e in entries if isinstance(e.record, PostMortemRecord)), None),
        lessons=len(await _lessons(eyes, issue)) if issue.state == "closed" else 0,
        open_pulls=sum(p.state == "open" for p in recent),
        pulls_last_hour=sum(now_s - p.created_s < HOUR_S for p in recent),
        default_branch=await eyes.forge.default_branch(),
        confidence_above=eyes.policies.autonomy.confidence_above,
    )


def _nothing(eyes: Eyes, fp: str, now_s: float, signal: Signal | None, *, refused: bool) -> Facts:
    health = Health.UNHEALTHY if signal else Health.UNKNOWN
    return Facts(fp, now_s, signal, health, False, None, None, (), refused, False, (), (), 0, None, False, None, 0, 0, 0, "")


Found = tuple[Issue | None, IncidentRecord | None, tuple[int, ...], tuple[Issue, bool] | None]


async def _find(eyes: Eyes, fp: str, signal: Signal | None) -> Found:
    """The issue that this pass is about: the oldest open one, else the youngest closed one while there is no new breach."""
    mine = [(i, r) for i, r in await incidents(eyes.forge, eyes.keyring, eyes.bot) if r.fingerprint == fp]
    if mine:
        issue, record = mine[0]
        return issue, record, tuple(i.number for i, _ in mine[1:]), None
    past = [(i, r) for i, r in await incidents(eyes.forge, eyes.keyring, eyes.bot, "closed") if r.fingerprint == fp]
    if not past:
        return None, None, (), None
    issue, record = past[-1]
    entries = await read_entries(eyes.forge, eyes.keyring, issue.number, eyes.bot)
    ours = any(_ends(e.record) for e in entries)
    if signal is None:
        return issue, record, (), None
    return None, None, (), (issue, ours)


def _ends(record: Record) -> bool:
    """Written just before we close an incident: healed, or gone by itself."""
    healed = isinstance(record, OutcomeRecord) and not record.undo and record.outcome is OutcomeKind.HEALED
    return healed or (isinstance(record, NoticeRecord) and record.topic == "closing")


def _still_refused(telemetry: Telemetry, signal: Signal | None, last_closed: tuple[Issue, bool] | None) -> bool:
    """A person closed the last issue while it was broken: no new one until the service has been healthy in between.
    After a healing of ours, requests from before the closing don't count as a new breach."""
    if signal is None or last_closed is None:
        return False
    issue, closed_by_us = last_closed
    closed_s = issue.closed_s or 0.0
    if closed_by_us:
        return signal.first_bad_s <= closed_s
    since = telemetry.measure(signal.service, signal.operation, closed_s, signal.first_bad_s)
    return since is None or since.requests < signal.objective.min_requests or is_bad(since, signal.objective)


def _quiet(eyes: Eyes, signal: Signal, health: Health, now_s: float) -> bool:
    if health is not Health.HEALTHY:
        return False
    span_s = eyes.policies.autonomy.recurrence_s
    whole = eyes.telemetry.measure(signal.service, signal.operation, now_s - span_s, now_s)
    early = eyes.telemetry.measure(signal.service, signal.operation, now_s - span_s, now_s - span_s * 0.8)
    if whole is None or early is None:
        return False
    return early.requests > 0 and whole.requests >= signal.objective.min_requests and not is_bad(whole, signal.objective)


def _is(entry: Entry, verb: str) -> bool:
    return isinstance(entry.record, CommandRecord) and entry.record.verb == verb and entry.record.accepted


def _asked(eyes: Eyes, comments: Sequence[Comment], entries: Sequence[Entry], number: int) -> list[Asked]:
    answered = {(e.record.comment_id, e.record.verb) for e in entries if isinstance(e.record, CommandRecord)}
    found: list[Asked] = []
    for comment in comments:
        if comment.author_is_bot or comment.updated_s > comment.created_s or eyes.keyring.is_ours(comment.body, number):
            continue  # ours are never commands; an edited comment is not a new one
        for command in parse_commands(comment.body):
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
        self.pull_held = False

    def all_entries(self) -> list[Entry]:
        return [*self.entries, *(e for entries in self.pull_entries.values() for e in entries)]

    async def attempts(self) -> tuple[Attempt, ...]:
        started = sorted(
            ((e.record, e.created_s) for e in self.entries if isinstance(e.record, AttemptRecord)), key=lambda pair: pair[0].attempt
        )
        return tuple([await self._attempt(record, created_s) for record, created_s in started])

    async def _attempt(self, record: AttemptRecord, created_s: float) -> Attempt:
        n = record.attempt
        diagnosis = next((e.record for e in self.entries if isinstance(e.record, DiagnosisRecord) and e.record.attempt == n), None)
        outcomes = [e.record for e in self.entries if isinstance(e.record, OutcomeRecord) and e.record.attempt == n]
        outcome = next((o for o in outcomes if not o.undo), None)
        branch, undo_branch = FixBranch(self.fp, self.issue.number, n), FixBranch(self.fp, self.issue.number, n, undo=True)
        runs: tuple[WorkflowRun, ...] = ()
        if diagnosis is None and outcome is None:
            title = diagnosis_title(self.issue.number, n)
            runs = tuple(r for r in await self.eyes.forge.runs(DIAGNOSE_WORKFLOW) if r.title == title)
        pull = await self._pull(branch) if diagnosis else None
        failed = outcome is not None and outcome.outcome is OutcomeKind.FAILED
        undo = await self._pull(undo_branch) if failed else None
        return Attempt(
            number=n,
            record=record,
            started_s=created_s,
            runs=runs,
            diagnosis=diagnosis,
            branch_sha=await self.eyes.forge.branch_sha(str(branch)) if diagnosis and not pull else None,
            pull=pull,
            outcome=outcome,
            undo_branch_sha=await self.eyes.forge.branch_sha(str(undo_branch)) if failed and not undo else None,
            undo=undo,
            undo_outcome=next((o for o in outcomes if o.undo), None),
        )

    async def _pull(self, branch: FixBranch) -> PullFacts | None:
        pull = next((p for p in self.recent if p.branch == str(branch)), None)
        if pull is None:
            pull = next((p for p in await self.eyes.forge.pulls(branch=str(branch)) if p.author == self.eyes.bot), None)
        if pull is None:
            return None
        if pull.state == "open":
            pull = await self.eyes.forge.pull(pull.number)  # lists lag behind, and do not say whether it can be merged
        entries = await read_entries(self.eyes.forge, self.eyes.keyring, pull.number, self.eyes.bot)
        self.pull_numbers.append(pull.number)
        self.pull_comments[pull.number] = await self.eyes.forge.comments(pull.number)
        self.pull_entries[pull.number] = entries
        self.pull_held = self.pull_held or (pull.state == "open" and HOLD_LABEL in pull.labels)
        concluded = [e for e in self.entries if isinstance(e.record, OutcomeRecord) and e.record.attempt == branch.attempt]
        done = any(isinstance(e.record, OutcomeRecord) and e.record.undo is branch.undo for e in concluded)
        finding, serving_s = await self._verified(pull, undo=branch.undo) if pull.state == "merged" and not done else (None, None)
        verdicts = [e for e in entries if isinstance(e.record, VerdictRecord) and e.record.verdict.head_sha == pull.head_sha]
        answers = [e for e in self.all_entries() if _is_answer(e, pull)]
        opened = pull.state == "open"
        return PullFacts(
            pull=pull,
            ours=not opened or await self._is_ours(pull, branch),
            gate_run=await self._gate_run(pull),
            verdict=verdicts[-1].record if verdicts and isinstance(verdicts[-1].record, VerdictRecord) else None,
            approval=answers[-1].record if answers and isinstance(answers[-1].record, CommandRecord) else None,
            approval_s=answers[-1].created_s if answers else 0.0,
            verdict_s=verdicts[-1].created_s if verdicts else 0.0,
            healthy_noticed=any(isinstance(e.record, NoticeRecord) and e.record.topic == "healthy-before-merge" for e in entries),
            verified=finding,
            serving_s=serving_s,
        )

    async def _is_ours(self, pull: Pull, branch: FixBranch) -> bool:
        head = await self.eyes.forge.commit(pull.head_sha)
        return head.message.rstrip().endswith(trailer(branch))

    async def _gate_run(self, pull: Pull) -> WorkflowRun | None:
        runs = await self.eyes.forge.runs(GUARDRAIL_WORKFLOW, head_sha=pull.head_sha)
        return max(runs, key=lambda r: (r.created_s, r.id), default=None)

    async def _verified(self, pull: Pull, *, undo: bool) -> tuple[Finding | None, float | None]:
        eyes, signal = self.eyes, self.incident.signal
        paths = [f.path for f in await eyes.forge.pull_files(pull.number)]
        services = services_of(paths, eyes.policies) or (signal.service,)
        serving_s = await self._serving(services, pull.merge_sha)
        merged_s = pull.closed_s or pull.created_s
        after = eyes.telemetry.measure(signal.service, signal.operation, serving_s, self.now_s) if serving_s is not None else None
        finding = verify(
            signal, merged_s=merged_s, serving_s=serving_s, after=after, health=self.health, now_s=self.now_s, a=eyes.policies.autonomy
        )
        if undo and serving_s is not None:  # an undo is done when it serves; it is not asked to heal
            finding = finding or (OutcomeKind.FAILED, "the change is out again", after)
        return finding, serving_s

    async def _serving(self, services: Sequence[str], merge_sha: str) -> float | None:
        since = []
        for service in services:
            seen = self.eyes.telemetry.serving(service, self.now_s)
            if seen is None or not await self._descends(seen[0], merge_sha):
                return None
            since.append(seen[1])
        return max(since, default=None)

    async def _descends(self, sha: str, ancestor: str) -> bool:
        if sha == ancestor:
            return True
        try:
            return (await self.eyes.forge.compare(ancestor, sha)).status in ("identical", "ahead")
        except Missing:
            return False  # deployed from somewhere that this repository does not know


def _is_answer(entry: Entry, pull: Pull) -> bool:
    r = entry.record
    return isinstance(r, CommandRecord) and r.accepted and r.verb in ("approve", "deny") and (r.pull, r.sha) == (pull.number, pull.head_sha)
