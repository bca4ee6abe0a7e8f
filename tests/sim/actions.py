"""Simulated Actions: the guardrail judges with the real gate, a diagnosis applies what it found like the real job, a curator learns."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.agents.guardrail import gate
from bot.agents.lessons import last_outcome
from bot.blind import NoTelemetry
from bot.chronicle import Chronicle
from bot.commands.apply import propose
from bot.commands.curate import learn
from bot.commands.job import Recorded
from bot.diagnosis.case import gather
from bot.ensure import ensure_comment, incident_of, read_entries
from bot.errors import Refused, Retry
from bot.forge import Issue, Pull, WorkflowRun
from bot.journal import DiagnosisRecord, PostMortemRecord
from bot.local.memory import Hub, MemoryForge
from bot.model import Decision, Event, Verdict
from bot.names import CURATOR_WORKFLOW, DIAGNOSE_WORKFLOW, GUARDRAIL_WORKFLOW, curator_title
from bot.observe import Eyes
from bot.perform import Hands
from bot.texts import Links, diagnosis, post_mortem
from tests.sim.checker import Checker
from tests.sim.doctor import think
from tests.sim.forge import rough_forge
from tests.sim.scheduler import Scheduler, drive
from tests.sim.service import SimTelemetry
from tests.sim.world import KEYRING, POLICIES, World

LINKS = Links("https://github.example", "acme/shop")
_JUDGED_ON = ("opened", "synchronize", "reopened", "labeled", "unlabeled")


class Silent:
    """Satisfies `bot.ports.EventSink`."""

    def say(self, event: Event) -> None:
        return


@dataclass
class SimActions:
    """Satisfies `bot.local.memory.Workers`."""

    world: World
    scheduler: Scheduler
    checker: Checker
    _broken: set[int] = field(default_factory=set)

    def pull_changed(self, hub: Hub, pull: Pull, action: str) -> None:
        if pull.state != "open" or action not in _JUDGED_ON or not pull.branch.startswith("sre/"):
            return
        for run in hub.runs_of(hub.tables, GUARDRAIL_WORKFLOW):
            if run.title == f"#{pull.number}" and run.status != "completed":
                hub.set_run(run.id, "completed", "cancelled")
        if self.world.hit("the guardrail never runs", 0.04):
            return
        self._judge(hub, hub.add_run(GUARDRAIL_WORKFLOW, f"#{pull.number}", "pull_request_target", pull.head_sha), pull.number)

    def rerun(self, hub: Hub, run: WorkflowRun) -> None:
        if run.path.endswith(GUARDRAIL_WORKFLOW):
            self._judge(hub, run, int(run.title[1:]))

    def _judge(self, hub: Hub, run: WorkflowRun, number: int) -> None:
        delay_s = 60 + self.world.rng.random() * 400 if self.world.hit("the guardrail is late", 0.1) else 2 + self.world.rng.random() * 20
        self.world.later(delay_s, "guardrail", lambda: self._conclude(hub, run, number))

    def _conclude(self, hub: Hub, run: WorkflowRun, number: int) -> None:
        now = hub.tables.runs[run.id]
        if now.status == "completed" or now.attempt != run.attempt:
            return
        if run.id in self._broken or self.world.hit("the check is red", 0.06):
            if self.world.rng.random() < 0.8:
                self._broken.add(run.id)  # and red again when it is run again
            hub.set_run(run.id, "completed", "failure")
            return
        if self.world.hit("the check is green, whatever it should say", 0.06):
            hub.set_run(run.id, "completed", "success")
            return
        forge = MemoryForge(hub, self.world.bot)
        try:
            verdict = drive(gate(forge, POLICIES, KEYRING, number, Silent(), bot=self.world.bot, now_s=self.world.clock.now_s))
        except (Retry, Refused):
            hub.set_run(run.id, "completed", "failure")
            return
        green = not isinstance(verdict, Verdict) or verdict.decision is Decision.ALLOW
        hub.set_run(run.id, "completed", "success" if green else "failure")
        self.world.tell("guardrail", f"#{number} {run.head_sha[:7]} {'green' if green else 'red'}")

    def dispatched(self, hub: Hub, run: WorkflowRun, inputs: Mapping[str, str]) -> None:
        number = int(inputs["issue"])
        if run.path.endswith(DIAGNOSE_WORKFLOW):
            attempt = int(inputs["attempt"])
            if not self.world.hit("a diagnosis never answers", 0.08):
                self._start(hub, run, self._diagnose(number, attempt, f"diagnose-{run.id}"), 5 + self.world.rng.random() * 60)
        elif run.path.endswith(CURATOR_WORKFLOW):
            self._start(hub, run, self._curate(number, f"curate-{run.id}"), 5 + self.world.rng.random() * 20)

    def issue_closed(self, hub: Hub, issue: Issue) -> None:
        if self.world.hit("the curator's webhook is lost", 0.2):
            return
        run = hub.add_run(CURATOR_WORKFLOW, curator_title(issue.number), "issues", hub.git.branches["main"])
        self._start(hub, run, self._curate(issue.number, f"curate-{run.id}"), 5 + self.world.rng.random() * 20)

    def _start(self, hub: Hub, run: WorkflowRun, job: Coroutine[Any, Any, None], delay_s: float) -> None:
        def ended(conclusion: str) -> None:
            hub.set_run(run.id, "completed", conclusion)

        def begin() -> None:
            hub.set_run(run.id, "in_progress")
            self.scheduler.spawn(f"run-{run.id}", job, ended)

        self.world.later(delay_s, "run", begin)

    # --- the jobs

    def _hands(self, name: str) -> Hands:
        forge = rough_forge(self.world, name, SimTelemetry(self.world.service), self.checker)
        bot = self.world.bot
        eyes = Eyes(forge, NoTelemetry(), KEYRING, POLICIES, bot)
        return Hands(eyes, forge, self.world.clock, Silent(), Chronicle(KEYRING, bot), LINKS)

    async def _recorded(self, hands: Hands, number: int) -> Recorded:
        issue = await hands.forge.issue(number)
        incident = incident_of(issue, KEYRING, self.world.bot)
        if incident is None:
            raise Refused(f"#{number} is no incident")
        return Recorded(issue, incident, await read_entries(hands.forge, KEYRING, number, self.world.bot))

    async def _diagnose(self, number: int, attempt: int, name: str) -> None:
        hands = self._hands(name)
        recorded = await self._recorded(hands, number)
        evidence = recorded.evidence(attempt)
        case = await gather(hands.forge, POLICIES, recorded.incident, evidence)
        record = DiagnosisRecord(attempt, think(self.world, case), case.base_sha)
        await ensure_comment(hands.forge, KEYRING, self.world.bot, number, record, diagnosis(record, evidence, POLICIES, LINKS))
        await propose(recorded.incident.fingerprint, hands)

    async def _curate(self, number: int, name: str) -> None:
        hands = self._hands(name)
        recorded = await self._recorded(hands, number)
        lesson = learn(recorded, {}) if recorded.issue.state == "closed" else None
        if lesson is None:
            return
        text = post_mortem(lesson, recorded.incident, last_outcome([e.record for e in recorded.entries]), LINKS)
        await ensure_comment(hands.forge, KEYRING, self.world.bot, number, PostMortemRecord(lesson), text)
