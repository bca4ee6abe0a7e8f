"""Brain, tier 2: works out the cause of one incident with the LangGraph engine. Reads the case, writes nothing, says what it thinks."""

from __future__ import annotations

import asyncio
import os

from bot.diagnosis.case import Case
from bot.diagnosis.graph import Thinking, build
from bot.model import Diagnosis, Event, Phase
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink, Reasoner, Recall

MODEL_CALLS = 2  # a day's outage must not become a day's bill


async def think(
    case: Case,
    *,
    reasoner: Reasoner,
    memory: Recall,
    policies: Policies,
    say: EventSink,
    clock: Clock,
    model_calls: int = MODEL_CALLS,
) -> Diagnosis:
    """One diagnosis. A reasoner that fails (Retry, Refused) is replaced by the evidence reasoner, said aloud and noted in the diagnosis.

    The graph runs in a worker thread, because reasoner and memory block; events are handed over in this thread's event loop. Raises what
    the memory raises.
    """
    os.environ["LANGSMITH_TRACING"] = "false"  # evidence goes to the model that was configured and nowhere else
    loop = asyncio.get_running_loop()

    def speak(agent: str, text: str) -> None:
        event = Event(clock.now(), agent, Phase.ORIENT, case.incident.fingerprint, text)
        loop.call_soon_threadsafe(say.say, event)

    graph = build(Thinking(reasoner, memory, policies, speak, model_calls))
    state = await asyncio.to_thread(graph.invoke, {"case": case})
    await asyncio.sleep(0)  # lets the last events out before the answer
    diagnosis: Diagnosis = state["diagnosis"]
    return diagnosis
