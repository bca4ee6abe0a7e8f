"""A small real `Repository` over a bare git repository, with sample pushes and pull requests, for the stories about Actions."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.local.actions import EmbeddedActions
from bot.local.contracts import CheckRunUpdate, Json, Listener, RepoEvent, RunnerSettings

SHA = "11bd71901bbe5b1630ceea73d27597364c9af683"
CHECKOUT = f"actions/checkout@{SHA}"
UPLOAD = f"actions/upload-artifact@{SHA}"
DOWNLOAD = f"actions/download-artifact@{SHA}"
CACHE = f"actions/cache@{SHA}"
PYTHON = f"actions/setup-python@{SHA}"

_GIT = ("git", "-c", "user.name=dev", "-c", "user.email=dev@localhost", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")


@dataclass
class BareRepository:
    """Satisfies `contracts.Repository`; remembers tokens and every state of every check run."""

    folder: Path
    full_name: str = "acme/shop"
    default_branch: str = "main"
    web_url: str = "http://127.0.0.1:9"
    listeners: list[Listener] = field(default_factory=list)
    announced: list[RepoEvent] = field(default_factory=list)
    tokens: dict[str, Mapping[str, str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    reports: list[tuple[int, CheckRunUpdate]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--bare", str(self.git_dir), bare=False)
        self.git("init", "--quiet", str(self.tree), bare=False)

    @property
    def api_url(self) -> str:
        return f"{self.web_url}/api/v3"

    @property
    def git_dir(self) -> Path:
        return self.folder / "hub.git"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def git(self, *arguments: str, bare: bool = True, check: bool = True) -> str:
        where = ("--git-dir", str(self.git_dir)) if bare else ()
        done = subprocess.run([*_GIT, *where, *arguments], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {arguments}: {done.stderr}")
        return done.stdout if done.returncode == 0 else ""

    def commit(self, files: Mapping[str, str], branch: str = "main", message: str = "change", base: str = "main") -> str:
        """Writes files on a branch (made from `base` if new), pushes it to the bare repository and gives the sha; no event."""
        work = ("-C", str(self.tree))
        if self.resolve(branch):
            self.git(*work, "checkout", "--quiet", branch, bare=False)
        else:
            start = (base,) if self.resolve(base) else ()
            self.git(*work, "checkout", "--quiet", "-B", branch, *start, bare=False)
        for name, content in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git(*work, "add", "--all", bare=False)
        self.git(*work, "commit", "--quiet", "--allow-empty", "-m", message, bare=False)
        self.git(*work, "push", "--quiet", "--force", str(self.git_dir), branch, bare=False)
        sha = self.resolve(branch)
        assert sha
        return sha

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def resolve(self, ref: str) -> str | None:
        return self.git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip() or None

    def read_file(self, commit: str, path: str) -> bytes | None:
        text = self.git("show", f"{commit}:{path}", check=False)
        return text.encode() if path in self.list_files(commit, path) else None

    def list_files(self, commit: str, prefix: str) -> Sequence[str]:
        return [path for path in self.git("ls-tree", "-r", "--name-only", commit).splitlines() if path.startswith(prefix)]

    def changed_paths(self, before: str | None, after: str) -> Sequence[str]:
        return self.git("diff", "--name-only", before, after).splitlines() if before else self.list_files(after, "")

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
