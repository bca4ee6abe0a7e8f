"""`sre-space memory`: what is remembered, and the index of it built anew from GitHub."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.chronicle import Chronicle
from bot.commands.job import Job, open_job, run_job
from bot.diagnosis.lookup import Table
from bot.diagnosis.trust import TrackRecord

EVERYTHING = 100_000  # incidents: more than GitHub lists


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space memory", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print the kinds of causes that CAG knows, and what their fixes have earned")
    rebuild = commands.add_parser("rebuild", help="forget the vector index and fill it from all closed incidents on GitHub")
    for one in (show, rebuild):
        one.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    return run_job(lambda: (_show if options.command == "show" else _rebuild)(env, options.json))


def _chronicle(job: Job) -> Chronicle:
    return Chronicle(job.side.keyring, job.side.bot)


async def _rebuild(env: Mapping[str, str], as_json: bool) -> int:
    from bot.wiring_think import build_memory  # only this one needs the vector memory

    async with open_job(env) as job:
        past = await _chronicle(job).past(job.side.forge, EVERYTHING)
        memory = build_memory(job.settings)
        memory.rebuild(past)
        count = memory.count()
    print(json.dumps({"incidents": count}) if as_json else f"{count} incident(s) in memory, from closed issues on GitHub")
    return 0


async def _show(env: Mapping[str, str], as_json: bool) -> int:
    async with open_job(env) as job:
        past = (await _chronicle(job).remembered(job.side.forge, EVERYTHING)).all
        rows = [_row(*one) for one in Table.of(past, job.policies.known_fixes).records()]
    if as_json:
        print(json.dumps({"fixes": rows}, indent=1))
        return 0
    for row in rows:
        used = "used" if row["would_be_used"] else "not used: it did not heal last time"
        healed = ", ".join(f"#{issue}" for issue in row["healed"]) or "approved in policies/known.yaml"
        print(f"{row['trust']:.2f}  {row['remedy']}  {row['signature']}\n      healed {healed}; failed {row['failed_times']} times; {used}")
    print(f"{len(rows)} kind(s) of causes with a remedy")
    return 0


def _row(remedy: str, signature: str, record: TrackRecord) -> dict[str, Any]:
    return {
        "signature": signature,
        "remedy": remedy,
        "trust": round(record.trust, 4),
        "healed": list(record.healed),
        "failed_times": record.failed_times,
        "would_be_used": record.healed_last,
    }
