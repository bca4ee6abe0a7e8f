"""A small shop whose recorded spans are made here: `front → cart → stock`, `front → offers`; one fault at a time, from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bot.rootcause.model import Span, Window

MS = 1_000_000
CALLS = {"front": ("cart", "offers"), "cart": ("stock",), "offers": (), "stock": ()}
WORK_MS = {"front": 6.0, "cart": 9.0, "offers": 4.0, "stock": 12.0}
INCIDENT_TRACES, BASELINE_TRACES = 30, 60  # larger ones show the same
SLOWER, NETWORK_MS, FAILING = 8.0, 200.0, 0.6


@dataclass(frozen=True)
class Fault:
    service: str
    kind: str  # slow | network | errors


def window(fault: Fault | None, traces: int, seed: int) -> Window:
    """`traces` visits to the front, one a second."""
    rng = random.Random(seed)
    return Window(spans=tuple(span for n in range(traces) for span in _trace(rng, fault, n, f"{seed:08x}{n:024x}")))


def _trace(rng: random.Random, fault: Fault | None, n: int, trace_id: str) -> Iterator[Span]:
    spans: list[Span] = []
    _visit(rng, fault, "front", "", n * 1000 * MS, trace_id, spans)
    yield from spans


def _visit(rng: random.Random, fault: Fault | None, service: str, parent: str, start_ns: int, trace_id: str, spans: list[Span]) -> int:
    """Adds the server span of a visit and all below it; when it ends."""
    mine = f"{len(spans) + 1:016x}"
    place = len(spans)
    spans.append(Span(trace_id, mine, parent, service, f"{service}-0", f"GET /{service}", 2, start_ns, start_ns, False))
    work = WORK_MS[service] * rng.uniform(0.8, 1.3) * (SLOWER if fault == Fault(service, "slow") else 1.0)
    failed = fault == Fault(service, "errors") and rng.random() < FAILING
    now = start_ns + int(work * MS)
    for callee in () if failed else CALLS[service]:
        now = _call(rng, fault, service, callee, mine, now, trace_id, spans)
    below = any(span.failed for span in spans[place + 1 :])
    spans[place] = Span(trace_id, mine, parent, service, f"{service}-0", f"GET /{service}", 2, start_ns, now, failed or below)
    return now


def _call(
    rng: random.Random, fault: Fault | None, caller: str, callee: str, parent: str, start_ns: int, trace_id: str, spans: list[Span]
) -> int:
    mine, place = f"{len(spans) + 1:016x}", len(spans)
    spans.append(Span(trace_id, mine, parent, caller, f"{caller}-0", f"GET /{callee}", 3, start_ns, start_ns, False, callee))
    way = int((rng.uniform(0.2, 0.6) + (NETWORK_MS if fault == Fault(callee, "network") else 0.0)) * MS)
    end_ns = _visit(rng, fault, callee, mine, start_ns + way, trace_id, spans) + way
    failed = any(span.failed for span in spans[place + 1 :])
    spans[place] = Span(trace_id, mine, parent, caller, f"{caller}-0", f"GET /{callee}", 3, start_ns, end_ns, failed, callee)
    return end_ns
