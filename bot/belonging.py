"""Which incident a signal belongs to: the groups of `bot/detection/group.py` over what is broken now and the incidents that are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.detection.group import Group, Key, Symptom, groups
from bot.evidence import Affected
from bot.journal import IncidentRecord
from bot.model import Signal
from bot.policy.maintenance import active
from bot.policy.schema import Policies
from bot.ports import Telemetry

SHOWN = 10  # affected operations that are told


@dataclass(frozen=True)
class Belonging:
    """Of one signal or incident. `part_of`: whose incident it is ("#4", or the operation that stands for it); "" for its own."""

    affected: tuple[Affected, ...] = ()
    upstream: tuple[str, ...] = ()
    part_of: str = ""


def belonging(
    signal: Signal, telemetry: Telemetry, policies: Policies, opened: Sequence[tuple[int, IncidentRecord]], now_s: float
) -> Belonging:
    """Of `signal`, which is broken now or was when its incident was opened. `opened`: the incidents that are open, by issue number."""
    signals = {_key(s): s for s in telemetry.signals(now_s)}
    numbers = {_key(record.signal): number for number, record in reversed(opened)}
    known = {_key(record.signal): record.signal for _, record in opened} | signals | {_key(signal): signal}
    since = {key: s.first_bad_s for key, s in known.items()}
    for _, record in opened:  # what an incident has named as its own stays so, however often it recovers and breaks again
        named = [(a.service, a.operation) for a in record.evidence.affected]
        since.update({key: since[_key(record.signal)] for key in known if key[:2] in named})
    symptoms = [
        Symptom(
            service=s.service,
            operation=s.operation,
            first_bad_s=since[key],
            detected_s=s.detected_s,
            written=not s.objective.learnt,
            incident=numbers.get(key, 0),
            excused=active(policies.maintenance, s.service, now_s) is not None,
            aspect=s.aspect,
        )
        for key, s in known.items()
    ]
    for group in groups(symptoms, telemetry.service_calls(min(since.values()), now_s)):
        if any(member.key == _key(signal) for member in group.members):
            return _told(group, signal, known)
    return Belonging()


def _key(signal: Signal) -> Key:
    return signal.service, signal.operation, signal.aspect


def _told(group: Group, signal: Signal, known: dict[Key, Signal]) -> Belonging:
    primary = group.primary
    others = [known[one.key] for one in group.members if one.key != _key(signal)]
    others.sort(key=lambda s: (s.first_bad_s, s.service, s.operation))
    affected = tuple(Affected(s.service, s.operation, str(s.kind), s.first_bad_s) for s in others[:SHOWN])
    part_of = ""
    if primary.key != _key(signal):
        part_of = f"#{primary.incident}" if primary.incident else f"{primary.operation} in {primary.service}"
    return Belonging(affected, group.upstream, part_of)
