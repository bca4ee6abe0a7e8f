"""A deploy and its history: what Render's API tells of it, without what carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

UNFINISHED = frozenset({"created", "queued", "build_in_progress", "update_in_progress"})
SUCCEEDED = frozenset({"live", "deactivated"})
_KEPT = 100


@dataclass(frozen=True)
class Commit:
    """The commit that is deployed. `created_at` is ISO 8601."""

    id: str
    message: str
    created_at: str


@dataclass(frozen=True)
class DeployRecord:
    """One deploy. `status` and `trigger` in Render's words, times in Unix seconds."""

    id: str
    service: str
    commit: Commit
    status: str
    trigger: str
    created_at_s: float
    updated_at_s: float
    finished_at_s: float | None = None


def derived_id(prefix: str, *parts: str) -> str:
    """Ids look like Render's (`srv-…`, `dep-…`) and follow from names, so that a run can be repeated."""
    return f"{prefix}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:20]}"


class History:
    """A service's deploys; the newest 100 are kept."""

    def __init__(self, service: str, clock: Callable[[], float]) -> None:
        self._service = service
        self._clock = clock
        self._made = 0
        self._deploys: dict[str, DeployRecord] = {}

    def add(self, commit: Commit, *, status: str, trigger: str) -> DeployRecord:
        self._made += 1
        now_s = self._clock()
        deploy = DeployRecord(derived_id("dep", self._service, str(self._made)), self._service, commit, status, trigger, now_s, now_s)
        self._deploys[deploy.id] = deploy
        while len(self._deploys) > _KEPT:
            oldest = next((d.id for d in self._deploys.values() if d.status not in UNFINISHED | {"live"}), None)
            if oldest is None:
                break
            del self._deploys[oldest]
        return deploy

    def set_status(self, deploy_id: str, status: str) -> DeployRecord:
        """A deploy is finished once, when it leaves the unfinished states; `deactivated` later does not change that time."""
        now_s = self._clock()
        old = self._deploys[deploy_id]
        finished_s = old.finished_at_s if old.finished_at_s is not None or status in UNFINISHED else now_s
        self._deploys[deploy_id] = replace(old, status=status, updated_at_s=now_s, finished_at_s=finished_s)
        return self._deploys[deploy_id]

    def get(self, deploy_id: str) -> DeployRecord | None:
        return self._deploys.get(deploy_id)

    def newest_first(self) -> tuple[DeployRecord, ...]:
        return tuple(reversed(self._deploys.values()))

    def live(self) -> DeployRecord | None:
        return next((d for d in self._deploys.values() if d.status == "live"), None)
