"""Brain, tier 2: works out the cause of one incident with the LangGraph engine. Reads the case, writes nothing, says what it thinks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from bot.diagnosis.budget import Meter
from bot.diagnosis.case import SECOND_LOOK, Case, gather
from bot.diagnosis.graph import Thinking, build
from bot.diagnosis.tools import Sources
from bot.diagnosis.widen import with_earlier
from bot.forge import Commit
from bot.model import Diagnosis, Event, Phase
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink, ForgeReader, Reasoner, Recall
from bot.redact import redact

STEPS = 100  # of the graph; its own limits end it long before

T = TypeVar("T")


async def think(
    case: Case,
    *,
    reasoner: Reasoner,
    memory: Recall,
    policies: Policies,
    say: EventSink,
    clock: Clock,
    reader: ForgeReader | None = None,
) -> Diagnosis:
    """One diagnosis. A reasoner that fails (Retry, Refused) is replaced by the evidence reasoner, said aloud and noted in the diagnosis.

    `reader`: the repository, for lookups and for a second look; without it there are neither. The graph runs in a worker thread, because
    reasoner and memory block; events and what is read go through this thread's event loop.
    """
    os.environ["LANGSMITH_TRACING"] = "false"  # evidence goes to the model that was configured and nowhere else
    loop = asyncio.get_running_loop()

    def speak(agent: str, text: str) -> None:
        event = Event(clock.now(), agent, Phase.ORIENT, case.incident.fingerprint, text)
        loop.call_soon_threadsafe(say.say, event)

    def blocking(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def look_again(case: Case) -> Case:
        assert reader is not None
        evidence = with_earlier(case.evidence, case.incident.evidence)
        wider = blocking(gather(reader, policies, case.incident, evidence, case.tried, SECOND_LOOK))
        return replace(wider, base_sha=case.base_sha, recalled=case.recalled, found=case.found)

    code = None if reader is None else _Code(reader, blocking)
    thinking = Thinking(
        reasoner=reasoner,
        sources=Sources(memory, policies, redact, code),
        meter=Meter(policies.model, clock.now),
        say=speak,
        wait=lambda seconds: blocking(clock.sleep(seconds)),
        look_again=look_again if reader is not None else None,
    )
    state = await asyncio.to_thread(build(thinking).invoke, {"case": case}, {"recursion_limit": STEPS})
    await asyncio.sleep(0)  # lets the last events out before the answer
    diagnosis: Diagnosis = state["diagnosis"]
    return diagnosis


class _Code:
    """The repository for a thread that blocks."""

    def __init__(self, reader: ForgeReader, blocking: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._reader, self._blocking = reader, blocking

    def read_file(self, path: str, sha: str) -> str | None:
        text: str | None = self._blocking(self._reader.read_file(path, sha))
        return text

    def last_commit(self, path: str, sha: str) -> Commit | None:
        commits = self._blocking(self._reader.commits(branch=sha, path=path, limit=1))
        return commits[0] if commits else None
