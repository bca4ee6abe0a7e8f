"""`sre-space audit`: Jules looks through the repository; `--propose` keeps the one proposal issue current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.agents.jules import propose, read_sources, run_audit
from bot.agents.timeouts import audit
from bot.commands.job import open_job, run_job
from bot.model import Event, Phase


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    if list(argv) != ["--propose"]:
        return run_audit(argv)
    return run_job(lambda: _propose(env))


async def _propose(env: Mapping[str, str]) -> int:
    """The whole checkout, into the one issue. Exit 0 whether or not something was found: a proposal is no failure."""
    findings = audit(read_sources([Path()]))
    async with open_job(env) as job:
        number = await propose(job.side.forge, job.side.keyring, job.side.bot, findings)
        words = f"{len(findings)} proposal(s) in #{number}" if number else "nothing to propose"
        job.sink.say(Event(job.side.clock.now(), "jules", Phase.LEARN, str(number or ""), words))
    return 0
