"""The simulated service and its telemetry: what it answers with, since when, and how well; and the platform that deploys it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.agents.verifier import is_bad
from bot.evidence import EdgeStat, Evidence, ServiceCall, SpanView, TraceView
from bot.local.memory import Hub
from bot.model import Health, Measurement, Objective, Signal
from bot.telemetry.watch import breach
from tests.sim.repository import has_bug, is_bounded

RATE_PER_S = 5.0
TRICKLE = 0.003
BEFORE_S = 600.0
SERVED = ("marketplace-web", "quote-engine", "carrier-gateway")


@dataclass
class Segment:
    """From `start_s` until the next one: which commit answers, which shares of requests fail and hang, whether anybody asks."""

    start_s: float
    commit: str
    failing: float
    slow: float
    traffic: float = 1.0  # share of the usual requests that telemetry hears of


@dataclass
class Service:
    """The truth. `hanging` is the carrier that does not answer, "" for none."""

    hub: Hub
    objective: Objective
    commit: str
    started_s: float
    hanging: str = ""
    trickles: bool = False  # hardly anybody asks
    heard: bool = True  # False: telemetry does not arrive (the service may be fine or not)
    segments: list[Segment] = field(default_factory=list)

    def spoilt(self) -> tuple[float, float]:
        """Shares of the requests that fail and that hang. What fails does not get so far as to hang."""
        tree = self.hub.git.commits[self.commit].tree
        fails, hangs = has_bug(tree), bool(self.hanging and not is_bounded(tree, self.hanging))
        return float(fails), float(hangs and not fails)

    def changed(self, now_s: float) -> None:
        """To be called after any change: begins a new segment when something is different."""
        seen = (TRICKLE if self.trickles else 1.0) if self.heard else 0.0
        segment = Segment(now_s, self.commit, *self.spoilt(), seen)
        if not self.segments or replace(self.segments[-1], start_s=now_s) != segment:
            self.segments.append(segment)

    def deploy(self, commit: str, now_s: float) -> None:
        self.commit = commit
        self.changed(now_s)

    # --- telemetry, as Scout would see it

    def measure_window(self, start_s: float, end_s: float) -> Measurement:
        requests = failing = hanging = 0.0
        until_s = end_s
        for segment in reversed(self.segments):
            if until_s <= start_s:
                break
            overlap_s = max(0.0, min(end_s, until_s) - max(start_s, segment.start_s))
            heard = overlap_s * RATE_PER_S * segment.traffic
            requests += heard
            failing += heard * segment.failing
            hanging += heard * segment.slow
            until_s = segment.start_s
        count, errors, slow = int(requests), int(failing), int(hanging)
        p99_ms = None if not count else 6000.0 if slow else 300.0
        return Measurement(start_s, end_s, count, errors, slow, 200.0 if count else None, p99_ms)

    def health_at(self, now_s: float) -> Health:
        m = self.measure_window(now_s - self.objective.window_s, now_s)
        if m.requests < self.objective.min_requests:
            return Health.UNKNOWN
        return Health.UNHEALTHY if is_bad(m, self.objective) else Health.HEALTHY

    def signal_at(self, now_s: float) -> Signal | None:
        now = self.measure_window(now_s - self.objective.window_s, now_s)
        kind = breach(now, self.objective)
        if kind is None or now.requests < self.objective.min_requests:
            return None
        first_s = self._first_bad_s(now_s)
        before = self.measure_window(max(first_s - BEFORE_S, self.started_s), first_s)
        return Signal(kind, self.objective, before, now, first_s, now_s)

    def _first_bad_s(self, now_s: float) -> float:
        """Of the stretch that reaches into the present; gaps in telemetry don't end it."""
        first_s, found = now_s, False
        for segment in reversed(self.segments):
            if segment.traffic and (segment.failing or segment.slow):
                first_s, found = segment.start_s, True
            elif segment.traffic and found:
                break
        return first_s

    def evidence_at(self, now_s: float) -> Evidence:
        """For a carrier that hangs what the real localisation needs; for a bad commit nothing that it could blame."""
        if not self.hanging:
            return Evidence(now_s)
        edges = [_edge(1, "marketplace-web", "quote-engine", 260, 6000), _edge(2, "quote-engine", "carrier-gateway", 240, 6000)]
        carriers = ("carrier-alder", "carrier-birch", "carrier-cedar")
        edges += [_edge(3 + i, "carrier-gateway", name, 200, 6000 if name == self.hanging else 210) for i, name in enumerate(carriers)]
        spans = (_span("s1", "marketplace-web", "server", ""), _span("s2", "carrier-gateway", "client", self.hanging))
        return Evidence(now_s, (TraceView("t1", True, now_s - 5, spans),), tuple(edges))


def _edge(n: int, caller: str, peer: str, before_ms: float, now_ms: float) -> EdgeStat:
    return EdgeStat(f"e{n}", caller, "POST /quotes", peer, 200, before_ms, before_ms, 0, 40, now_ms, now_ms, 0)


def _span(name: str, service: str, kind: str, peer: str) -> SpanView:
    return SpanView(name, service, "POST /quotes", "client" if kind == "client" else "server", None, 0, 6000, False, None, "", peer, "")


class SimTelemetry:
    """Satisfies `bot.ports.Telemetry` for one process, and remembers what it last said about health, and when."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.said = Health.UNKNOWN
        self.said_at_call = -1
        self.calls = 0  # to GitHub, counted by the process's forge

    def signals(self, now_s: float) -> Sequence[Signal]:
        found = self._service.signal_at(now_s)
        return (found,) if found else ()

    def health(self, service: str, operation: str, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        objective = self._service.objective
        self.said, self.said_at_call = self._service.health_at(now_s), self.calls
        return self.said, self._service.measure_window(now_s - objective.window_s, now_s)

    def measure(self, service: str, operation: str, start_s: float, end_s: float, incident: Signal | None = None) -> Measurement | None:
        return self._service.measure_window(start_s, end_s)

    def serving(self, service: str, now_s: float) -> tuple[str, float] | None:
        """Heard of within the last minute, by the newest commit that answered."""
        s = self._service
        heard = [x for x in s.segments if x.traffic]
        if not heard:
            return None
        newest = heard[-1]
        if newest is not s.segments[-1] and now_s - s.segments[s.segments.index(newest) + 1].start_s > 60:
            return None
        since_s = newest.start_s
        for segment in reversed(s.segments[: s.segments.index(newest)]):
            if segment.traffic and segment.commit != newest.commit:
                break
            if segment.traffic:
                since_s = segment.start_s
        return newest.commit, since_s

    def evidence(self, signal: Signal, now_s: float) -> Evidence:
        return self._service.evidence_at(now_s)

    def service_calls(self, since_s: float, now_s: float) -> Sequence[ServiceCall]:
        return ()
