"""One step, one idempotent write. Every name is derived, every merge compared; a step done twice, or late, changes nothing more."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import lru_cache

from bot import texts
from bot.agents import cag, fixer, guardrail, replies
from bot.chronicle import Chronicle
from bot.decide import (
    SETTLE_S,
    Answer,
    Begin,
    CloseDuplicate,
    CloseIssue,
    ClosePull,
    Conclude,
    CreateBranch,
    DropTwin,
    Escalate,
    JoinOlder,
    Judge,
    Learn,
    Merge,
    Note,
    OpenIssue,
    OpenPull,
    RerunGate,
    Step,
    Think,
    Wait,
)
from bot.diagnosis.case import gather, tried_suspects
from bot.ensure import ensure_comment, ensure_issue, ensure_sticky
from bot.errors import Conflict, Missing
from bot.evidence import Evidence
from bot.facts import Attempt, Facts
from bot.journal import AttemptRecord, DiagnosisRecord, EscalationRecord, IncidentRecord, NoticeRecord, OutcomeRecord, Record, VerdictRecord
from bot.model import Event, Health, OutcomeKind, Phase, Verdict
from bot.names import (
    CLOSING_NOTICE,
    CURATOR_WORKFLOW,
    DIAGNOSE_WORKFLOW,
    DUPLICATE_NOTICE,
    HOLD_ALL_LABEL,
    HOLD_LABEL,
    NEEDS_HUMAN_LABEL,
    closing_issue,
    merge_refused,
)
from bot.observe import Eyes
from bot.policy.load import NAMES, file_of, load_policies
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink, Forge
from bot.texts import notices

STATUS = NoticeRecord("status")


class _Silent:
    """For judging in-process: the check's run has said its sentence already."""

    def say(self, event: Event) -> None:
        return None


SILENT = _Silent()


@dataclass(frozen=True)
class Hands:
    """What performing needs: the whole Forge, and somewhere to say what is done."""

    eyes: Eyes
    forge: Forge
    clock: Clock
    sink: EventSink
    chronicle: Chronicle
    links: texts.Links

    def say(self, facts: Facts, agent: str, phase: Phase, text: str, **data: str) -> None:
        incident = str(facts.issue.number) if facts.issue else facts.fingerprint
        self.sink.say(Event(self.clock.now(), agent, phase, incident, text, tuple(sorted(data.items()))))


async def perform(step: Step, f: Facts, h: Hands) -> None:
    """Does the step. Raises Retry, Conflict (look again) or Refused."""
    match step:
        case Wait():
            return
        case OpenIssue():
            await _open_issue(f, h)
        case CloseDuplicate(number):
            await _close_duplicate(number, f, h)
        case JoinOlder(number):
            await _join_older(number, f, h)
        case DropTwin(comment_id):
            with contextlib.suppress(Missing):  # somebody else was quicker
                await h.forge.delete_comment(comment_id)
        case ClosePull(pull_number, why):
            notice = NoticeRecord(CLOSING_NOTICE, pull_number)
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull_number, notice, texts.closing_pull(why))
            await h.forge.update_pull(pull_number, state="closed")
        case Answer(asked):
            reply = await replies.answer(asked, f, h.forge, h.eyes.keyring, h.eyes.bot)
            h.say(f, "human", Phase.DECIDE, f"{asked.by} said /sre {asked.verb}: {'done' if reply.accepted else 'refused'}")
        case Begin(attempt):
            await _begin(attempt, f, h)
        case Think(attempt):
            await _think(attempt, f, h)
        case CreateBranch() | OpenPull():
            await _propose(step, f, h)
        case Judge(attempt, pull_number):
            await _judge(pull_number, _attempt(f, attempt), f, h)
        case RerunGate(run_id, pull_number):
            await h.forge.rerun(run_id)
            h.say(f, "guardrail", Phase.DECIDE, f"the guardrail judges #{pull_number} once more")
        case Merge():
            await _merge(step, f, h)
        case _:
            await _conclude(step, f, h)


