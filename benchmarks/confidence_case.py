"""From a world to what Brain gets: figures with noise, exemplar traces, evidence, a case."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.confidence_traces import exemplars
from benchmarks.confidence_world import World
from bot.diagnosis.case import Case
from bot.evidence import EdgeStat, Evidence
from bot.journal import IncidentRecord
from bot.model import Measurement, Objective, Signal, SignalKind


def case_of(w: World) -> Case:
    rng, now_s = w.rng, w.first_bad_s + w.rng.uniform(8, 60)
    rate = rng.choice((1.0, 4.0, 20.0))  # requests a second
    before, now = round(600 * rate), round((now_s - w.first_bad_s) * rate * w.traffic * rng.uniform(0.8, 1.2))
    now = now if w.kind is SignalKind.THROUGHPUT else max(15, now)
    noise = rng.choice((0.02, 0.1, 0.25))  # how steady this system is
    alone_ms = {place: rng.uniform(5, 300) for place in (*w.chain, *w.parties)}
    usual_ms, now_ms = takes_ms(w, alone_ms, now=False), takes_ms(w, alone_ms, now=True)
    stats = []
    for i, edge in enumerate(w.edges(), 1):
        was, took = usual_ms[edge[1]], now_ms[edge[1]] * rng.uniform(1 - noise, 1 + noise)
        calls = now * w.times_asked(edge)
        failed = sum(rng.random() < w.failing.get(edge, 0.004) for _ in range(calls))
        calm, ill = (before, was / 2, was, rng.randint(0, 2)), (calls, took / 2, took, failed)
        stats.append(EdgeStat(f"e{i}", edge[0], "GET /", edge[1], *calm, *ill))
    signal = _signal(w, now_s, (before, now), (usual_ms[w.chain[0]], now_ms[w.chain[0]]))
    by_requests = w.kind in (SignalKind.LATENCY, SignalKind.ERRORS)
    evidence = Evidence(
        now_s,
        exemplars(w, alone_ms, noise) if by_requests else (),
        tuple(stats),
        tuple(w.errors),
        tuple(w.deploys),
        logs=tuple(w.logs),
        changes=tuple(w.settings),
        bad_requests=signal.now.errors,
    )
    bounded = [f"  {name}:\n    timeout_s: 30\n    breaker:\n      enabled: false\n" for name in [*w.chain[1:], *w.parties]]
    manifest = "dependencies:\n" + "".join(bounded)
    manifests = tuple((name, manifest) for name in w.chain)
    return Case(IncidentRecord("0" * 12, signal, evidence), evidence, tuple(w.changes), manifests, "f" * 40)


def _signal(w: World, now_s: float, requests: tuple[int, int], front_ms: tuple[float, float]) -> Signal:
    """`requests` and `front_ms` (the front's 99th percentile) are those before and now."""
    service, span_s = w.concerns or w.chain[0], (w.first_bad_s - 600, w.first_bad_s)
    objective = Objective(service, w.operation, 1500.0, 0.02, 10.0, 15, 5)
    before = Measurement(*span_s, requests[0], 1, 0, front_ms[0] / 2, front_ms[0])
    now = Measurement(w.first_bad_s, now_s, requests[1], 0, requests[1] // 2, front_ms[0], front_ms[1])
    if w.kind is SignalKind.ERRORS:
        share = max([*w.failing.values(), 0.3 if w.errors else 0.0])
        now = replace(now, errors=round(share * requests[1]))
    if w.kind is SignalKind.SATURATION:
        objective = replace(objective, operation=w.gauge, limit=0.9)
        before, now = (
            Measurement(*span_s, 60, 0, 0, None, None, share=0.5),
            Measurement(w.first_bad_s, now_s, 5, 5, 0, None, None, share=0.95),
        )
    if w.kind is SignalKind.LOG_ERRORS:
        objective = replace(objective, operation="error logs")
        before, now = Measurement(*span_s, 600, 2, 0, None, None), Measurement(w.first_bad_s, now_s, 20, 200, 0, None, None)
    return Signal(w.kind, objective, before, now, w.first_bad_s, now_s)


def takes_ms(w: World, alone_ms: dict[str, float], now: bool) -> dict[str, float]:
    """How long an answer of each place takes: its own time and that of all that it calls, one after the other."""
    times = w.slow if now else {}
    took = {party: alone_ms[party] * times.get(party, 1.0) for party in w.parties}
    below = sum(took[party] * (w.times_asked((w.chain[-1], party)) if now else 1) for party in w.parties)
    for i, service in reversed(list(enumerate(w.chain))):
        took[service] = below + alone_ms[service] * times.get(service, 1.0)
        below = took[service] * (w.times_asked((w.chain[i - 1], service)) if now and i else 1)
    return took
