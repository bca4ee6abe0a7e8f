"""Telemetry for those who have none: jobs in Actions see an incident through GitHub alone, and everything is unknown to them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.evidence import Evidence, ServiceCall
from bot.model import Health, Measurement, Signal


class NoTelemetry:
    """Satisfies `bot.ports.Telemetry` and never claims to have measured anything: whoever holds it can merge, close and undo nothing."""

    def signals(self, now_s: float) -> Sequence[Signal]:
        return ()

    def health(self, service: str, operation: str, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        return Health.UNKNOWN, None

    def measure(self, service: str, operation: str, start_s: float, end_s: float, incident: Signal | None = None) -> Measurement | None:
        return None

    def serving(self, service: str, now_s: float) -> tuple[str, float] | None:
        return None

    def evidence(self, signal: Signal, now_s: float) -> Evidence:
        return Evidence(now_s)

    def service_calls(self, since_s: float, now_s: float) -> Sequence[ServiceCall]:
        return ()
