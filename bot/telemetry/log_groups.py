"""Which log lines belong to a signal: texts of its services that are new or have become frequent, with the traces they were written in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from bot.evidence import LogGroup
from bot.telemetry import limits
from bot.telemetry.log_line import Severity
from bot.telemetry.logs import TemplateChange

SEVERITIES: tuple[Severity, ...] = ("error", "warning")


class Logs(Protocol):
    """What evidence needs of the logs that were received: `bot/telemetry/logs.py` has it."""

    def templates(
        self, start_s: float, end_s: float, before_s: float, severities: Sequence[Severity] = ("error",)
    ) -> Sequence[TemplateChange]: ...


def log_groups(
    logs: Logs,
    services: Collection[str],
    before_s: tuple[float, float],
    now_s: tuple[float, float],
    traces: Mapping[bytes, str],
    shown: Callable[[str], str],
) -> tuple[LogGroup, ...]:
    """At most limits.LOG_GROUPS, the most surprising first. `traces`: evidence ids of the traces that are shown."""
    changes = [one for one in logs.templates(now_s[0], now_s[1], before_s[0], SEVERITIES) if one.service in services]
    return tuple(_group(f"l{i}", one, traces, shown) for i, one in enumerate(changes[: limits.LOG_GROUPS], 1))


def _group(id_: str, one: TemplateChange, traces: Mapping[bytes, str], shown: Callable[[str], str]) -> LogGroup:
    """The example is a line of a trace that is shown when there is one."""
    known = [line for line in one.lines if line.trace_id in traces]
    example = (*known, *one.lines)[0].body if one.lines else ""
    return LogGroup(
        id=id_,
        service=shown(one.service),
        severity=one.severity,
        template=shown(one.template),
        example=shown(example),
        count=one.count,
        before_count=round(one.expected),
        first_seen_s=round(one.first_s, 3),
        traces=tuple(sorted({traces[line.trace_id] for line in known}, key=lambda name: (len(name), name))),
    )
