"""The Platform port on Render's public API (v1): which commits were deployed, and rolling a service back.

https://api-docs.render.com — the laptop's embedded Render speaks the same API, so nothing here knows which one it talks to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.errors import Missing, Refused, Retry
from bot.lean_httpx import httpx
from bot.model import Deploy, DeployState

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_MOST_DEPLOYS = 100  # Render's limit for one page
_RETRY_S = 5.0
_RATE_LIMIT_S = 60.0
_STATES: Mapping[str, DeployState] = {
    "created": "waiting",
    "queued": "waiting",
    "build_in_progress": "building",
    "pre_deploy_in_progress": "building",
    "update_in_progress": "building",
    "live": "live",
    "build_failed": "failed",
    "pre_deploy_failed": "failed",
    "update_failed": "failed",
    "canceled": "gone",
    "deactivated": "gone",
}


class RenderPlatform:
    """Reads and changes Render services by name. Every method raises `Retry` (network, time-out, 429, 5xx), `Missing` (no such
    service) or `Refused` (key not accepted, any other 4xx, an answer that is not Render's)."""

    def __init__(self, client: httpx.AsyncClient, *, base_url: str, api_key: str) -> None:
        """`base_url` includes the version: `https://api.render.com/v1`."""
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}", "accept": "application/json"}
        self._ids: dict[str, str] = {}  # a service keeps its id for life

    async def deploys(self, service: str, limit: int = 10) -> tuple[Deploy, ...]:
        """The newest `limit` (at most 100) deploys, newest first."""
        return tuple(_deploy(service, raw) for raw in await self._raw_deploys(service, limit))

    async def roll_back(self, service: str, commit: str) -> None:
        """Makes `commit` serve again from its last successful deploy; nothing happens when it serves or is on its way.

        Auto-deploy stays on, so the next push deploys again: see `set_auto_deploy`. `Refused` when the commit was never live.
        """
        raw = await self._raw_deploys(service, _MOST_DEPLOYS)
        current = next((d for d in raw if _state(d) in {"waiting", "building", "live"}), None)
        if current is not None and _commit(current) == commit:
            return
        target = next((d for d in raw if d.get("status") in {"live", "deactivated"} and _commit(d) == commit), None)
        if target is None:
            raise Refused(
                f"{service} has no successful deploy of {commit} among its last {len(raw)}: revert the change with a commit instead"
            )
        await self._call("POST", f"/services/{await self._id(service)}/rollback", json={"deployId": target["id"]})

    async def set_auto_deploy(self, service: str, on: bool) -> None:
        """Off keeps pushes from deploying (after a roll-back); on lets them again."""
        await self._call("PATCH", f"/services/{await self._id(service)}", json={"autoDeploy": "yes" if on else "no"})

    async def _raw_deploys(self, service: str, limit: int) -> list[dict[str, Any]]:
        params = {"limit": max(1, min(limit, _MOST_DEPLOYS))}
        return _items(await self._call("GET", f"/services/{await self._id(service)}/deploys", params=params), "deploy")

    async def _id(self, service: str) -> str:
        if service not in self._ids:
            found = _items(await self._call("GET", "/services", params={"name": service, "limit": _MOST_DEPLOYS}), "service")
            match = next((s for s in found if s.get("name") == service), None)
            if match is None:
                raise Missing(
                    f"Render has no service named {service} for this API key: check the name in policies/services.yaml and the key"
                )
            self._ids[service] = str(match["id"])
        return self._ids[service]

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = await self._client.request(method, self._base_url + path, headers=self._headers, timeout=_TIMEOUT, **arguments)
        except httpx.TransportError as error:
            raise Retry(f"Render did not answer {method} {path}: {error!r}", _RETRY_S) from error
        status = answer.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise Retry("Render's rate limit is used up", _retry_after_s(answer))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retry(f"Render answered {status} to {method} {path}", _RETRY_S)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Refused(
                f"Render does not accept the API key ({status}): set RENDER_API_KEY to a key of the workspace that owns the service"
            )
        if status == httpx.codes.NOT_FOUND:
            raise Missing(f"Render knows nothing at {path}")
        if not answer.is_success:
            raise Refused(f"Render refused {method} {path} with {status}: {answer.text[:300]}")
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise Refused(f"What answers at {self._base_url} is not Render's API: {method} {path} gave no JSON") from error


def _retry_after_s(answer: httpx.Response) -> float:
    for name in ("retry-after", "ratelimit-reset"):
        value = answer.headers.get(name, "")
        if value.isascii() and value.isdigit():
            return float(min(int(value), 3600))
    return _RATE_LIMIT_S


def _items(answer: Any, key: str) -> list[dict[str, Any]]:
    """Render's lists are `[{"cursor": …, KEY: {…}}]`."""
    if not isinstance(answer, list) or not all(isinstance(i, dict) and isinstance(i.get(key), dict) for i in answer):
        raise Refused(f"Render's answer is not a list of {key}s: check the base URL of the API")
    return [item[key] for item in answer]


def _state(raw: Mapping[str, Any]) -> DeployState:
    status = str(raw.get("status"))
    if status not in _STATES:
        raise Refused(f"Render reports the deploy status {status!r}, which this version does not know: update SRE-Space")
    return _STATES[status]


def _commit(raw: Mapping[str, Any]) -> str:
    """Deploys of a container image have no commit: ''."""
    commit = raw.get("commit")
    return str(commit.get("id") or "") if isinstance(commit, dict) else ""


def _deploy(service: str, raw: Mapping[str, Any]) -> Deploy:
    finished = raw.get("finishedAt")
    return Deploy(service, _commit(raw), _state(raw), _unix_s(raw.get("createdAt")), None if finished is None else _unix_s(finished))


def _unix_s(value: object) -> float:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError as error:
        raise Refused(f"Render's answer holds a time that is not ISO 8601: {value!r}") from error