async def _conclude(step: Step, f: Facts, h: Hands) -> None:
    """The steps that end something."""
    number = _number(f)
    match step:
        case Note(topic, pull):
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull, NoticeRecord(topic, pull), texts.healthy_before_merge())
            h.say(f, "verifier", Phase.VERIFY, f"healthy again before the merge: #{pull} waits for a person")
        case Conclude(attempt, outcome, reason, undo):
            await _outcome(_attempt(f, attempt), outcome, reason, undo, f, h)
        case Escalate(attempt, call):
            record = EscalationRecord(attempt, call, f.now_s)
            text = texts.escalation(f, call, h.links)
            await h.forge.add_labels(number, [NEEDS_HUMAN_LABEL])
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, text)
            h.say(f, "human", Phase.DECIDE, f"calling a person: {texts.CALLS[call]}")
        case CloseIssue(why):
            await _close_issue(why, f, h)
        case Learn(issue):
            await h.forge.dispatch(CURATOR_WORKFLOW, ref=f.default_branch, inputs={"issue": str(issue)})
            h.say(f, "curator", Phase.LEARN, f"#{issue} has no post-mortem yet: starting the curator")


async def _close_duplicate(number: int, f: Facts, h: Hands) -> None:
    """Marks it first: a duplicate is no incident of its own, whatever comes later. Looks again whether the other one is still open."""
    text = notices.duplicate(_number(f))
    if (await h.forge.issue(_number(f))).state != "open":
        raise Conflict("the older one is closed by now: look again")
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, NoticeRecord(DUPLICATE_NOTICE), text)
    await h.forge.update_issue(number, state="closed", reason="not_planned")
    h.say(f, "loop", Phase.ACT, f"#{number} says the same as this incident: closed as a duplicate")


async def _join_older(older: int, f: Facts, h: Hands) -> None:
    """Marks it first, as a duplicate: what is still broken when the older one ends gets an incident of its own again."""
    if (await h.forge.issue(older)).state != "open":
        raise Conflict("the older one is closed by now: look again")
    number, text = _number(f), notices.same_cause(older)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, NoticeRecord(DUPLICATE_NOTICE), text)
    await h.forge.update_issue(number, state="closed", reason="not_planned")
    h.say(f, "loop", Phase.ACT, f"#{number} has the same cause as #{older}: closed as a duplicate, it goes on there")


async def _close_issue(why: str, f: Facts, h: Hands) -> None:
    """Measures once more just before, and looks whether a person has reopened it."""
    number = _number(f)
    if why != "healed":
        notice = NoticeRecord(closing_issue(f.attempts[-1].number if f.attempts else 0))
        await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, notice, texts.gone(f))
    await refresh_status(f, h, closing=True)
    if (await h.forge.issue(number)).reopened:
        raise Conflict("a person has reopened it: look again")
    if _health(f, h) is not Health.HEALTHY:
        raise Conflict("not healthy any more: look again")
    await h.forge.update_issue(number, state="closed", reason="completed")
    h.say(f, "loop", Phase.VERIFY, f"#{number} is closed: {'healed' if why == 'healed' else 'healthy again without us'}")


def _health(f: Facts, h: Hands) -> Health:
    """Now, not when the facts were read."""
    if f.incident is None:
        return Health.UNKNOWN
    signal = f.incident.signal
    return h.eyes.telemetry.health(signal.service, signal.operation, h.clock.now(), signal)[0]


async def refresh_status(f: Facts, h: Hands, *, closing: bool = False) -> None:
    """The one sticky comment, edited when what it says has changed.

    Not while nothing is measured: a restart, or a gap in the telemetry, is no news, and must not edit to and fro.
    """
    if f.issue is None or (f.issue.state == "closed" and not closing):
        return
    if f.health is Health.UNKNOWN and f.attempts and not closing:
        return
    text = texts.status(f, h.eyes.policies, h.links, closing=closing)
    await ensure_sticky(h.forge, h.eyes.keyring, h.eyes.bot, f.issue.number, STATUS, text)


def _number(f: Facts) -> int:
    if f.issue is None:
        raise Conflict("the incident's issue is gone: look again")
    return f.issue.number


def _attempt(f: Facts, number: int) -> Attempt:
    for attempt in f.attempts:
        if attempt.number == number:
            return attempt
    raise Conflict(f"attempt {number} is gone: look again")


