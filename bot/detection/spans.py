"""The engine for bare spans: calls that take longer between two services, and operations that take longer themselves.

Three explanations of a service are weighed: calls into it are slow (whoever calls), calls out of it are slow (whomever it calls, at least
two), its own operations are slow. A slow edge that one end explains better is not held against the other end.
"""

from __future__ import annotations

import math
from typing import Literal

from bot.detection.alarm import Alarm
from bot.detection.crossings import Crossing, SpanJoin
from bot.detection.effect import Usual, height
from bot.detection.observation import BareSpan
from bot.detection.recent import Recent

STEP_S = 5.0  # between judgements
LEAST_SCORE = 0.2  # below this nothing is worth saying
LOUD_EFFECT = 0.7  # an edge that takes twice as long
MIN_CALLEES = 2  # calls out of a service are its own fault only when several callees are concerned
EXPLAINS = 0.7  # of the callee's score, that the caller's must reach to take the blame
MAX_SERIES = 2_000  # edges and operations learnt; beyond, new ones are ignored and counted

Way = Literal["in", "out", "own"]
SIGNALS: dict[Way, str] = {"in": "network", "out": "network", "own": "latency"}


class SpanEngine:
    """Feed with `observe_span`; `tick` judges every STEP_S seconds."""

    def __init__(self) -> None:
        self.ignored_series = 0
        self._join = SpanJoin()
        self._usual: dict[tuple[str, str, str], Usual] = {}
        self._fleet = Usual()
        self._recent: dict[tuple[Way, str], Recent] = {}
        self._judged_s = -math.inf

    @property
    def services(self) -> int:
        return len({service for _, service in self._recent})

    def observe_span(self, span: BareSpan) -> Crossing | None:
        """The call between two services that became known with this span, if any."""
        if span.end_s < span.start_s:
            return None
        crossing, own = self._join.add(span)
        if crossing is not None:
            effect = self._effect(crossing.at_s, ("edge", crossing.caller, crossing.callee), crossing.between_s, self._fleet)
            if effect is not None:
                self._remember("in", crossing.callee, crossing.at_s, crossing.caller, effect)
                self._remember("out", crossing.caller, crossing.at_s, crossing.callee, effect)
        effect = self._effect(own.at_s, ("own", own.service, own.operation), own.own_s, None)
        if effect is not None:
            self._remember("own", own.service, own.at_s, own.operation, effect)
        return crossing

    def due(self, now_s: float) -> bool:
        return bool(self._recent) and now_s - self._judged_s >= STEP_S

    def tick(self, now_s: float) -> list[Alarm]:
        """Alarms of the services that explain what became slow; none before the next step is due."""
        if not self.due(now_s):
            return []
        since_s, self._judged_s = max(self._judged_s, now_s - 2 * STEP_S), now_s
        self._recent = {key: recent for key, recent in self._recent.items() if recent.expire(now_s)}
        scores = {key: recent.score(now_s) for key, recent in self._recent.items() if recent.fresh(since_s)}
        found = []
        for (way, service), score in scores.items():
            if score >= LEAST_SCORE and not self._explained_elsewhere(way, service, score, now_s):
                found.append(Alarm(now_s, service, SIGNALS[way], score))
        return found

    def _explained_elsewhere(self, way: Way, service: str, score: float, now_s: float) -> bool:
        peers = self._recent[way, service].loud_peers(now_s, LOUD_EFFECT)
        if way == "out":
            return len(peers) < MIN_CALLEES
        if way == "in" and len(peers) == 1:
            caller = self._recent.get(("out", next(iter(peers))))
            if caller is None or len(caller.loud_peers(now_s, LOUD_EFFECT)) < MIN_CALLEES:
                return False
            return caller.score(now_s) >= EXPLAINS * score
        return False

    def _effect(self, at_s: float, series: tuple[str, str, str], duration_s: float, fleet: Usual | None) -> float | None:
        usual = self._usual.get(series)
        if usual is None:
            if len(self._usual) >= MAX_SERIES:
                self.ignored_series += 1
                return None
            usual = self._usual[series] = Usual()
        value = height(duration_s)
        effect = usual.effect(value, fleet)
        usual.learn(at_s, value, effect)
        if fleet is not None:
            fleet.learn(at_s, value, effect)
        return effect

    def _remember(self, way: Way, service: str, at_s: float, peer: str, effect: float) -> None:
        recent = self._recent.get((way, service))
        if recent is None:
            recent = self._recent[way, service] = Recent()
        recent.add(at_s, peer, effect)
