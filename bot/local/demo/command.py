"""`sre-space demo`: the whole loop on this machine, with no keys and no internet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.adapters.clock import SystemClock
from bot.local.demo.follow import Follower
from bot.local.demo.report import Report
from bot.local.demo.save import save_run
from bot.local.demo.screen import Quiet, Screen, Terminal
from bot.local.demo.story import break_and_watch, wait_until_well
from bot.local.world import World, WorldSettings, fresh_workdir

FAULTS = ("dependency-timeout", "500")


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Exit code 0: every incident healed, remembered and blamed on the right culprit; 1: not; 130: interrupted."""
    parser = argparse.ArgumentParser(prog="sre-space demo", description=__doc__)
    parser.add_argument("--fault", choices=[*FAULTS, "none"], default=FAULTS[0], help="what to break; none: only bring everything up")
    parser.add_argument("--again", action="store_true", help="after healing, let the same kind of cause come back")
    parser.add_argument("--keep", action="store_true", help="leave everything up at the end, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--port", type=int, default=8001, help="the control plane's port, if it is free")
    parser.add_argument("--seed", type=int, help="of the dice that choose the dependency")
    parser.add_argument("--pat", action="store_true", help="let the bot write as the owner, as with a personal access token")
    parser.add_argument("--model", action="store_true", help="let Brain ask the model of OPENAI_API_KEY / OPENAI_BASE_URL")
    options = parser.parse_args(argv)
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_main(options, env))
    return 130


async def _main(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Ctrl-C, SIGTERM and a closed terminal cancel this task; the world is stopped on every way out."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: task.cancel() if task else None)
    try:
        return await _demo(options, env)
    except asyncio.CancelledError:
        print("interrupted; everything is stopped", file=sys.stderr)
        return 130


async def _demo(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    here = Path.cwd()
    model = {name: env[name] for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL") if options.model and env.get(name)}
    settings = WorldSettings(fresh_workdir(here), port=options.port, seed=options.seed, bot_is_owner=options.pat, model=model)
    screen: Screen = Quiet() if options.json else Terminal(SystemClock().now())
    screen.say("Bringing up a GitHub, an Actions runner, a Render, the Insurance Marketplace and SRE-Space, all on this machine …")
    world = World(settings)
    async with contextlib.AsyncExitStack() as stack:
        await world.start(screen.say)
        stack.push_async_callback(world.stop)
        if isinstance(screen, Terminal):
            screen.repository_url = f"{world.github.web_url}/{world.github.full_name}"
        follower = Follower(world.url, screen.thought)
        following = asyncio.create_task(follower.run())
        stack.callback(following.cancel)
        reports = await _incidents(world, options, screen)
        folder = here / ".sre" / "last-run"
        await save_run(world, reports, follower.events, folder)
        screen.report(reports, str(folder.relative_to(here)))
        if options.json:
            found = [report.as_json() for report in reports]
            print(json.dumps(found if options.again else found[0] if found else {}, indent=2))
        if options.keep or options.fault == "none":
            screen.say(f"\nEverything stays up: monitor {world.url}, marketplace {world.marketplace_url}. Ctrl-C ends it.")
            await asyncio.Event().wait()
        return 0 if all(report.well for report in reports) else 1


async def _incidents(world: World, options: argparse.Namespace, screen: Screen) -> list[Report]:
    reports: list[Report] = []
    if options.fault == "none":
        return reports
    for _ in range(2 if options.again else 1):
        screen.say("\nCustomers are at it; waiting for a healthy baseline …")
        await wait_until_well(world)
        reports.append(await break_and_watch(world, options.fault, screen))
        if not reports[-1].well:
            break
    return reports
