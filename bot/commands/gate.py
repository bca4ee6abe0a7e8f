"""`sre-space gate`: judges a pull request by the policies of this checkout, which in Actions is the base branch's.

Exit code: 0 allow (or not a pull request of the bot), 1 ask, 2 deny, 3 could not judge.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.agents.guardrail import gate
from bot.commands.job import open_job, run_job
from bot.errors import Refused, Retry
from bot.model import Decision
from bot.policy.case import NotOurs
from bot.policy.render import as_markdown, as_text

CODES = {Decision.ALLOW: 0, Decision.ASK: 1, Decision.DENY: 2}
COULD_NOT_JUDGE = 3
_QUEUE_REF = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,9})-[0-9a-f]{40}")


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space gate", description=__doc__)
    parser.add_argument("--pull", default="", help="the pull request's number; empty: taken from a merge queue's ref in GITHUB_REF")
    options = parser.parse_args(argv)
    number = pull_number(options.pull, env.get("GITHUB_REF", ""))
    return run_job(lambda: _gate(number, env))


def pull_number(given: str, ref: str) -> int:
    """Raises Refused when neither names a pull request."""
    if re.fullmatch(r"[1-9][0-9]{0,9}", given):
        return int(given)
    if not given and (match := _QUEUE_REF.fullmatch(ref)):
        return int(match[1])
    raise Refused("name a pull request with --pull NUMBER")


async def _gate(number: int, env: Mapping[str, str]) -> int:
    try:
        async with open_job(env) as job:
            side = job.side
            verdict = await gate(side.forge, job.policies, side.keyring, number, job.sink, bot=side.bot, now_s=side.clock.now())
    except (Retry, Refused) as problem:
        print(f"could not judge #{number}: {problem}")
        _summarise(f"**Could not judge #{number}.** {type(problem).__name__}: see the log.", env)
        return COULD_NOT_JUDGE
    if isinstance(verdict, NotOurs):
        print(verdict.text)
        _summarise(verdict.text, env)
        return 0
    print(as_text(verdict))
    _summarise(as_markdown(verdict), env)
    return CODES[verdict.decision]


def _summarise(text: str, env: Mapping[str, str]) -> None:
    if path := env.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(text + "\n")
