"""The traffic of all operations: which of them lost theirs, and whether telemetry as a whole has stopped (then nobody lost anything).

One service that falls silent is told once, by its busiest operation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.detection.idle import IDLE_S, IDLE_YOUNG_S, Idle
from bot.detection.volume import GAPS, Shortfall, Volume
from bot.policy.schema import Traffic as Policy

QUIET_S = 10.0  # everything silent for so long: nobody can be told from anybody
STOPPED_S = 60.0  # and for so long: worth telling

Operation = tuple[str, str]  # service and operation


@dataclass(frozen=True)
class Loss:
    """An operation whose requests stay away."""

    service: str
    operation: str
    shortfall: Shortfall


@dataclass(slots=True)
class Heard:
    """When anything at all was last heard, and the longest silence that was natural."""

    last_s: float | None = None
    longest_gap_s: float = 0.0

    def silent(self, now_s: float, least_s: float) -> bool:
        return self.last_s is not None and now_s - self.last_s >= max(least_s, GAPS * self.longest_gap_s)


@dataclass(slots=True)
class Traffic:
    """Counts between ticks; at most `operations` are followed. Those that nobody has heard for long give their places to others."""

    policy: Policy
    false_alarms_per_year: float
    operations: int
    _volumes: Idle[Volume] = field(init=False)
    _fresh: dict[Operation, int] = field(default_factory=dict)
    _anything: bool = False
    _heard: Heard = field(default_factory=Heard)
    quiet: bool = False  # nothing has been heard from anyone for a while
    stopped: bool = False  # … and for so long that somebody should know

    def __post_init__(self) -> None:
        self._volumes = Idle(self.operations, _forgettable)

    def count(self, service: str, operation: str, requests: int, now_s: float) -> None:
        """Requests that an operation has answered since the last tick."""
        self._anything = True
        key = (service, operation)
        if self._volumes.heard(key, now_s, self._new) is not None:
            self._fresh[key] = self._fresh.get(key, 0) + requests

    def _new(self) -> Volume:
        return Volume(self.false_alarms_per_year, self.policy.min_history_s, self.policy.min_silence_s)

    def heard(self) -> None:
        """Something else came: telemetry works."""
        self._anything = True

    def tick(self, now_s: float) -> None:
        """Call it about every second, also in silence."""
        if self._anything:
            if self.quiet:
                self._see_again(now_s)
            elif self._heard.last_s is not None:
                self._heard.longest_gap_s = max(self._heard.longest_gap_s, now_s - self._heard.last_s)
            self._heard.last_s = now_s
        self.quiet, self.stopped = self._heard.silent(now_s, QUIET_S), self._heard.silent(now_s, STOPPED_S)
        for key, volume in self._volumes.items():
            volume.observe(self._fresh.get(key, 0), now_s)
        self._fresh.clear()
        self._anything = False

    def _see_again(self, now_s: float) -> None:
        for _, volume in self._volumes.items():
            volume.blind(now_s)

    def losses(self) -> list[Loss]:
        """One for each service that lost traffic; none while nothing at all is heard."""
        if self.quiet:
            return []
        found: dict[str, Loss] = {}
        for (service, operation), volume in self._volumes.items():
            shortfall = volume.shortfall()
            if shortfall is None:
                continue
            known = found.get(service)
            if known is None or known.shortfall.usual_per_s < shortfall.usual_per_s:
                found[service] = Loss(service, operation, shortfall)
        return list(found.values())


def _forgettable(volume: Volume, idle_s: float) -> bool:
    """An operation that has been missed for days will not be missed any more."""
    return idle_s >= (IDLE_S if volume.usual_per_s else IDLE_YOUNG_S)
