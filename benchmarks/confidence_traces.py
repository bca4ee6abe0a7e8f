"""The exemplar traces of a made-up incident, as many and as incomplete as Scout hands them over: three bad ones, two ordinary ones.

An ordinary request takes about half of the 99th percentile everywhere. A bad one is bad for its cause, and slower elsewhere too: it was
chosen for being slow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Literal

from bot.evidence import SpanView, TraceView
from bot.telemetry.limits import BAD_TRACES, NORMAL_TRACES

if TYPE_CHECKING:
    from benchmarks.confidence_world import World

NO_ORDINARY = 0.15  # of the incidents: the evidence had no room for them, or they are gone
SPAN_LOST = 0.1  # of the traces: a service's spans did not arrive
GAP_MS = 1.0  # between a caller's and a callee's side of a call


@dataclass
class _Drawing:
    """One trace while it is drawn; `number` counts spans over all traces."""

    rng: Random
    world: World
    alone_ms: dict[str, float]
    noise: float
    bad: bool
    number: int
    spans: list[SpanView] = field(default_factory=list)

    def own_ms(self, place: str) -> float:
        usual = self.rng.uniform(0.5, 1.0) if self.bad else 0.5
        times = self.world.slow.get(place, 1.0) if self.bad and place not in self.world.steps else 1.0
        return self.alone_ms[place] * usual * times * self.rng.uniform(1 - self.noise, 1 + self.noise)

    def add(
        self,
        service: str,
        kind: Literal["server", "client", "internal"],
        parent: str | None,
        at_ms: float,
        name: str = "GET /",
        peer: str = "",
    ) -> int:
        """The place of the span, whose duration is not known yet."""
        self.number += 1
        failing = self.bad and kind == "client" and self.rng.random() < self.world.failing.get((service, peer), 0.0)
        status = 500 if failing else 200
        self.spans.append(SpanView(f"s{self.number}", service, name, kind, parent, round(at_ms, 1), 0.0, failing, status, "", peer, ""))
        return len(self.spans) - 1

    def end(self, place: int, at_ms: float) -> None:
        span = self.spans[place]
        self.spans[place] = replace(span, duration_ms=round(at_ms - span.offset_ms, 1))

    def serve(self, service: str, parent: str | None, at_ms: float) -> float:
        """A service does its own work in named steps where it has any, then asks whom it asks, one after the other. When it is done."""
        place = self.add(service, "server", parent, at_ms)
        me, now_ms = self.spans[place].id, at_ms
        steps = self.world.steps.get(service, ())
        for name, share in steps:
            step = self.add(service, "internal", me, now_ms, name)
            now_ms += (
                self.alone_ms[service] * share * (self.world.slow_step.get(name, 1.0) if self.bad else 1.0) * self.rng.uniform(0.4, 1.0)
            )
            self.end(step, now_ms)
        now_ms += self.own_ms(service) * (0.2 if steps else 1.0)
        for callee in [peer for caller, peer in self.world.edges() if caller == service]:
            for _ in range(self.world.times_asked((service, callee)) if self.bad else 1):
                call = self.add(service, "client", me, now_ms, peer=callee)
                if callee in self.world.chain:
                    now_ms = self.serve(callee, self.spans[call].id, now_ms + GAP_MS / 2) + GAP_MS / 2
                else:
                    now_ms += self.own_ms(callee)
                self.end(call, now_ms)
        self.end(place, now_ms)
        return now_ms


def exemplars(world: World, alone_ms: dict[str, float], noise: float) -> tuple[TraceView, ...]:
    """Bad ones first. `alone_ms`: what each place takes by itself, at its usual 99th percentile."""
    rng = Random(f"traces of {world.first_bad_s}")
    traces, number = [], 0
    ordinary = 0 if rng.random() < NO_ORDINARY else NORMAL_TRACES
    for i in range(1, BAD_TRACES + ordinary + 1):
        bad = i <= BAD_TRACES
        drawing = _Drawing(rng, world, alone_ms, noise, bad, number)
        drawing.serve(world.chain[0], None, 0.0)
        number = drawing.number
        lost = rng.choice(world.chain[1:]) if rng.random() < SPAN_LOST else ""
        kept = tuple(span for span in drawing.spans if span.service != lost)
        start_s = world.first_bad_s + i if bad else world.first_bad_s - 60 * i
        traces.append(TraceView(f"t{i}", bad, start_s, kept))
    return tuple(traces)
