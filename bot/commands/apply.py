"""`sre-space apply`: takes a diagnosis from a job that could only read; checks and records it, commits its fix, opens the pull request."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.blind import NoTelemetry
from bot.codec import from_json, to_json
from bot.commands.job import open_job, read_incident, run_job
from bot.decide import CreateBranch, OpenPull, decide
from bot.ensure import ensure_comment
from bot.errors import Conflict, Refused
from bot.journal import DiagnosisRecord
from bot.observe import observe
from bot.perform import Hands, perform
from bot.texts import diagnosis as diagnosis_text
from bot.wiring import build_hands

DIAGNOSIS_LIMIT_BYTES = 24_000  # sealed beside its text it must fit into one comment
STEPS = 10


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space apply", description=__doc__)
    parser.add_argument("--issue", type=int, required=True, help="the incident's issue")
    parser.add_argument("--attempt", type=int, required=True, help="the attempt that the diagnosis belongs to")
    parser.add_argument("--diagnosis", type=Path, required=True, help="what `sre-space diagnose` wrote")
    options = parser.parse_args(argv)
    return run_job(lambda: _apply(options.issue, options.attempt, options.diagnosis, env))


async def _apply(number: int, attempt: int, file: Path, env: Mapping[str, str]) -> int:
    record = read_diagnosis(file, attempt)
    async with open_job(env, number) as job:
        side = job.side
        recorded = await read_incident(side, number)
        text = diagnosis_text(record, recorded.evidence(attempt), job.policies, side.links)
        await ensure_comment(side.forge, side.keyring, side.bot, number, record, text)
        await propose(recorded.incident.fingerprint, build_hands(side, job.policies, NoTelemetry(), job.sink))
    return 0


def read_diagnosis(file: Path, attempt: int) -> DiagnosisRecord:
    """Raises Refused when it is too large, not of the expected form, of another attempt, or cannot be written down."""
    try:
        with file.open("rb") as content:
            raw = content.read(DIAGNOSIS_LIMIT_BYTES + 1)
        if len(raw) > DIAGNOSIS_LIMIT_BYTES:
            raise Refused(f"{file}: larger than {DIAGNOSIS_LIMIT_BYTES} bytes")
        record = from_json(DiagnosisRecord, json.loads(raw))
        json.dumps(to_json(record), ensure_ascii=False, allow_nan=False).encode()  # not a number, half a surrogate pair: ValueError
    except (OSError, ValueError, RecursionError) as problem:
        raise Refused(f"{file} is not a diagnosis: {problem}") from problem
    if record.attempt != attempt:
        raise Refused(f"{file} is the diagnosis of attempt {record.attempt}, not {attempt}")
    if not 0.0 <= record.diagnosis.confidence <= 1.0:
        raise Refused(f"{file}: confidence {record.diagnosis.confidence} is not between 0 and 1")
    return record


async def propose(fingerprint: str, hands: Hands) -> None:
    """The same steps as the loop's, as far as they make a branch and a pull request; whatever else is to be done is the loop's."""
    for _ in range(STEPS):
        facts = await observe(hands.eyes, fingerprint, hands.clock.now())
        step = decide(facts, hands.eyes.policies.autonomy)
        if not isinstance(step, CreateBranch | OpenPull):
            return
        try:
            await perform(step, facts, hands)
        except Conflict:
            await hands.clock.sleep(0.2)
