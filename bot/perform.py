"""One step, one idempotent write. Every name is derived, every merge compared; a step done twice, or late, changes nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from bot import texts
from bot.agents import cag, fixer, guardrail, replies
from bot.chronicle import Chronicle
from bot.decide import (
    Answer,
    Begin,
    CloseDuplicate,
    CloseIssue,
    ClosePull,
    Conclude,
    CreateBranch,
    Escalate,
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
from bot.diagnosis.case import gather
from bot.ensure import ensure_comment, ensure_issue, ensure_sticky
from bot.errors import Conflict
from bot.facts import Attempt, Facts
from bot.model import (
    AttemptRecord,
    DiagnosisRecord,
    EscalationRecord,
    Event,
    Evidence,
    Health,
    IncidentRecord,
    NoticeRecord,
    OutcomeKind,
    OutcomeRecord,
    Phase,
    Verdict,
    VerdictRecord,
)
from bot.names import CURATOR_WORKFLOW, DIAGNOSE_WORKFLOW, HOLD_LABEL, NEEDS_HUMAN_LABEL
from bot.observe import Eyes
from bot.policy.load import load_policies
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink, Forge

STATUS = NoticeRecord("status")


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
            await h.forge.update_issue(number, state="closed", reason="not_planned")
            h.say(f, "loop", Phase.ACT, f"#{number} says the same as this incident: closed as a duplicate")
        case Answer(asked):
            reply = await replies.answer(asked, f, h.forge, h.eyes.keyring, h.eyes.bot)
            h.say(f, "human", Phase.DECIDE, f"{asked.by} said /sre {asked.verb}: {'done' if reply.accepted else 'refused'}")
        case Begin(attempt):
            await _begin(attempt, f, h)
        case Think(attempt):
            await _think(attempt, f, h)
        case CreateBranch(attempt, undo):
            if await fixer.create_branch(h.forge, h.eyes.policies, f, _attempt(f, attempt), undo=undo):
                h.say(f, "fixer", Phase.ACT, "committed the undo on a branch" if undo else "committed the fix on a branch")
        case OpenPull(attempt, undo):
            pull, opened = await fixer.open_pull(h.forge, h.eyes.policies, h.links, f, _attempt(f, attempt), undo=undo)
            if opened:
                h.say(f, "fixer", Phase.ACT, f"opened pull request #{pull.number}", pull=str(pull.number))
        case Judge(attempt, pull_number):
            await _judge(pull_number, _attempt(f, attempt), f, h)
        case RerunGate(run_id, pull_number):
            await h.forge.rerun(run_id)
            h.say(f, "guardrail", Phase.DECIDE, f"#{pull_number} was approved: the guardrail judges it again")
        case Merge():
            await _merge(step, f, h)
        case _:
            await _conclude(step, f, h)


async def _conclude(step: Step, f: Facts, h: Hands) -> None:
    """The steps that end something."""
    number = _number(f)
    match step:
        case ClosePull(pull, why):
            notice = NoticeRecord("closing", pull)
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull, notice, texts.closing_pull(why))
            await h.forge.update_pull(pull, state="closed")
        case Note(topic, pull):
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull, NoticeRecord(topic, pull), texts.healthy_before_merge())
            h.say(f, "verifier", Phase.VERIFY, f"healthy again before the merge: #{pull} waits for a person")
        case Conclude(attempt, outcome, reason, undo):
            await _outcome(_attempt(f, attempt), outcome, reason, undo, f, h)
        case Escalate(attempt, call):
            record = EscalationRecord(attempt, call)
            text = texts.escalation(f, call, h.links)
            await h.forge.add_labels(number, [NEEDS_HUMAN_LABEL])
            await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, text)
            h.say(f, "human", Phase.DECIDE, f"calling a person: {texts.CALLS[call]}")
        case CloseIssue(why):
            if why != "healed":
                text = texts.gone(f)
                await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, NoticeRecord("closing"), text)
            await refresh_status(f, h, closing=True)
            await h.forge.update_issue(number, state="closed", reason="completed")
            h.say(f, "loop", Phase.VERIFY, f"#{number} is closed: {'healed' if why == 'healed' else 'healthy again without us'}")
        case Learn(issue):
            await h.forge.dispatch(CURATOR_WORKFLOW, ref=f.default_branch, inputs={"issue": str(issue)})
            h.say(f, "curator", Phase.LEARN, f"#{issue} has no post-mortem yet: starting the curator")


async def refresh_status(f: Facts, h: Hands, *, closing: bool = False) -> None:
    """The one sticky comment, edited when what it says has changed."""
    if f.issue is None or (f.issue.state == "closed" and not closing):
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
    evidence = h.eyes.telemetry.evidence(f.signal, f.now_s)
    record = IncidentRecord(f.fingerprint, f.signal, evidence)
    title = texts.issue_title(f.signal)
    body = texts.issue_body(f.signal, evidence, h.eyes.policies, h.links)
    number = await ensure_issue(h.forge, h.eyes.keyring, h.eyes.bot, record, title, body)
    h.sink.say(Event(h.clock.now(), "scout", Phase.OBSERVE, str(number), f"opened issue #{number}: {title}"))


async def _begin(attempt: int, f: Facts, h: Hands) -> None:
    """The record comes before the thought: a crash or a dead model counts too."""
    number = _number(f)
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
    case = await gather(h.forge, h.eyes.policies, f.incident, evidence)
    past = await h.chronicle.past(h.forge)
    answer = cag.answer(case, past, h.eyes.policies)
    if answer is not None:
        record = DiagnosisRecord(attempt, answer, case.base_sha)
        h.say(f, "cag", Phase.ORIENT, f"I know this one: {answer.cause}", confidence=f"{answer.confidence:.3f}")
        text = texts.diagnosis(record, case.evidence, h.eyes.policies, h.links)
        await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, text)
        return
    h.say(f, "cag", Phase.ORIENT, f"none of {len(past)} remembered incidents fits: Brain has to think")
    await h.forge.dispatch(DIAGNOSE_WORKFLOW, ref=f.default_branch, inputs={"issue": str(number), "attempt": str(attempt)})


async def _judge(pull_number: int, attempt: Attempt, f: Facts, h: Hands) -> None:
    facts = attempt.undo if attempt.undo and attempt.undo.pull.number == pull_number else attempt.pull
    run = facts.gate_run if facts else None
    policies = await base_policies(h.forge)
    verdict = await guardrail.gate(h.forge, policies, h.eyes.keyring, pull_number, h.sink, bot=h.eyes.bot, now_s=h.clock.now())
    if not isinstance(verdict, Verdict):
        raise Conflict(f"#{pull_number} is not ours any more: look again")
    record = VerdictRecord(pull_number, verdict, run.id if run else 0, run.attempt if run else 0)
    text = texts.verdict(record, run, h.links)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, pull_number, record, text)


async def base_policies(forge: Forge) -> Policies:
    """The policies of the default branch's head: never a pull request's own."""
    head = (await forge.branch_sha(await forge.default_branch())) or ""
    names = ("slo", "services", "known", "autonomy", "confidence", "guardrail")
    found = {f"policies/{name}.yaml": await forge.read_file(f"policies/{name}.yaml", head) for name in names}
    return load_policies(found.get)


async def _merge(step: Merge, f: Facts, h: Hands) -> None:
    """Looks once more just before: a person may have said hold, or the service may be well, since the facts were read."""
    issue = await h.forge.issue(_number(f))
    pull = await h.forge.pull(step.pull)
    signal = f.incident.signal if f.incident else None
    health = h.eyes.telemetry.health(signal.service, signal.operation, h.clock.now())[0] if signal else Health.UNKNOWN
    approved = any(p and p.approval and p.approval.verb == "approve" for a in f.attempts for p in (a.pull, a.undo))
    if HOLD_LABEL in (*issue.labels, *pull.labels) or issue.state != "open":
        raise Conflict("on hold, or closed: look again")
    if health is Health.UNKNOWN or (health is Health.HEALTHY and not approved):
        raise Conflict("not unhealthy any more: look again")
    sha = await h.forge.merge(step.pull, sha=step.sha, title=texts.merge_title(pull), message=texts.merge_message(f, step.undo))
    h.say(f, "fixer", Phase.ACT, f"merged #{step.pull} as {sha[:7]}", commit=sha)


async def _outcome(attempt: Attempt, outcome: OutcomeKind, reason: str, undo: bool, f: Facts, h: Hands) -> None:
    p = attempt.undo if undo else attempt.pull
    after = p.verified[2] if p and p.verified else None
    record = OutcomeRecord(attempt.number, outcome, reason, f.now_s, p.serving_s if p else None, after, undo)
    h.say(f, "verifier", Phase.VERIFY, f"attempt {attempt.number}{' (undo)' if undo else ''}: {outcome}, {reason}", outcome=str(outcome))
    number = _number(f)
    await ensure_comment(h.forge, h.eyes.keyring, h.eyes.bot, number, record, texts.outcome(record, f, h.eyes.policies, h.links))
