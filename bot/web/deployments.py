"""What a `deployment_status` webhook says: which commit has just come into service in which environment.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status. Whatever deploys (Render, a workflow with an
`environment`) reports it to GitHub, so it is known also of services whose telemetry does not name its commit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

ENVIRONMENT_CHARS: Final = 255
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Deployment:
    """`commit` serves `environment` since `at_s` (Unix seconds)."""

    environment: str
    commit: str
    at_s: float


def deployment_of(event: str, payload: dict[str, Any], now_s: float) -> Deployment | None:
    """None unless it is a deployment that has succeeded. A moment in the future counts as now."""
    status, deployment = payload.get("deployment_status"), payload.get("deployment")
    if event != "deployment_status" or not isinstance(status, dict) or not isinstance(deployment, dict):
        return None
    environment, sha, at_s = deployment.get("environment"), deployment.get("sha"), _moment(status.get("created_at"))
    if status.get("state") != "success" or not isinstance(environment, str) or not isinstance(sha, str) or at_s is None:
        return None
    if not 0 < len(environment) <= ENVIRONMENT_CHARS or not _SHA.fullmatch(sha):
        return None
    return Deployment(environment, sha, min(at_s, now_s))


def _moment(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.timestamp() if moment is not None and moment.tzinfo is not None else None
