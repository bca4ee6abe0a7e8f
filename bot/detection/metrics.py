"""The engine for metrics of many services: each service by its own past, two intervals together, the deepest loud one named.

Noise is short and alone; an incident lasts and is felt by who calls the failing service. So the score of a service is what two
consecutive intervals say, plus what the most troubled caller says. Traffic is no evidence: it moves with the users, and naming by it
costs the right service.
"""

from __future__ import annotations

from bot.detection.alarm import Alarm
from bot.detection.chance import summed_surprise
from bot.detection.graph import CallGraph
from bot.detection.observation import Call, Point
from bot.detection.service_health import Evidence, Fleet, ServiceHealth

MAX_SERVICES = 5_000  # beyond, new ones are ignored and counted
CAP = 12.0  # what one interval may contribute: no single value convinces alone
LOUD = 1.5  # below this an interval is ordinary (one in five)
EXPLAINS = 0.7  # a callee at least this loud beside its caller takes the blame


class MetricEngine:
    """Feed with `observe_point` and `observe_call`; `tick` judges the services that reported since the last tick."""

    def __init__(self) -> None:
        self.graph = CallGraph()
        self.ignored_services = 0
        self.late_points = 0
        self.fleet = Fleet()
        self._services: dict[str, ServiceHealth] = {}
        self._reported: dict[str, float] = {}
        self._evidence: dict[str, tuple[Evidence, Evidence | None]] = {}

    def observe_call(self, call: Call) -> None:
        self.graph.add(call.client, call.server)

    def observe_point(self, point: Point) -> None:
        service = point.series.service
        health = self._services.get(service)
        if health is None:
            if len(self._services) >= MAX_SERVICES:
                self.ignored_services += 1
                return
            health = self._services[service] = ServiceHealth(self.fleet)
        known = self._evidence.get(service)
        if known is not None and point.at_s <= known[0].at_s:
            self.late_points += 1  # its interval has been judged
            return
        health.observe(point)
        self._reported[service] = max(point.at_s, self._reported.get(service, 0.0))

    @property
    def services(self) -> int:
        return len(self._services)

    def due(self) -> bool:
        """Whether any service reported since the last tick."""
        return bool(self._reported)

    def tick(self, now_s: float) -> list[Alarm]:
        """Alarms for every loud service whose callees do not explain it. Judged at the newest time of its own points."""
        judged = list(self._reported)
        for service, at_s in self._reported.items():
            evidence = self._services[service].judge(at_s)
            self._evidence[service] = (evidence, self._evidence[service][0] if service in self._evidence else None)
        self._reported = {}
        return [alarm for service in judged if (alarm := self._alarm(service)) is not None]

    def _alarm(self, service: str) -> Alarm | None:
        evidence, before = self._evidence[service]
        if evidence.strength < LOUD:
            return None
        since_s = evidence.at_s if before is None else before.at_s
        own = self._score(service)
        callees = [callee for callee in self.graph.callees(service) if self._is_current(callee, since_s, evidence.at_s)]
        if any(self._explains(callee, evidence, own) for callee in callees):
            return None
        callers = [self._score(caller) for caller in self.graph.callers(service) if self._is_current(caller, since_s, evidence.at_s)]
        loudest = evidence if before is None or evidence.strength >= before.strength else before
        return Alarm(evidence.at_s, service, loudest.signal, own + min(max(callers, default=0.0), own))

    def _explains(self, callee: str, evidence: Evidence, own: float) -> bool:
        """Whether a callee takes the blame. One that reports at other times may be an interval behind: then the latest one decides."""
        latest = self._evidence[callee][0]
        if latest.strength < LOUD:
            return False
        if self._score(callee) >= max(LOUD, EXPLAINS * own):
            return True
        return latest.at_s < evidence.at_s and min(latest.strength, CAP) >= EXPLAINS * min(evidence.strength, CAP)

    def _is_current(self, service: str, since_s: float, at_s: float) -> bool:
        """Whether its latest evidence lies in the interval from `since_s` to `at_s`: services need not report together."""
        known = self._evidence.get(service)
        return known is not None and (known[0].at_s == at_s or since_s < known[0].at_s < at_s)

    def _score(self, service: str) -> float:
        """What the latest two intervals of a service say together."""
        latest, before = self._evidence[service]
        return summed_surprise(min(latest.strength, CAP) + (min(before.strength, CAP) if before is not None else 0.0))
