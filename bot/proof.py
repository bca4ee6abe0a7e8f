"""Proof of a merged change: since when its services answer from it, and what the incident's own signal says before and since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.agents.verifier import Finding, verify
from bot.errors import Missing
from bot.forge import Pull
from bot.model import Health, OutcomeKind, Signal
from bot.policy.paths import services_of
from bot.policy.schema import Policies
from bot.ports import ForgeReader, Telemetry


class Sight(Protocol):
    """What proving needs to see."""

    @property
    def forge(self) -> ForgeReader: ...
    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def policies(self) -> Policies: ...


@dataclass(frozen=True)
class Merged:
    """`since_s`: from when on it counts what the change has mended; `restores`: it brings back code that was well (a revert)."""

    pull: Pull
    since_s: float
    undo: bool
    restores: bool


async def prove(sight: Sight, signal: Signal, health: Health, change: Merged, now_s: float) -> tuple[Finding | None, float | None]:
    """The Verifier's finding, None while it is too early; and since when it serves, None while it does not."""
    paths = [f.path for f in await sight.forge.pull_files(change.pull.number)]
    services = services_of(paths, sight.policies) or (signal.service,)
    serving_s = await _serving(sight, services, change.pull.merge_sha, now_s)
    meanwhile = after = None
    if serving_s is not None:
        meanwhile = sight.telemetry.measure(signal.service, signal.operation, change.since_s, serving_s, signal)
        after = sight.telemetry.measure(signal.service, signal.operation, serving_s, now_s, signal)
    finding = verify(
        signal,
        merged_s=change.pull.closed_s or change.pull.created_s,
        serving_s=serving_s,
        meanwhile=meanwhile,
        restores=change.restores,
        after=after,
        health=health,
        now_s=now_s,
        a=sight.policies.autonomy,
    )
    if change.undo and serving_s is not None:  # an undo is done when it serves; it is not asked to heal
        finding = finding or (OutcomeKind.FAILED, "the change is out again", after)
    return finding, serving_s


async def _serving(sight: Sight, services: Sequence[str], merge_sha: str, now_s: float) -> float | None:
    since = []
    for service in services:
        seen = sight.telemetry.serving(service, now_s)
        if seen is None or not await _descends(sight.forge, seen[0], merge_sha):
            return None
        since.append(seen[1])
    return max(since, default=None)


async def _descends(forge: ForgeReader, sha: str, ancestor: str) -> bool:
    if sha == ancestor:
        return True
    try:
        return (await forge.compare(ancestor, sha)).status in ("identical", "ahead")
    except Missing:
        return False  # deployed from somewhere that this repository does not know
