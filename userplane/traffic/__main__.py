"""`python -m userplane.traffic --url …`: visits arrive at random (a Poisson process), whether or not earlier ones have been served."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx

from userplane.common.dependency import tls_context
from userplane.traffic.customers import Customers, draw_visit

REPORT_EVERY_S = 10.0
MAX_VISITORS = 5_000  # at the same time; a guard for this process, not a model of customers
KEEPALIVE_S = 2.0


async def generate(url: str, rps: float, patience_s: float, rng: random.Random, stop: asyncio.Event) -> Counter[tuple[str, str]]:
    """Send customers to `url`, `rps` visits a second on average, until `stop` is set; returns the counts of requests."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=KEEPALIVE_S)
    timeout, verify = httpx.Timeout(patience_s), tls_context([url])
    async with httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, verify=verify, trust_env=False) as http:
        customers = Customers(http)
        visitors: set[asyncio.Task[None]] = set()
        reporting = asyncio.create_task(report(customers))
        next_s = time.monotonic()
        while not stop.is_set():
            next_s += rng.expovariate(rps)
            if await _set_within(stop, next_s - time.monotonic()):
                break
            if len(visitors) >= MAX_VISITORS:
                customers.counts["visits", "turned away"] += 1
                continue
            visitor = asyncio.create_task(customers.visit(draw_visit(rng, patience_s)))
            visitors.add(visitor)
            visitor.add_done_callback(visitors.discard)
        for task in (reporting, *visitors):
            task.cancel()
        await asyncio.gather(reporting, *visitors, return_exceptions=True)
    return customers.counts


async def report(customers: Customers) -> None:
    """Print one line of what happened, every REPORT_EVERY_S seconds."""
    before: Counter[tuple[str, str]] = Counter()
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        print(line(customers.counts - before), flush=True)
        before = Counter(customers.counts)


def line(counts: Counter[tuple[str, str]]) -> str:
    """Counts as text: "GET / 99 ok · POST … 58 ok, 2 gave up"."""
    outcomes: dict[str, list[str]] = {}
    for (name, outcome), count in sorted(counts.items()):
        outcomes.setdefault(name, []).append(f"{count} {outcome}")
    return " · ".join(f"{name} {', '.join(parts)}" for name, parts in outcomes.items()) or "no request"


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    if seconds > 0:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
    return event.is_set()


async def run(url: str, rps: float, patience_s: float, rng: random.Random) -> None:
    """Generate traffic until SIGTERM or SIGINT, then print the sum."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print(f"customers come to {url}, {rps:g} visits a second", flush=True)
    counts = await generate(url, rps, patience_s, rng, stop)
    print(f"in all: {line(counts)}", flush=True)


def main(arguments: list[str]) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m userplane.traffic", description="Customers of the marketplace.")
    parser.add_argument("--url", required=True, help="base URL of the marketplace")
    parser.add_argument("--rps", type=float, default=10.0, help="visits a second, on average (default 10)")
    parser.add_argument("--seed", type=int, default=None, help="makes the visits the same each time")
    parser.add_argument("--patience-s", type=float, default=6.0, help="seconds that a customer waits for an answer (default 6)")
    chosen = parser.parse_args(arguments)
    if urlsplit(chosen.url).scheme not in ("http", "https") or not urlsplit(chosen.url).hostname:
        parser.error(f"--url: expected an http or https URL, found {chosen.url!r}")
    if not 0 < chosen.rps <= 1000 or not 0 < chosen.patience_s <= 300:
        parser.error("--rps must be above 0 and at most 1000, --patience-s above 0 and at most 300")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(run(chosen.url, chosen.rps, chosen.patience_s, random.Random(chosen.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
