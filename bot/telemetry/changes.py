"""Settings that changed: an attribute of a service's spans that had one value, then another, and not the first one any more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from bot.evidence import ConfigChange
from bot.redact import redact
from bot.telemetry import limits
from bot.telemetry.store import SpanStore

MIN_SPANS: Final = 5  # with either value
ROLLOUT_S: Final = 120.0  # old and new may answer side by side for this long, and the old one must be silent for as long as it overlapped
# They say where a request ran, not how: every restart changes them.
_PLACES: Final = frozenset({"service.instance.id", "k8s.pod.name", "k8s.node.name", "host.name", "container.name", "deployment.id"})


@dataclass(slots=True)
class Seen:
    """When a value was there."""

    first_s: float
    last_s: float
    spans: int = 1


def changes(store: SpanStore, services: Collection[str], since_s: float, shown: Callable[[str], str]) -> tuple[ConfigChange, ...]:
    """Those of `services` at or after `since_s`, oldest first, the latest limits.CHANGES. Deployed commits stand elsewhere."""
    found = []
    for (service, key), values in _seen(store, services).items():
        ordered = sorted(values.items(), key=lambda item: item[1].first_s)
        pairs = list(itertools.pairwise(ordered))
        last_s = max(seen.last_s for seen in values.values())
        if not all(_follows(before, after, last_s) for (_, before), (_, after) in pairs):
            continue  # values that come and go are no setting
        for (old, before), (new, after) in pairs:
            enough = min(before.spans, after.spans) >= MIN_SPANS
            if enough and after.first_s >= since_s and redact(old) == old and redact(new) == new:
                found.append((after.first_s, service, key, new, old))
    found.sort(key=lambda item: item[0])
    return tuple(
        ConfigChange(f"c{i}", shown(service), shown(key), shown(new), shown(old), round(first_s, 3))
        for i, (first_s, service, key, new, old) in enumerate(found[-limits.CHANGES :], 1)
    )


def _follows(before: Seen, after: Seen, last_s: float) -> bool:
    overlap_s = max(0.0, before.last_s - after.first_s)
    return overlap_s <= ROLLOUT_S and last_s - before.last_s >= overlap_s and before.last_s < after.last_s


def _seen(store: SpanStore, services: Collection[str]) -> dict[tuple[str, str], dict[str, Seen]]:
    found: dict[tuple[str, str], dict[str, Seen]] = {}
    for _, span in store.spans():
        if span.service not in services:
            continue
        for key, value in span.extra:
            if key in _PLACES:
                continue
            values = found.setdefault((span.service, key), {})
            seen = values.get(value)
            if seen is None:
                values[value] = Seen(span.start_s, span.start_s)
            else:
                seen.first_s, seen.last_s = min(seen.first_s, span.start_s), max(seen.last_s, span.start_s)
                seen.spans += 1
    return found
