"""Live detection, measured on a simulated clock: how soon a fault becomes a signal, and how rarely a healthy month does.

`python -m benchmarks.detection_live [--runs N] [--months N] [--json]`. Everything is generated here, from seeds.

`detect_p95_s`: a real Scout gets real spans through `observe` as an exporter sends them, in batches every EXPORT_S seconds, and looks
when a batch brings bad requests (as the always-on process does) and every TICK_S. Twenty requests a second, of which 30 % go bad in one
of several ways after a healthy past. The time runs from the first bad span: the moment at which one ended, or, for requests that hang
and have no span, at which the first one exceeded what is promised. `detect_start_p95_s` runs from the start of the first bad request.

`false_signals_month`: see `benchmarks/detection_months.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.detection_months import healthy_month
from bot.agents.scout import Scout
from bot.model import Event, Objective
from bot.policy.load import load_directory
from bot.telemetry.span import Span

EXPORT_S = 0.2
TICK_S = 0.5
RATE_PER_S = 20.0
BAD_RATIO = 0.3
PAST_S = 300.0
LIMIT_S = 30.0  # no signal by then: missed
RUNS = 50
FAULTS = ("errors", "slow", "hang", "slow-errors", "one-region")
WEB, BACK, BUY, PRICE = "web", "back", "POST /buy", "POST /price"
OBJECTIVE = Objective(WEB, BUY, p99_ms=1_000.0, error_ratio=0.02, window_s=10.0, min_requests=15, min_bad=3)
POLICIES = Path(__file__).parents[1] / "policies"


class Silent:
    """An EventSink for which nobody listens."""

    def say(self, event: Event) -> None:
        del event


@dataclass
class SimulatedClock:
    now_s: float

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Found:
    """One run. `delay_s` is from the first bad span; None: no signal within LIMIT_S, or one before there was anything bad."""

    fault: str
    delay_s: float | None
    delay_from_start_s: float | None


def one_run(fault: str, seed: int, objective: Objective = OBJECTIVE) -> Found:
    rng = random.Random(f"{fault}/{seed}")
    start_s = 1_700_000_000.0 + rng.random()
    fault_s = start_s + PAST_S
    arrivals, bad_s, began_s = _traffic(rng, fault, start_s, fault_s)
    policies = replace(load_directory(POLICIES), objectives=(objective,))
    scout = Scout(policies, SimulatedClock(start_s), Silent())
    moments = sorted({*arrivals, *(start_s + i * TICK_S for i in range(int((PAST_S + LIMIT_S) / TICK_S)))})
    for now_s in moments:
        broken = False
        if now_s in arrivals:
            scout.observe(arrivals[now_s], now_s)
            broken = scout.glance(now_s)
        else:
            broken = bool(scout.signals(now_s))
        if broken:
            if now_s < began_s:
                return Found(fault, None, None)  # a signal before the fault is a miss
            return Found(fault, now_s - bad_s, now_s - began_s)
    return Found(fault, None, None)


def _traffic(rng: random.Random, fault: str, start_s: float, fault_s: float) -> tuple[dict[float, list[Span]], float, float]:
    """(batches by the moment of their arrival, when the first bad span was there, when the first bad request began)."""
    batches: dict[float, list[Span]] = {}
    phases = {service: rng.random() * EXPORT_S for service in (WEB, BACK)}
    bad_s = began_s = math.inf
    at_s, number = start_s, 0
    while (at_s := at_s + rng.expovariate(RATE_PER_S)) < fault_s + LIMIT_S:
        number += 1
        took_s = min(rng.lognormvariate(-1.9, 0.5), 0.9)
        region = "a" if rng.random() < BAD_RATIO else "b"
        is_bad = at_s >= fault_s and (region == "a" if fault == "one-region" else rng.random() < BAD_RATIO)
        error = is_bad and fault in ("errors", "slow-errors", "one-region")
        if is_bad and fault in ("slow", "slow-errors"):
            took_s = 1.0 + rng.lognormvariate(0.0, 0.5)
        hangs = is_bad and fault == "hang"
        entry, child = _request(number, at_s, took_s, error=error)
        if is_bad:
            began_s = min(began_s, at_s)
            bad_s = min(bad_s, at_s + OBJECTIVE.p99_ms / 1000.0 if hangs else entry.end_s)
        for span in (child,) if hangs else (child, entry):
            phase = phases[span.service]
            due_s = (math.floor((span.end_s - phase) / EXPORT_S) + 1) * EXPORT_S + phase
            batches.setdefault(due_s, []).append(span)
    return batches, bad_s, began_s


def _request(number: int, start_s: float, took_s: float, *, error: bool) -> tuple[Span, Span]:
    """An entry span and the span of the service that it calls, which answers at once."""
    entry = Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=(2 * number).to_bytes(8, "big"),
        parent_id=b"",
        service=WEB,
        name=BUY,
        operation=BUY,
        kind="server",
        start_s=start_s,
        end_s=start_s + took_s,
        status_code=500 if error else 200,
        error=error,
        error_type="500" if error else "",
        peer_service="",
        server_address="",
        server_port=None,
        exception=None,
        commit="c0ffee",
    )
    child = replace(
        entry,
        span_id=(2 * number + 1).to_bytes(8, "big"),
        parent_id=entry.span_id,
        service=BACK,
        name=PRICE,
        operation=PRICE,
        start_s=start_s + 0.001,
        end_s=start_s + min(0.05, took_s * 0.5),
        status_code=200,
        error=False,
        error_type="",
    )
    return entry, child


def detection_times(runs: int = RUNS) -> list[Found]:
    return [one_run(FAULTS[i % len(FAULTS)], i) for i in range(runs)]


def p95(values: Sequence[float | None]) -> float | None:
    """Nearest rank; None when that run was missed."""
    ordered = sorted(values, key=lambda value: math.inf if value is None else value)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def as_json(found: Sequence[Found]) -> dict[str, Any]:
    by_fault = {fault: [one.delay_s for one in found if one.fault == fault] for fault in FAULTS}
    seen = [one.delay_s for one in found if one.delay_s is not None]
    return {
        "detect_p95_s": p95([one.delay_s for one in found]),
        "detect_p50_s": statistics.median(seen) if seen else None,
        "detect_start_p95_s": p95([one.delay_from_start_s for one in found]),
        "detect_runs": len(found),
        "detect_missed": len(found) - len(seen),
        "detect_p95_s_by_fault": {fault: p95(delays) for fault, delays in by_fault.items() if delays},
    }


def figures(runs: int) -> dict[str, Any]:
    return as_json(detection_times(runs))


def months(count: int) -> dict[str, Any]:
    """`false_signals_month`: false signals in a healthy month, the mean over `count` of them."""
    detection = load_directory(POLICIES).detection
    told = [healthy_month(seed, detection) for seed in range(count)]
    return {
        "false_signals_month": round(sum(len(one.signals) for one in told) / count, 2),
        "false_signals": [f"seed {seed}: {service} {what}" for seed, one in enumerate(told) for _, service, what in one.signals],
        "months": count,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection_live", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"faults to detect (default {RUNS})")
    parser.add_argument("--months", type=int, default=1, metavar="N", help="healthy months (default 1), about five minutes each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    report = figures(options.runs) | (months(options.months) if options.months else {})  # what was not measured is not named
    print(json.dumps(report, indent=2) if options.json else "\n".join(f"{name:24} {value}" for name, value in report.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