async def _open_issue(f: Facts, h: Hands) -> None:
    if f.signal is None:
        raise Conflict("the signal is gone: look again")
    evidence = replace(h.eyes.telemetry.evidence(f.signal, f.now_s), affected=f.affected, upstream=f.upstream)
    record = IncidentRecord(f.fingerprint, f.signal, evidence)
    title = texts.issue_title(f.signal)
    body = texts.issue_body(f.signal, evidence, h.eyes.policies, h.links)
    number = await ensure_issue(h.forge, h.eyes.keyring, h.eyes.bot, record, title, body)
    h.sink.say(Event(h.clock.now(), "scout", Phase.OBSERVE, str(number), f"opened issue #{number}: {title}"))


async def _begin(attempt: int, f: Facts, h: Hands) -> None:
    """The record comes before the thought: a crash or a dead model counts too."""
    number = _number(f)
    if (await h.forge.issue(number)).state != "open":
        raise Conflict("closed by now: look again")
    if attempt == 1:
        await refresh_status(f, h)  # the first comment of all: where people look for how it stands
    evidence: Evidence | None = None
    if attempt > 1 and f.incident is not None:
        evidence = h.eyes.telemetry.evidence(f.signal or f.incident.signal, f.now_s)
    record = AttemptRecord(attempt, f.now_s, evidence)
    text = texts.attempt(record, h.eyes.policies.autonomy)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, text)


async def _think(attempt: int, f: Facts, h: Hands) -> None:
    """CAG answers at once when it knows the cause; else Brain is started in Actions."""
    number = _number(f)
    if f.incident is None:
        raise Conflict("the incident's record is gone: look again")
    evidence = _attempt(f, attempt).record.evidence or f.incident.evidence
    case = await gather(h.forge, h.eyes.policies, f.incident, evidence, tried_suspects(_records(f)))
    remembered = await h.chronicle.remembered(h.forge)
    answer = cag.answer(case, remembered.all, h.eyes.policies)
    obstacle = await cag.obstacle(h.forge, h.eyes.policies, answer.remedy, case.base_sha) if answer and answer.remedy else ""
    if answer is not None and not obstacle:
        record = DiagnosisRecord(attempt, answer, case.base_sha, h.clock.now())
        h.say(f, "cag", Phase.ORIENT, f"I know this one: {answer.cause}", confidence=f"{answer.confidence:.3f}")
        text = texts.diagnosis(record, case.evidence, h.eyes.policies, h.links)
        await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, text)
        return
    none = (
        f"the fix that I remember does not apply to today's tree ({obstacle})"
        if obstacle
        else f"none of {len(remembered.lessons)} remembered incidents fits"
    )
    h.say(f, "cag", Phase.ORIENT, f"{none}: Brain has to think")
    run_id = await h.forge.dispatch(DIAGNOSE_WORKFLOW, ref=f.default_branch, inputs={"issue": str(number), "attempt": str(attempt)})
    await _until_listed(DIAGNOSE_WORKFLOW, run_id, h)


async def _until_listed(workflow: str, run_id: int, h: Hands) -> None:
    """Lists lag behind: looking again before the run is in its list would start another one."""
    until_s = h.clock.now() + SETTLE_S
    while h.clock.now() < until_s and all(run.id != run_id for run in await h.forge.runs(workflow)):
        await h.clock.sleep(0.5)


def _records(f: Facts) -> list[Record]:
    return [r for a in f.attempts for r in (a.diagnosis, a.outcome) if r is not None]


async def _propose(step: CreateBranch | OpenPull, f: Facts, h: Hands) -> None:
    """A remedy that can't be built ends its attempt: trying it again gives the same."""
    attempt, policies = _attempt(f, step.attempt), h.eyes.policies
    try:
        if isinstance(step, CreateBranch):
            if await fixer.create_branch(h.forge, policies, f, attempt, undo=step.undo):
                h.say(f, "fixer", Phase.ACT, "committed the undo on a branch" if step.undo else "committed the fix on a branch")
            return
        pull, opened = await fixer.open_pull(h.forge, policies, h.links, f, attempt, undo=step.undo)
        if opened:
            h.say(f, "fixer", Phase.ACT, f"opened pull request #{pull.number}", pull=str(pull.number))
    except fixer.NoProposal as problem:
        await _outcome(attempt, OutcomeKind.ERROR, f"the change can't be made: {problem}", step.undo, f, h)


