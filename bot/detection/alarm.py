"""The noun of detection: what an engine answers with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alarm:
    """One engine's judgement that something is wrong.

    `at_s`: seconds since the epoch when the engine knew (never earlier than the newest value it had seen).
    `service`: the service that the engine holds responsible, which need not be the one where the trouble shows.
    `signal`: what is wrong, in the words of the engine ("latency", "availability", …); alarms of one (service, signal) belong together.
    `score`: comparable within one engine only; the higher, the rarer in health.
    """

    at_s: float
    service: str
    signal: str
    score: float
