"""Render's public API, version 1, for the embedded Render: services, deploys and roll-backs, in Render's shapes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.local.contracts import Json
from bot.local.render.deploys import SUCCEEDED, DeployRecord
from bot.local.render.host import ServiceHost

if TYPE_CHECKING:
    from bot.local.render.platform import EmbeddedRender

_MOST = 100
_DEFAULT_LIMIT = 20
_BODY_LIMIT_BYTES = 64 * 1024

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class _Answer(Exception):
    """Ends a request with Render's error shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_app(render: EmbeddedRender, *, api_key: str) -> Starlette:
    """All paths below `/v1`; every request needs `Authorization: Bearer API_KEY`."""
    api = _Api(render)

    def guarded(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            expected = f"Bearer {api_key}".encode()
            if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
                return _error(401, "unauthorized")
            try:
                return await handler(request)
            except _Answer as answer:
                return _error(answer.status, str(answer))

        return handle

    service = "/v1/services/{service_id}"
    return Starlette(
        routes=[
            Route("/v1/services", guarded(api.list_services), methods=["GET"]),
            Route(service, guarded(api.get_service), methods=["GET"]),
            Route(service, guarded(api.update_service), methods=["PATCH"]),
            Route(f"{service}/deploys", guarded(api.list_deploys), methods=["GET"]),
            Route(f"{service}/deploys", guarded(api.create_deploy), methods=["POST"]),
            Route(f"{service}/deploys/{{deploy_id}}", guarded(api.get_deploy), methods=["GET"]),
            Route(f"{service}/rollback", guarded(api.roll_back), methods=["POST"]),
        ]
    )


class _Api:
    def __init__(self, render: EmbeddedRender) -> None:
        self._render = render

    async def list_services(self, request: Request) -> Response:
        names = {n for part in request.query_params.getlist("name") for n in part.split(",")}
        hosts = [h for h in self._render.hosts if not names or h.spec.name in names]
        page = _page(request, [(h.id, h) for h in hosts])
        return JSONResponse([{"cursor": cursor, "service": self._service(host)} for cursor, host in page])

    async def get_service(self, request: Request) -> Response:
        return JSONResponse(self._service(self._host(request)))

    async def update_service(self, request: Request) -> Response:
        host = self._host(request)
        body = await _json_object(request)
        unknown = sorted(body.keys() - {"autoDeploy"})
        if unknown:
            raise _Answer(400, f"only autoDeploy can be updated here, not {', '.join(unknown)}")
        if body.get("autoDeploy") not in {"yes", "no"}:
            raise _Answer(400, "autoDeploy must be yes or no")
        host.auto_deploy = body["autoDeploy"] == "yes"
        return JSONResponse(self._service(host))

    async def list_deploys(self, request: Request) -> Response:
        statuses = {s for part in request.query_params.getlist("status") for s in part.split(",")}
        deploys = [d for d in self._host(request).history.newest_first() if not statuses or d.status in statuses]
        page = _page(request, [(d.id, d) for d in deploys])
        return JSONResponse([{"cursor": cursor, "deploy": deploy_json(deploy)} for cursor, deploy in page])

    async def get_deploy(self, request: Request) -> Response:
        return JSONResponse(deploy_json(_deploy(self._host(request), request.path_params["deploy_id"])))

    async def create_deploy(self, request: Request) -> Response:
        host = self._host(request)
        ref = (await _json_object(request)).get("commitId") or self._render.repository.default_branch
        commit = await self._render.commit(ref) if isinstance(ref, str) else None
        if commit is None:
            raise _Answer(400, "commitId is not a commit of this repository")
        return _requested(host.request(commit, "api"))

    async def roll_back(self, request: Request) -> Response:
        """Builds the old deploy's commit again. Auto-deploy stays as it is: the next push may bring the fault back."""
        host = self._host(request)
        deploy_id = (await _json_object(request)).get("deployId")
        if not isinstance(deploy_id, str):
            raise _Answer(400, "deployId is required")
        target = _deploy(host, deploy_id)
        if target.status not in SUCCEEDED:
            raise _Answer(400, f"deploy {target.id} is {target.status}; only a deploy that was live can be rolled back to")
        return _requested(host.request(target.commit, "rollback"))

    def _host(self, request: Request) -> ServiceHost:
        wanted = request.path_params["service_id"]
        for host in self._render.hosts:
            if host.id == wanted:
                return host
        raise _Answer(404, f"service {wanted} not found")

    def _service(self, host: ServiceHost) -> Json:
        spec, repo = host.spec, self._render.repository
        newest = host.history.newest_first()
        return {
            "id": host.id,
            "name": spec.name,
            "slug": spec.name,
            "type": "web_service",
            "ownerId": "tea-laptop",
            "repo": f"{repo.web_url}/{repo.full_name}",
            "branch": repo.default_branch,
            "rootDir": spec.root_dir,
            "autoDeploy": "yes" if host.auto_deploy else "no",
            "autoDeployTrigger": "commit" if host.auto_deploy else "off",
            "buildFilter": {"paths": list(spec.build_filter.paths), "ignoredPaths": list(spec.build_filter.ignored_paths)},
            "suspended": "not_suspended",
            "suspenders": [],
            "createdAt": _iso(host.created_at_s),
            "updatedAt": _iso(newest[0].updated_at_s if newest else host.created_at_s),
            "serviceDetails": {
                "runtime": "python",
                "env": "python",
                "numInstances": 1,
                "healthCheckPath": spec.health_check_path or "",
                "url": self._render.urls[spec.name],
                "envSpecificDetails": {"buildCommand": spec.build_command, "startCommand": spec.start_command},
            },
        }


def deploy_json(deploy: DeployRecord) -> Json:
    """Render's deploy object; `finishedAt` is absent until it is finished."""
    shape: Json = {
        "id": deploy.id,
        "commit": {"id": deploy.commit.id, "message": deploy.commit.message, "createdAt": deploy.commit.created_at},
        "status": deploy.status,
        "trigger": deploy.trigger,
        "createdAt": _iso(deploy.created_at_s),
        "updatedAt": _iso(deploy.updated_at_s),
    }
    if deploy.finished_at_s is not None:
        shape["finishedAt"] = _iso(deploy.finished_at_s)
    return shape


def _deploy(host: ServiceHost, deploy_id: str) -> DeployRecord:
    deploy = host.history.get(deploy_id)
    if deploy is None:
        raise _Answer(404, f"deploy {deploy_id} not found")
    return deploy


def _requested(deploy: DeployRecord) -> Response:
    return JSONResponse(deploy_json(deploy), status_code=202 if deploy.status == "queued" else 201)


def _page(request: Request, items: Sequence[tuple[str, T]]) -> Sequence[tuple[str, T]]:
    """`limit` items after `cursor`."""
    raw = request.query_params.get("limit", str(_DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and 1 <= int(raw) <= _MOST):
        raise _Answer(400, f"limit must be 1 to {_MOST}")
    cursor = request.query_params.get("cursor")
    start = 0
    if cursor is not None:
        start = next((i + 1 for i, (c, _) in enumerate(items) if c == cursor), len(items))
    return items[start : start + int(raw)]


async def _json_object(request: Request) -> Json:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise _Answer(413, "the body is too large")
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise _Answer(400, "the body is not valid JSON") from error
    if not isinstance(body, dict):
        raise _Answer(400, "the body must be a JSON object")
    return body


def _error(status: int, message: str) -> Response:
    return JSONResponse({"id": "", "message": message}, status_code=status)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
