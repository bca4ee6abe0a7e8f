"""The reconcile loop: observe, decide, perform, look again; one incident at a time, at its own pace.

Events only wake it and carry nothing that is relied on; a sweep finds what was missed. Errors rise to here, where retrying is decided.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.decide import Step, Wait, decide
from bot.ensure import incidents
from bot.errors import Conflict, Refused, Retry
from bot.facts import Facts
from bot.forge import Issue
from bot.hindsight import Hindsight
from bot.journal import IncidentRecord
from bot.model import Event, Phase
from bot.names import parse_branch
from bot.observe import fingerprint_of, observe
from bot.perform import Hands, perform, refresh_status
from bot.ports import Bus
from bot.texts import notices
from bot.topics import ANOMALIES, WAKE

STEPS_A_PASS = 25  # more than any incident needs without waiting for somebody: past it, other incidents get their turn
BUG_DELAY_S = 10.0
RECENTLY_CLOSED_S = 3600.0  # how far back a sweep looks for closed incidents without a lesson

_LOGGER = logging.getLogger(__name__)

Watcher = Callable[[Facts, Step], None]
Incidents = Sequence[tuple[Issue, IncidentRecord]]


@dataclass(frozen=True)
class Pace:
    """How often to look. Waiting incidents cost GitHub calls, so the cloud looks less often than the laptop."""

    tick_s: float  # telemetry alone
    waiting_s: float  # an incident that waits for somebody
    sweep_s: float  # everything, events or not


async def reconcile(fp: str, h: Hands, watch: Watcher | None = None) -> Step:
    """Steps until the incident waits for somebody; returns the last step. Raises Retry or Refused."""
    step: Step = Wait("not looked yet")
    refused: Step | None = None
    for _ in range(STEPS_A_PASS):
        facts = await observe(h.eyes, fp, h.clock.now())
        step = decide(facts, h.eyes.policies.autonomy)
        if watch is not None:
            watch(facts, step)
        if isinstance(step, Wait):
            await refresh_status(facts, h)
            return step
        try:
            await perform(step, facts, h)
        except Conflict:
            if step == refused:
                return step  # looking again has not helped: later
            refused = step
            await h.clock.sleep(0.05)  # the world moved: look again
    return step


class Loop:
    """Decides when to look at which incident. Whoever has news says so on the bus: look at everything soon."""

    def __init__(self, hands: Hands, pace: Pace, watch: Watcher | None, bus: Bus) -> None:
        self._hands = hands
        self._pace = pace
        self._watch = watch
        self._bus = bus
        self._known: set[str] = set()
        self._retry_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._told: dict[str, str] = {}  # why what is broken got no incident of its own, as last said
        self._hindsight = Hindsight(hands.eyes, hands.forge, hands.sink)

    async def run(self) -> None:
        """Until cancelled."""
        clock = self._hands.clock
        next_sweep_s = next_look_s = 0.0
        woken: tuple[str, ...] = ()
        while True:
            now_s = clock.now()
            sweeping = bool(woken) or now_s >= next_sweep_s
            broken = self._broken(now_s)
            if sweeping or broken or now_s >= next_look_s:
                if sweeping:
                    next_sweep_s = now_s + self._pace.sweep_s
                await self.look(broken, deep=sweeping)
                next_look_s = clock.now() + self._pace.waiting_s
            woken = await self._bus.receive(WAKE, self._pace.waiting_s if broken else self._pace.tick_s)

    def _broken(self, now_s: float) -> set[str]:
        """Fingerprints of what is broken now; what has newly broken is announced to whoever listens."""
        signals = {fingerprint_of(signal): signal for signal in self._hands.eyes.telemetry.signals(now_s)}
        for fp in sorted(set(signals) - self._known):
            signal = signals[fp]
            fields = {"fingerprint": fp, "service": signal.service, "operation": signal.operation, "kind": str(signal.kind)}
            self._bus.publish(ANOMALIES, json.dumps(fields))
        self._known = set(signals)
        return self._known

    async def look(self, broken: set[str], *, deep: bool) -> None:
        """One pass over all incidents that want a look. A failing one does not stop the others."""
        self._told = {fp: why for fp, why in self._told.items() if fp in broken}
        try:
            opened, closed = await self._incidents(deep)
            proposed = await self._proposed() if deep else []
        except (Retry, Refused) as problem:
            self._complain("the sweep", problem)
            await self._hands.clock.sleep(problem.after_s if isinstance(problem, Retry) else self._pace.waiting_s)
            return
        for fp in self._wanted(broken, proposed, opened, closed):
            if self._retry_at.get(fp, 0.0) > self._hands.clock.now():
                continue
            try:
                await reconcile(fp, self._hands, self._saw)
            except (Retry, Refused) as problem:
                self._put_off(fp, problem.after_s if isinstance(problem, Retry) else self._pace.waiting_s)
                self._complain(fp, problem)
            except Exception as bug:
                _LOGGER.exception("a bug while looking at incident %s", fp)
                self._put_off(fp, BUG_DELAY_S)
                self._complain(fp, bug)
            else:
                self._failures.pop(fp, None)
                self._retry_at.pop(fp, None)
        if deep:
            await self._hear(closed)

    async def _hear(self, closed: Incidents) -> None:
        """Last, as nothing waits for it but the person who said something."""
        where = "what is said under closed incidents"
        try:
            await self._hindsight.listen(closed, self._hands.clock.now())
        except (Retry, Refused) as problem:
            self._complain(where, problem)
        except Exception as bug:
            _LOGGER.exception("a bug while looking at %s", where)
            self._complain(where, bug)

    def _saw(self, facts: Facts, step: Step) -> None:
        """Hands it on; says once why something that is broken gets no incident of its own."""
        if self._watch is not None:
            self._watch(facts, step)
        why = notices.unopened(facts) if isinstance(step, Wait) else ""
        if why and self._told.get(facts.fingerprint) != why:
            incident = facts.part_of[1:] if facts.part_of.startswith("#") else facts.fingerprint
            self._hands.sink.say(Event(self._hands.clock.now(), "scout", Phase.OBSERVE, incident, why))
            self._told[facts.fingerprint] = why

    def _put_off(self, fp: str, delay_s: float) -> None:
        failures = self._failures[fp] = self._failures.get(fp, 0) + 1
        self._retry_at[fp] = self._hands.clock.now() + delay_s * 2 ** min(failures - 1, 6)

    async def _incidents(self, deep: bool) -> tuple[Incidents, Incidents]:
        """The open ones, and for a sweep the closed ones."""
        eyes = self._hands.eyes
        opened = await incidents(eyes.forge, eyes.keyring, eyes.bot)
        return opened, await incidents(eyes.forge, eyes.keyring, eyes.bot, "closed") if deep else []

    async def _proposed(self) -> list[str]:
        """Fingerprints of incidents with a pull request that is open, however long they are closed: nobody else would close it."""
        pulls = [p for p in await self._hands.eyes.forge.recent_pulls() if p.state == "open" and p.author == self._hands.eyes.bot]
        return [branch.fingerprint for p in pulls if (branch := parse_branch(p.branch))]

    def _wanted(self, broken: set[str], proposed: Sequence[str], opened: Incidents, closed: Incidents) -> list[str]:
        young = self._hands.clock.now() - RECENTLY_CLOSED_S
        found = [record.fingerprint for _, record in opened]
        found += [record.fingerprint for issue, record in closed if (issue.closed_s or 0.0) > young]
        return list(dict.fromkeys([*found, *proposed, *sorted(broken)]))

    def _complain(self, where: str, problem: Exception) -> None:
        text = f"could not finish with {where}: {type(problem).__name__}: {problem}"
        self._hands.sink.say(Event(self._hands.clock.now(), "loop", Phase.OBSERVE, where, text))
