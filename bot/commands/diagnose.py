"""`sre-space diagnose`: Brain thinks one attempt through and writes what it found into a file. Reads only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.agents.brain import think
from bot.chronicle import Chronicle
from bot.codec import to_json
from bot.commands.job import open_job, read_incident, run_job
from bot.diagnosis.case import gather
from bot.model import DiagnosisRecord, Event, Phase
from bot.wiring_think import build_memory, build_reasoner


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space diagnose", description=__doc__)
    parser.add_argument("--issue", type=int, required=True, help="the incident's issue")
    parser.add_argument("--attempt", type=int, required=True, help="an attempt that the issue records")
    parser.add_argument("--out", type=Path, required=True, help="the file for the diagnosis (JSON)")
    options = parser.parse_args(argv)
    return run_job(lambda: _diagnose(options.issue, options.attempt, options.out, env))


async def _diagnose(number: int, attempt: int, out: Path, env: Mapping[str, str]) -> int:
    async with open_job(env, number) as job:
        side = job.side
        recorded = await read_incident(side, number)
        evidence = recorded.evidence(attempt)
        job.sink.say(Event(side.clock.now(), "brain", Phase.ORIENT, str(number), f"reading the evidence of #{number}, attempt {attempt}"))
        case = await gather(side.forge, job.policies, recorded.incident, evidence)
        memory = build_memory(job.settings)
        past = await Chronicle(side.keyring, side.bot).past(side.forge)
        if memory.count() != len(past):
            memory.rebuild(past)
        diagnosis = await think(
            case, reasoner=build_reasoner(job.settings), memory=memory, policies=job.policies, say=job.sink, clock=side.clock
        )
        record = DiagnosisRecord(attempt, diagnosis, case.base_sha)
        out.write_text(json.dumps(to_json(record), indent=1), encoding="utf-8")
    return 0
