"""`python -m benchmarks.ingest [--json]`: what taking spans costs, beside `rotel` (an OpenTelemetry collector in Rust) on the same load.

Ratio: CPU time per span of rotel with a blackhole exporter over ours, so that more than 1 means we are cheaper. Each pair of runs is
adjacent; the median over the pairs is given. Both are pinned to one core, the load to another. A run with any answer but 200 is
rejected. Ours does all of Scout's work on every span; rotel decodes and throws away.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from bot.errors import Refused
from bot.local.ports import free_port
from bot.telemetry.native import library

SPANS_PER_RUN = 400_000
PAIRS = 5
RSS_KEYS = 2_000
RSS_REQUESTS = 21_000  # different ones: more than are remembered as repeats (limits.REPEATS)
RATE_SPANS_PER_S = 20_000
OPEN_LOOP_S = 15
WARM_REQUESTS = 200
WARM_SPANS = 20_000  # at least: the burst of detail that is kept after a start (limits.DETAIL_BURST) is over then, at every size of request
START_S = 15.0
LOAD_S = 300.0
SERVER_CORE, LOAD_CORE = 0, 1


def pinned(core: int, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, text=True, **options)
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process.pid, {core})
    return process


def ours(port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.ingest_server", str(port)]


def rotel(port: int) -> list[str]:
    found = find_spec("rotel")
    if found is None or found.origin is None:
        raise Refused("rotel is not installed: pip install rotel")
    agent = Path(found.origin).parent / "rotel-agent"
    return [
        str(agent),
        "start",
        f"--otlp-http-endpoint=127.0.0.1:{port}",
        f"--otlp-grpc-endpoint=127.0.0.1:{free_port()}",
        "--exporter=blackhole",
    ]


@contextmanager
def serving(command: list[str], port: int) -> Iterator[psutil.Process]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = pinned(SERVER_CORE, command, **quiet)
    try:
        deadline_s = time.monotonic() + START_S
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise Refused(f"{command[0]} does not answer on port {port}")
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


class Load:
    """A prepared load generator: `go` sends and returns what it printed. Raises Refused when an answer was not 200."""

    def __init__(self, port: int, **options: float) -> None:
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "benchmarks.ingest_load", "--port", str(port), *words]
        self._process = pinned(LOAD_CORE, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def go(self) -> dict[str, Any]:
        try:
            printed, _ = self._process.communicate("go\n", timeout=LOAD_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise Refused(f"the requests were not answered within {LOAD_S:.0f} s") from None
        told: dict[str, Any] = json.loads(printed)
        if set(told["statuses"]) != {"200"}:
            raise Refused(f"not only 200s came back, so the run does not count: {told['statuses']}")
        return told


def cpu_per_span_us(command: list[str], port: int, spans: int, seed: int) -> float:
    with serving(command, port) as process:
        Load(port, spans=spans, requests=max(WARM_REQUESTS, WARM_SPANS // spans), seed=seed + 10_000).go()
        load = Load(port, spans=spans, requests=SPANS_PER_RUN // spans, seed=seed)
        before = process.cpu_times()
        load.go()
        after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (SPANS_PER_RUN // spans * spans) * 1e6


def ratio(spans: int, pairs: int) -> dict[str, float]:
    found = []
    for pair in range(pairs):
        taken: dict[Callable[[int], list[str]], float] = {}
        for command in (ours, rotel) if pair % 2 == 0 else (rotel, ours):  # in turn, so that neither is always the first
            port = free_port()
            taken[command] = cpu_per_span_us(command(port), port, spans, pair)
        found.append((taken[rotel] / taken[ours], taken[ours], taken[rotel]))
    return {
        "ratio": round(statistics.median(one[0] for one in found), 2),
        "ours_us_per_span": round(statistics.median(one[1] for one in found), 3),
        "rotel_us_per_span": round(statistics.median(one[2] for one in found), 3),
    }


def rss_mib(seconds: float) -> tuple[float, float]:
    """(resident memory after `seconds` of full load, spans a second)."""
    port = free_port()
    with serving(ours(port), port) as process:
        told = Load(port, spans=100, requests=RSS_REQUESTS, keys=RSS_KEYS, seconds=seconds).go()
        return round(process.memory_info().rss / 1024 / 1024, 1), told["statuses"]["200"] * 100 / seconds


def p99_ms() -> float:
    port = free_port()
    rate = RATE_SPANS_PER_S / 100
    with serving(ours(port), port):
        Load(port, spans=100, requests=WARM_REQUESTS, seed=99).go()
        return round(float(Load(port, spans=100, requests=round(rate * OPEN_LOOP_S), rate=rate).go()["p99_ms"]), 2)


def measure(seconds: float, pairs: int) -> dict[str, Any]:
    by_size = {spans: ratio(spans, pairs) for spans in (100, 12, 1000)}
    rss, spans_per_s = rss_mib(seconds)
    return {
        "ratio_to_rotel": by_size[100]["ratio"],
        "ratio_to_rotel_12": by_size[12]["ratio"],
        "ratio_to_rotel_1000": by_size[1000]["ratio"],
        "rss_mib": rss,
        "p99_ms_at_20k": p99_ms(),
        "cpu_per_span": {str(spans): found for spans, found in by_size.items()},
        "spans_per_s_at_full_load": round(spans_per_s),
        "compiled_kernel": library.load() is not None,
        "rss_after_s": seconds,
        "pairs": pairs,
    }


def table(found: dict[str, Any]) -> str:
    rows = [
        ("CPU per span, rotel / ours, 100 spans a request", found["ratio_to_rotel"], "≥ 1.0, aim 2.0"),
        ("the same, 12 spans a request", found["ratio_to_rotel_12"], ""),
        ("the same, 1,000 spans a request", found["ratio_to_rotel_1000"], ""),
        (f"RSS after {found['rss_after_s']:.0f} s of full load, 2,000 series, MiB", found["rss_mib"], "≤ 100, aim 64"),
        ("request p99 at 20,000 spans/s, open loop, ms", found["p99_ms_at_20k"], "≤ 25, aim 8"),
        ("spans/s at full load, both processes on one core each", found["spans_per_s_at_full_load"], ""),
        ("compiled kernel", "yes" if found["compiled_kernel"] else "no", ""),
    ]
    return "\n".join(f"{what:<62} {value!s:>10}  {bar}" for what, value, bar in rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--seconds", type=float, default=60.0, help="of full load before memory is read")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of adjacent runs for each ratio")
    arguments = parser.parse_args(argv)
    try:
        found = measure(arguments.seconds, arguments.pairs)
    except Refused as problem:
        print(f"could not measure: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(found) if arguments.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
