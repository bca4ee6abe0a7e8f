"""A small real world for the embedded Render: a bare git repository that announces its pushes, and a service to deploy."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import psutil

from bot.local.contracts import CheckRunUpdate, Listener, RepoEvent
from bot.local.render import EmbeddedRender
from bot.local.render.host import Limits
from tests.local.bare import Bare

API_KEY = "rnd_test"

SERVICE = """\
import json, os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/slow":
            time.sleep(0.7)
        status = STATUS if self.path == "/healthz" else 200
        body = json.dumps({"greeting": GREETING, "env": dict(os.environ), "pid": os.getpid()}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

GREETING = "hello"
STATUS = 200
print("starting", os.environ["RENDER_SERVICE_NAME"], flush=True)
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""

BLUEPRINT = """\
services:
  - type: web
    name: shop
    runtime: python
    plan: free
    buildCommand: "true"
    startCommand: python app/serve.py
    healthCheckPath: /healthz
    buildFilter:
      paths: [app/**]
      ignoredPaths: ["app/**/*.md"]
"""


class BareRepository(Bare):
    """`push` commits to main and tells the listeners. What Render does not use refuses."""

    full_name = "acme/shop"
    default_branch = "main"
    web_url = "http://127.0.0.1:1"
    api_url = "http://127.0.0.1:1/api/v3"

    def __init__(self, root: Path) -> None:
        super().__init__(root / "repo.git")
        self._listeners: list[Listener] = []

    async def push(self, files: Mapping[str, str], message: str = "change", *, branch: str = "main") -> str:
        before = self.resolve("main")
        after = self.commit(files, message=message)
        payload = {"ref": f"refs/heads/{branch}", "before": before or "0" * 40, "after": after, "deleted": False}
        for listener in self._listeners:
            await listener(RepoEvent("push", None, payload, "dev"))
        return after

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def issue_job_token(self, permissions: Mapping[str, str], run_id: int) -> str:
        raise AssertionError("Render has no use for this")

    def revoke_token(self, token: str) -> None:
        raise AssertionError("Render has no use for this")

    def report_check_run(self, check_run_id: int | None, update: CheckRunUpdate) -> int:
        raise AssertionError("Render has no use for this")

    async def announce(self, event: RepoEvent) -> None:
        raise AssertionError("Render has no use for this")


class World:
    """A repository with one service, its Render, and a client."""

    def __init__(
        self,
        root: Path,
        *,
        blueprint: str = BLUEPRINT,
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.repo = BareRepository(root)
        tree = {"render.yaml": blueprint, "app/serve.py": SERVICE, "README.md": "shop", **(files or {})}
        self.first_commit = self.repo.commit(tree, message="first")
        self.workdir = root / "render"
        self.secrets = 0
        self.render = EmbeddedRender(
            self.repo,
            workdir=self.workdir,
            python=sys.executable,
            exclude=["control-plane"],
            env=env or {},
            installed_locks=["abc", "def"],
            clock=time.time,
            api_key=API_KEY,
            limits=limits or Limits(healthy_s=5.0, shutdown_s=2.0, restart_after_s=0.05),
            new_secret=self._next_secret,
        )

    def _next_secret(self) -> str:
        self.secrets += 1
        return f"secret-{self.secrets}"

    def api(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.render.app), base_url="http://render/v1", headers={"authorization": f"Bearer {API_KEY}"}
        )

    def statuses(self, service: str = "shop") -> list[tuple[str, str]]:
        """(short commit, status), newest first."""
        return [(d.commit.id[:7], d.status) for d in self.render.deploys(service)]


def tell(world: World, story: Callable[[World], Awaitable[None]]) -> None:
    """Starts the world's Render, lives the story and stops; afterwards nothing that it started may be left."""

    async def live() -> None:
        await world.render.start()
        try:
            await story(world)
        finally:
            await world.render.stop()

    try:
        asyncio.run(live())
    finally:
        world.repo.close()
    assert groups_below(world.workdir) == set()


def start(world: World) -> None:
    """Starts the Render of a world that is told nothing, because it cannot start."""
    try:
        asyncio.run(world.render.start())
    finally:
        world.repo.close()


def groups_below(directory: Path) -> set[int]:
    """Process groups of which somebody's working directory is below `directory`: one for each build and instance."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(directory):
                found.add(os.getpgid(process.pid))
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
            continue
    return found


async def eventually(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    """Polls until the condition holds; fails after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        await asyncio.sleep(0.01)
