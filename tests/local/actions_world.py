"""A small real `Repository` over a bare git repository, with sample pushes and pull requests, for the stories about Actions."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.local.actions import EmbeddedActions
from bot.local.contracts import CheckRunUpdate, Json, Listener, RepoEvent, RunnerSettings
from tests.local.bare import Bare

SHA = "11bd71901bbe5b1630ceea73d27597364c9af683"
CHECKOUT = f"actions/checkout@{SHA}"
UPLOAD = f"actions/upload-artifact@{SHA}"
DOWNLOAD = f"actions/download-artifact@{SHA}"
CACHE = f"actions/cache@{SHA}"
PYTHON = f"actions/setup-python@{SHA}"


class BareRepository(Bare):
    """Satisfies `contracts.Repository`; remembers tokens and every state of every check run."""

    full_name = "acme/shop"
    default_branch = "main"
    web_url = "http://127.0.0.1:9"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "hub.git")
        self.listeners: list[Listener] = []
        self.announced: list[RepoEvent] = []
        self.tokens: dict[str, Mapping[str, str]] = {}
        self.revoked: set[str] = set()
        self.reports: list[tuple[int, CheckRunUpdate]] = []

    @property
    def api_url(self) -> str:
        return f"{self.web_url}/api/v3"

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def issue_job_token(self, permissions: Mapping[str, str], run_id: int) -> str:
        token = f"ghs_{run_id}_{len(self.tokens) + 1}_{os.urandom(8).hex()}"
        self.tokens[token] = dict(permissions)
        return token

    def revoke_token(self, token: str) -> None:
        self.revoked.add(token)

    def report_check_run(self, check_run_id: int | None, update: CheckRunUpdate) -> int:
        number = check_run_id if check_run_id is not None else len({known for known, _ in self.reports}) + 1
        self.reports.append((number, update))
        return number

    async def announce(self, event: RepoEvent) -> None:
        self.announced.append(event)
        for listener in self.listeners:
            await listener(event)

    def checks(self) -> dict[int, CheckRunUpdate]:
        """Each check run's last state, by id."""
        return dict(self.reports)

    def check(self, name: str) -> CheckRunUpdate:
        """The last state of the newest check run with this name."""
        return next(update for _, update in reversed(self.reports) if update.name == name)


def push_event(after: str, before: str = "0" * 40, branch: str = "main", sender: str = "alice", message: str = "change") -> RepoEvent:
    payload = {"ref": f"refs/heads/{branch}", "before": before, "after": after, "head_commit": {"id": after, "message": message}}
    return RepoEvent("push", None, payload, sender)


def pull_event(
    repo: BareRepository, head: str, *, number: int = 7, action: str = "opened", title: str = "Fix it", branch: str = "fix"
) -> RepoEvent:
    pull = {
        "number": number,
        "title": title,
        "head": {"sha": head, "ref": branch, "repo": {"full_name": repo.full_name}},
        "base": {"sha": repo.resolve("main"), "ref": "main"},
    }
    return RepoEvent("pull_request", action, {"action": action, "number": number, "pull_request": pull}, "sre-space[bot]")


@dataclass
class World:
    repo: BareRepository
    actions: EmbeddedActions
    settings: RunnerSettings

    async def send(self, event: RepoEvent) -> None:
        """Announces an event and waits until everything that it started has ended."""
        await self.repo.announce(event)
        await self.actions.idle()

    async def pushed(self, files: Mapping[str, str], branch: str = "main") -> str:
        before = self.repo.resolve(branch) or "0" * 40
        sha = self.repo.commit(files, branch)
        await self.send(push_event(sha, before, branch))
        return sha

    def runs(self) -> list[Json]:
        return self.actions.list_runs(workflow=None, head_sha=None, event=None, branch=None)

    def log(self, run_id: int, name: str) -> str:
        return self.actions.job_log(next(job["id"] for job in self.actions.list_jobs(run_id) if job["name"] == name))

    async def until(self, seen: object, deadline_s: float = 5.0) -> None:
        """Waits until the callable is true."""
        assert callable(seen)
        end = time.monotonic() + deadline_s
        while not seen():
            assert time.monotonic() < end, "it did not happen in time"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def world(tmp_path: Path, files: Mapping[str, str] | None = None, **changes: object) -> AsyncIterator[World]:
    """A repository whose main holds the files, with Actions listening; everything is stopped at the end."""
    repo = BareRepository(tmp_path)
    repo.commit(files or {"README.md": "shop"})
    settings = replace(RunnerSettings(tmp_path / "runner", sys.executable), **changes)  # type: ignore[arg-type]
    actions = EmbeddedActions(repo, settings, clock=time.time)
    await actions.start()
    try:
        yield World(repo, actions, settings)
    finally:
        await actions.stop()
        repo.close()


WORKFLOW = ".github/workflows/sample.yml"
HEADER = "name: sample\non: workflow_dispatch\njobs:\n"


def job(steps: str, name: str = "work", more: str = "") -> str:
    """One job of a workflow; `steps` is a YAML list at column 0."""
    lines = [f"  {name}:", "    runs-on: ubuntu-latest", *(f"    {line}" for line in more.splitlines()), "    steps:"]
    return "\n".join([*lines, *(f"      {line}" for line in steps.strip().splitlines())]) + "\n"


async def dispatched(w: World) -> tuple[str, int]:
    run_id = await w.actions.dispatch("sample.yml", "main", {}, "alice")
    await w.actions.idle()
    return str(w.actions.get_run(run_id)["conclusion"]), run_id
