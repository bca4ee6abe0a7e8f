"""`sre-space diagnose --issue N --attempt M --out FILE`: Brain thinks one attempt through and writes what it found. Reads only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from bot.agents.brain import think
from bot.chronicle import Chronicle
from bot.codec import to_json
from bot.commands.job import open_job, read_incident
from bot.diagnosis.case import gather, tried_suspects
from bot.journal import DiagnosisRecord
from bot.model import Event, Phase
from bot.wiring_think import build_memory, build_reasoner


def diagnose_attempt(issue: int, attempt: int, out: Path, env: Mapping[str, str]) -> int:
    record = asyncio.run(_diagnose(issue, attempt, env))
    out.write_text(json.dumps(to_json(record), indent=1), encoding="utf-8")
    return 0


async def _diagnose(number: int, attempt: int, env: Mapping[str, str]) -> DiagnosisRecord:
    async with open_job(env, number) as job:
        side = job.side
        recorded = await read_incident(side, number)
        evidence = recorded.evidence(attempt)
        job.sink.say(Event(side.clock.now(), "brain", Phase.ORIENT, str(number), f"reading the evidence of #{number}, attempt {attempt}"))
        tried = tried_suspects(entry.record for entry in recorded.entries)
        case = await gather(side.forge, job.policies, recorded.incident, evidence, tried)
        memory = build_memory(job.settings)
        past = await Chronicle(side.keyring, side.bot).past(side.forge)
        memory.sync(past)
        diagnosis = await think(
            case,
            reasoner=build_reasoner(job.settings),
            memory=memory,
            policies=job.policies,
            say=job.sink,
            clock=side.clock,
            reader=side.forge,
        )
        return DiagnosisRecord(attempt, diagnosis, case.base_sha, side.clock.now())
