"""Spans of one trace that come late, apart from each other and in reverse: nothing hangs because of it, and a fault is found."""

from __future__ import annotations

import heapq
import random

from bot.model import Health, SignalKind
from bot.telemetry.span import Span
from bot.telemetry.watch import Watch
from bot.telemetry.windows import Request
from tests.telemetry.world import BUY, FRONT, T0, Faults, System, new_scout, objective, play, root_spans

LATE_S = 4.0


def shuffled(system: System, seed: int) -> None:
    """Each span comes up to LATE_S later than it would, the spans of a trace from the outermost to the innermost."""
    rng = random.Random(seed)
    traces: dict[bytes, list[tuple[float, Span]]] = {}
    for at_s, _, span in system.arrivals:
        traces.setdefault(span.trace_id, []).append((at_s, span))
    system.arrivals = []
    for spans in traces.values():
        last_s = max(at_s for at_s, _ in spans)
        moments = sorted(last_s + rng.uniform(0.0, LATE_S) for _ in spans)
        for at_s, (_, span) in zip(moments, sorted(spans, key=lambda item: item[1].start_s), strict=True):
            heapq.heappush(system.arrivals, (at_s, int.from_bytes(span.span_id, "big"), span))


def test_health_looks_the_same_when_spans_come_late_and_reversed() -> None:
    system = System(random.Random(21))
    system.traffic(T0, T0 + 60, buys_per_s=4.0, browses_per_s=1.0)
    shuffled(system, 5)
    scout, heard = new_scout()
    assert play(system, scout, T0, T0 + 58) == []
    assert heard.texts == []
    found, now = scout.health(FRONT, BUY, T0 + 58)
    assert found is Health.HEALTHY and now is not None and now.slow == 0


def test_a_fault_is_found_when_its_spans_come_late_and_reversed() -> None:
    system = System(random.Random(22))
    system.traffic(T0, T0 + 40, buys_per_s=4.0, browses_per_s=1.0)
    system.faults = Faults(fail_share=0.5)
    system.traffic(T0 + 40, T0 + 60, buys_per_s=4.0, browses_per_s=1.0)
    shuffled(system, 6)
    scout, _ = new_scout()
    (at_s, signal), *_ = play(system, scout, T0, T0 + 60)
    assert signal.kind is SignalKind.ERRORS
    assert at_s < T0 + 40 + 8 and abs(signal.first_bad_s - (T0 + 40)) < 2


def test_hanging_requests_among_sampled_traces_stand_for_all_but_a_few_of_them_prove_nothing() -> None:
    watch = Watch(objective())
    for span in root_spans([T0 + i * 0.004 for i in range(2_000)]):
        watch.observe(span, T0 + 9)
    hanging = [(T0 + 9.0, Request(T0 + 6.0, T0 + 10.0, error=False, finished=False))] * 10

    def look(hanging: list[tuple[float, Request]], sampled: float) -> tuple[Health, int]:
        view = watch.look(T0 + 10, hanging, lambda _: 0.0, None, sampled)
        return view.health, view.unfinished

    assert look(hanging[:4], 1 / 8) == (Health.HEALTHY, 4), "four could be chance, however many they stand for"
    assert look(hanging, 1.0)[0] is not Health.UNHEALTHY, "ten of two thousand"
    assert look(hanging, 1 / 8) == (Health.UNHEALTHY, 80)
