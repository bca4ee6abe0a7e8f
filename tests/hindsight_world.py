"""Incidents over a small GitHub and the loop over them, without telemetry: what people say and do is all that happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.adapters.bus import MemoryBus
from bot.blind import NoTelemetry
from bot.chronicle import Chronicle, Remembered
from bot.commands.curate import learn
from bot.commands.job import Recorded
from bot.diagnosis.localise import localise, signature_of
from bot.ensure import INCIDENT_LABEL, incident_of, read_entries
from bot.errors import Refused
from bot.forge import Comment, Pull
from bot.journal import CommandRecord, DiagnosisRecord, PostMortemRecord, Record
from bot.local.memory import MemoryForge, make_memory_forge
from bot.local.memory.hub import Tables
from bot.loop import RECENTLY_CLOSED_S, Loop, Pace
from bot.model import OutcomeKind, PostMortem, Use, UseResult
from bot.names import CURATOR_WORKFLOW, DIAGNOSE_WORKFLOW
from bot.observe import Eyes
from bot.perform import Hands
from bot.record import Keyring
from bot.texts import Links
from tests.diagnosis import cases
from tests.telemetry.world import Heard, SimulatedClock

BOT = "sre-space[bot]"
KEYRING = Keyring(b"key", "acme/shop")
WORKFLOWS = {
    DIAGNOSE_WORKFLOW: "run-name: 'diagnose #${{ inputs.issue }} attempt ${{ inputs.attempt }}'\n",
    CURATOR_WORKFLOW: "run-name: 'curate #${{ inputs.issue }}'\n",
}
SIGNATURE = signature_of(cases.hang_case(), localise(cases.hang_case()).candidates[0])


class OddForge(MemoryForge):
    """Counts how often comments were asked for; its lists may be late, and one conversation may be locked."""

    asked = 0
    locked = 0

    async def comments(self, number: int) -> Sequence[Comment]:
        self.asked += 1
        return await super().comments(number)

    async def create_comment(self, number: int, body: str) -> Comment:
        if number == self.locked:
            raise Refused("403: the conversation is locked")
        return await super().create_comment(number, body)

    def show(self, lists: Tables | None) -> None:
        """Lists show these tables instead of the present ones; None: the present ones again."""
        self._lists = lists


@dataclass
class Room:
    """The process can be started anew, which remembers nothing of the one before it."""

    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(cases.NOW_S))
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        files = {"deploy/hub.yaml": cases.MANIFEST}
        files |= {f".github/workflows/{name}": text for name, text in WORKFLOWS.items()}
        made = make_memory_forge(files, login=BOT, permissions={"ann": "write", "rita": "read"}, clock=self.clock.now)
        self.forge = OddForge(made.hub, BOT)
        self.start()

    def start(self) -> None:
        eyes = Eyes(self.forge, NoTelemetry(), KEYRING, cases.policies(), BOT)
        chronicle = Chronicle(KEYRING, BOT)
        hands = Hands(eyes, self.forge, self.clock, self.heard, chronicle, Links("https://github.example", "acme/shop"))
        self.bus = MemoryBus()
        self.loop = Loop(hands, Pace(5.0, 5.0, 20.0), None, self.bus)

    async def sweep(self, *, later_s: float = 20.0) -> None:
        self.clock.now_s += later_s
        await self.loop.look(set(), deep=True)

    async def incident(self) -> int:
        """One more of the kind in which a depot hangs, open."""
        record = replace(cases.hang_case().incident, fingerprint=f"{len(self.forge.hub.tables.issues) + 1:012x}")
        return (await self.forge.create_issue("Orders hang", f"x\n\n{KEYRING.seal(record, None)}\n", [INCIDENT_LABEL])).number

    async def healed(self) -> int:
        """One that was healed, closed and learnt from, longer ago than the loop looks at it."""
        number = await self.incident()
        use = Use(1, SIGNATURE, "bound-dependency", UseResult.HEALED, self.clock.now_s, blamed=("depot-north",))
        lesson = replace(cases.remembered(number, SIGNATURE, OutcomeKind.HEALED), uses=(use,))
        await self.record(number, PostMortemRecord(lesson))
        await self.forge.update_issue(number, state="closed")
        self.clock.now_s += 2 * RECENTLY_CLOSED_S
        return number

    async def learn(self, number: int) -> None:
        """The curator's job, without the vector memory."""
        issue = await self.forge.issue(number)
        incident = incident_of(issue, KEYRING, BOT)
        assert incident is not None
        recorded = Recorded(issue, incident, await read_entries(self.forge, KEYRING, number, BOT))
        lesson = learn(recorded, {})
        assert lesson is not None
        await self.record(number, PostMortemRecord(lesson))

    async def record(self, number: int, record: Record) -> None:
        await self.forge.create_comment(number, f"text\n\n{KEYRING.seal(record, number)}\n")

    async def say(self, login: str, number: int, words: str) -> int:
        return (await self.forge.as_user(login).create_comment(number, words)).id

    async def answers(self, number: int) -> list[CommandRecord]:
        return [r for r in await self.records(number) if isinstance(r, CommandRecord)]

    async def diagnoses(self, number: int) -> list[DiagnosisRecord]:
        return [r for r in await self.records(number) if isinstance(r, DiagnosisRecord)]

    async def records(self, number: int) -> list[Record]:
        return [r for c in await self.forge.comments(number) if c.author == BOT for r in KEYRING.read(c.body, number)]

    async def reactions(self, comment: int) -> list[str]:
        return [one.content for one in await self.forge.reactions(comment)]

    async def pull(self) -> Pull:
        """The youngest."""
        return (await self.forge.recent_pulls())[0]

    async def remembered(self) -> Remembered:
        """As a process reads it that has read nothing before."""
        return await Chronicle(KEYRING, BOT).remembered(self.forge)

    async def lesson(self, number: int) -> PostMortem:
        return next(one for one in (await self.remembered()).lessons if one.issue == number)
