"""Which log records belong to a signal: those of its services that came more often than before, with the traces they were written in."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from bot.model import LogGroup
from bot.telemetry import limits


class LogCount(Protocol):
    """Records of one service, severity and template in some period."""

    @property
    def service(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def example(self) -> str:
        """One record's body, the first of the period. Raw."""
        ...

    @property
    def count(self) -> int: ...
    @property
    def first_s(self) -> float: ...
    @property
    def trace_ids(self) -> Collection[bytes]:
        """Of some of the records; empty when they carry none."""
        ...


class Logs(Protocol):
    """What evidence needs of the logs that were received."""

    def counts(self, services: Collection[str], start_s: float, end_s: float) -> Sequence[LogCount]:
        """Warnings and worse with a time in [start_s, end_s)."""
        ...


def log_groups(
    logs: Logs,
    services: Collection[str],
    before_s: tuple[float, float],
    now_s: tuple[float, float],
    traces: Mapping[bytes, str],
    shown: Callable[[str], str],
) -> tuple[LogGroup, ...]:
    """At most limits.LOG_GROUPS of those that came more often than the time before leads to expect, the most surprising first.

    `before_s`, `now_s`: the two periods. `traces`: evidence ids of the traces that are shown.
    """
    scale = (now_s[1] - now_s[0]) / max(1.0, before_s[1] - before_s[0])
    earlier = {(one.service, one.severity, one.template): one.count * scale for one in logs.counts(services, *before_s)}
    ranked = []
    for order, one in enumerate(logs.counts(services, *now_s)):
        expected = earlier.get((one.service, one.severity, one.template), 0.0)
        surprise = (one.count - expected) / math.sqrt(expected + 1.0)  # standard deviations of a Poisson count
        if surprise > 0.0:
            ranked.append((-surprise, order, one, expected))
    ranked.sort(key=lambda item: item[:2])
    return tuple(
        LogGroup(
            id=f"l{i}",
            service=shown(one.service),
            severity=shown(one.severity),
            template=shown(one.template),
            example=shown(one.example),
            count=one.count,
            before_count=round(expected),
            first_seen_s=round(one.first_s, 3),
            traces=tuple(sorted({traces[id_] for id_ in one.trace_ids if id_ in traces}, key=lambda name: (len(name), name))),
        )
        for i, (_, _, one, expected) in enumerate(ranked[: limits.LOG_GROUPS], 1)
    )