async def _judge(pull_number: int, attempt: Attempt, f: Facts, h: Hands) -> None:
    facts = attempt.undo if attempt.undo and attempt.undo.pull.number == pull_number else attempt.pull
    run = facts.gate_run if facts else None
    policies = await base_policies(h.forge)
    verdict = await guardrail.gate(h.forge, policies, h.eyes.keyring, pull_number, SILENT, bot=h.eyes.bot, now_s=h.clock.now())
    if not isinstance(verdict, Verdict):
        raise Conflict(f"#{pull_number} is not ours any more: look again")
    record = VerdictRecord(pull_number, verdict, run.id if run else 0, run.attempt if run else 0, h.clock.now())
    check = run.conclusion if run else "missing"
    h.say(f, "guardrail", Phase.DECIDE, f"my own judgement of #{pull_number}: {verdict.decision}; the check: {check}")
    text = texts.verdict(record, run, h.links)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull_number, record, text)


async def base_policies(forge: Forge) -> Policies:
    """The policies of the default branch's head: never a pull request's own."""
    head = (await forge.branch_sha(await forge.default_branch())) or ""
    return _parsed(tuple([(file_of(name), await forge.read_file(file_of(name), head)) for name in NAMES]))


@lru_cache(maxsize=4)
def _parsed(texts: tuple[tuple[str, str | None], ...]) -> Policies:
    """The same texts are the same policies: they change rarely and are read before every judgement."""
    return load_policies(dict(texts).get)


async def _merge(step: Merge, f: Facts, h: Hands) -> None:
    """Looks once more just before: a person may have said hold, or the service may be well, since the facts were read."""
    issue = await h.forge.issue(_number(f))
    pull = await h.forge.pull(step.pull)
    held = HOLD_LABEL in (*issue.labels, *pull.labels) or await h.forge.issues(label=HOLD_ALL_LABEL)
    if held or issue.state != "open":
        raise Conflict("on hold, or closed: look again")
    health = _health(f, h)
    if health is Health.UNKNOWN or (health is Health.HEALTHY and not _approved(step, f)):
        raise Conflict("not unhealthy any more: look again")
    try:
        sha = await h.forge.merge(step.pull, sha=step.sha, title=texts.merge_title(pull), message=texts.merge_message(f, step.undo))
    except Conflict as problem:
        await _note_refusal(step, str(problem), h)
        raise
    h.say(f, "fixer", Phase.ACT, f"merged #{step.pull} as {sha[:7]}", commit=sha)


def _approved(step: Merge, f: Facts) -> bool:
    attempt = _attempt(f, step.attempt)
    p = attempt.undo if step.undo else attempt.pull
    return bool(p and p.approval and p.approval.verb == "approve" and p.pull.head_sha == step.sha)


async def _note_refusal(step: Merge, why: str, h: Hands) -> None:
    """GitHub refuses what we may merge, e.g. for a rule of the repository: written down, so that a person is called when it lasts."""
    pull = await h.forge.pull(step.pull)
    if pull.state == "open" and pull.head_sha == step.sha:
        notice = NoticeRecord(merge_refused(step.sha), step.pull)
        await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, step.pull, notice, notices.merge_refused(why))


async def _outcome(attempt: Attempt, outcome: OutcomeKind, reason: str, undo: bool, f: Facts, h: Hands) -> None:
    p = attempt.undo if undo else attempt.pull
    after = p.verified[2] if p and p.verified else None
    record = OutcomeRecord(attempt.number, outcome, reason, f.now_s, p.serving_s if p else None, after, undo)
    h.say(f, "verifier", Phase.VERIFY, f"attempt {attempt.number}{' (undo)' if undo else ''}: {outcome}, {reason}", outcome=str(outcome))
    number = _number(f)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, texts.outcome(record, f, h.eyes.policies, h.links))
