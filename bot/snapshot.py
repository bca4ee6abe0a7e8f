"""The monitor's state: services as Scout sees them, incidents as the loop last saw them. A view, never a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.decide import Step
from bot.evidence import Affected
from bot.facts import Facts, PullFacts
from bot.model import Objective
from bot.policy.schema import Policies
from bot.ports import Telemetry
from bot.texts import Links, next_words, stage

Json = dict[str, Any]

INCIDENTS_SHOWN = 20
SERIES_POINTS = 60
SERIES_STEP_S = 2.0


class Snapshot:
    """Collects the facts of each pass (`watch`) and answers `state`. Bounded: the youngest incidents only."""

    def __init__(self, policies: Policies, telemetry: Telemetry) -> None:
        self._policies = policies
        self._telemetry = telemetry
        self._facts: dict[int, Facts] = {}

    def watch(self, facts: Facts, step: Step) -> None:
        if facts.issue is not None:
            self._facts[facts.issue.number] = facts
            for number in sorted(self._facts)[:-INCIDENTS_SHOWN]:
                del self._facts[number]

    @property
    def open_incidents(self) -> int:
        return sum(facts.issue is not None and facts.issue.state == "open" for facts in self._facts.values())

    def state(self, now_s: float, links: Links, *, rss_mib: float, profile: str, demo: bool) -> Json:
        return {
            "repository": links.repository,
            "repository_url": f"{links.web_url}/{links.repository}",
            "now_s": now_s,
            "rss_mib": round(rss_mib, 1),
            "profile": profile,
            "demo": demo,
            "attempts_limit": self._policies.autonomy.attempts,
            "services": [self._service(name, now_s) for name in self._names()],
            "incidents": [self._incident(self._facts[n], links) for n in sorted(self._facts, reverse=True)],
        }

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*(o.service for o in self._policies.objectives), *(s.name for s in self._policies.services)]))

    def _service(self, name: str, now_s: float) -> Json:
        serving = self._telemetry.serving(name, now_s)
        operations = [self._operation(o, now_s) for o in self._policies.objectives if o.service == name]
        return {
            "name": name,
            "state": self._word(name, operations, serving is not None),
            "commit": serving[0] if serving else "",
            "operations": operations,
        }

    def _word(self, name: str, operations: list[Json], heard: bool) -> str:
        """INCIDENT: an objective of its own is broken. DEGRADED: an open incident blames it, or its own is being healed."""
        if any(operation["health"] == "unhealthy" for operation in operations):
            return "INCIDENT"
        for facts in self._facts.values():
            if facts.issue and facts.issue.state == "open" and name in _concerned(facts):
                return "DEGRADED"
        known = any(operation["health"] == "healthy" for operation in operations) if operations else heard
        return "NOMINAL" if known else "UNKNOWN"

    def _operation(self, o: Objective, now_s: float) -> Json:
        health, now = self._telemetry.health(o.service, o.operation, now_s)
        return {
            "operation": o.operation,
            "health": str(health),
            "p99_ms": round(now.p99_ms, 1) if now and now.p99_ms is not None else None,
            "objective_p99_ms": o.p99_ms,
            "error_ratio": round(now.error_ratio, 4) if now else 0.0,
            "objective_error_ratio": o.error_ratio,
            "requests": now.requests if now else 0,
            "series": self._series(o, now_s),
        }

    def _series(self, o: Objective, now_s: float) -> list[list[float]]:
        points = []
        newest = now_s - now_s % SERIES_STEP_S
        for n in range(SERIES_POINTS, 0, -1):
            start_s = newest - n * SERIES_STEP_S
            m = self._telemetry.measure(o.service, o.operation, start_s, start_s + SERIES_STEP_S)
            if m is not None and m.p99_ms is not None:
                points.append([start_s, round(m.p99_ms, 1), round(m.error_ratio, 4)])
        return points

    def _incident(self, f: Facts, links: Links) -> Json:
        current = f.attempts[-1] if f.attempts else None
        diagnosis = current.diagnosis.diagnosis if current and current.diagnosis else None
        p = (current.undo or current.pull) if current else None
        issue = f.issue
        return {
            "issue": issue.number if issue else None,
            "url": f"{links.web_url}/{links.repository}/issues/{issue.number}" if issue else "",
            "title": issue.title if issue else "",
            "state": issue.state if issue else "open",
            "opened_s": issue.created_s if issue else f.now_s,
            "closed_s": issue.closed_s if issue else None,
            "stage": stage(f),
            "outcome": str(current.outcome.outcome) if current and current.outcome else "",
            "cause": diagnosis.cause if diagnosis else "",
            "answered_by": diagnosis.answered_by if diagnosis else "",
            "confidence": round(diagnosis.confidence, 3) if diagnosis else None,
            "attempt": current.number if current else 0,
            "next": next_words(f, self._policies).replace("`", ""),
            "pull": _pull(p, links) if p else None,
            "affected": [{"service": a.service, "operation": a.operation, "kind": a.kind} for a in _affected(f)],
        }


def _affected(f: Facts) -> Sequence[Affected]:
    """What is unwell from the same cause: now, or, once the incident is over, when it was opened."""
    return f.affected or (f.incident.evidence.affected if f.incident else ())


def _concerned(f: Facts) -> set[str]:
    found = {f.incident.signal.service} if f.incident else set()
    for attempt in f.attempts:
        if attempt.diagnosis:
            found |= {suspect.at for suspect in attempt.diagnosis.diagnosis.suspects[:1]}
    return found


def _pull(p: PullFacts, links: Links) -> Json:
    run = p.gate_run
    checks = [{"name": "guardrail", "status": run.status, "conclusion": run.conclusion, "url": run.url}] if run else []
    return {
        "number": p.pull.number,
        "url": f"{links.web_url}/{links.repository}/pull/{p.pull.number}",
        "title": p.pull.title,
        "state": p.pull.state,
        "checks": checks,
    }
