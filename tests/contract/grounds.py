"""The forges that one contract is asked of: githubkit against the embedded GitHub over real HTTP, and the one in memory.

A ground is a repository alice/shop with people of every permission, and what happens there without the bot.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.github import GitHubForge
from bot.adapters.github.transport import Transport
from bot.local.contracts import CheckRunUpdate, DispatchRefused, Json, RunNotFound
from bot.local.memory import MemoryForge, make_memory_forge
from bot.ports import Clock, Forge
from tests.local.github_world import Now, World, world

BOT = "sre-space[bot]"
CHECK = "guardrail"
AT_S = 1_790_000_000.0
WORKFLOW = "name: diagnose\nrun-name: 'diagnose #${{ inputs.issue }}'\non:\n  workflow_dispatch:\n    inputs: {issue: {required: true}}\n"


class Ground(Protocol):
    @property
    def forge(self) -> Forge:
        """As the bot, which may write."""
        ...

    async def as_user(self, login: str) -> Forge:
        """alice (admin), wendy (write), rita (read) or nadia (none)."""
        ...

    async def push(self, branch: str, changes: Mapping[str, str | None]) -> str:
        """A person's commit on a branch, which begins at main when it is new."""
        ...

    async def grow(self, branch: str, count: int) -> list[str]:
        """A new branch of that many commits on main, oldest first."""
        ...

    async def branches(self, names: Sequence[str], sha: str) -> None:
        """New branches, all at that commit."""
        ...

    async def require_check(self) -> None: ...
    async def report_check(self, sha: str, conclusion: str) -> None: ...
    async def finish(self, run_id: int, conclusion: str) -> None: ...


OpenGround = Callable[[Path], AbstractAsyncContextManager[Ground]]


@dataclass
class Runs:
    """A small `contracts.WorkflowRuns` with one workflow, diagnose.yml."""

    world: World
    runs: dict[int, Json] = field(default_factory=dict)

    async def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str], actor: str) -> int:
        if workflow != "diagnose.yml":
            raise RunNotFound(workflow)
        number = len(self.runs) + 1
        self.runs[number] = {
            "id": number,
            "path": f".github/workflows/{workflow}",
            "event": "workflow_dispatch",
            "head_branch": ref,
            "head_sha": self.world.github.resolve(ref),
            "status": "queued",
            "conclusion": None,
            "run_attempt": 1,
            "display_title": f"diagnose #{inputs['issue']}",
            "created_at": "2026-11-23T09:00:00Z",
        }
        return number

    def list_runs(self, *, workflow: str | None, head_sha: str | None, event: str | None, branch: str | None) -> list[Json]:
        if workflow not in (None, "diagnose.yml"):
            raise RunNotFound(str(workflow))
        wanted = [run for run in self.runs.values() if head_sha in (None, run["head_sha"]) and event in (None, run["event"])]
        return wanted[::-1]

    def get_run(self, run_id: int) -> Json:
        if run_id not in self.runs:
            raise RunNotFound(str(run_id))
        return self.runs[run_id]

    async def rerun(self, run_id: int, actor: str) -> None:
        run = self.get_run(run_id)
        if run["status"] != "completed":
            raise DispatchRefused("This workflow is already running")
        self.runs[run_id] = {**run, "status": "queued", "conclusion": None, "run_attempt": run["run_attempt"] + 1}

    def list_jobs(self, run_id: int) -> list[Json]:
        return []

    def job_log(self, job_id: int) -> str:
        raise RunNotFound(str(job_id))


@dataclass
class GitHubGround:
    world: World
    runs: Runs
    forge: GitHubForge
    stack: AsyncExitStack

    async def as_user(self, login: str) -> GitHubForge:
        return await connect(self.world, login, self.stack)

    async def push(self, branch: str, changes: Mapping[str, str | None]) -> str:
        old = self.world.github.resolve(f"refs/heads/{branch}")
        sha = await self.world.commit(changes, parent=old or await self.world.tip())
        if old is None:
            await self.world.do("alice", "POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})
        else:
            await self.world.do("alice", "PATCH", f"/git/refs/heads/{branch}", {"sha": sha})
        return sha

    async def grow(self, branch: str, count: int) -> list[str]:
        who = "alice <alice@example.org> 1790001000 +0000"
        one = "commit refs/heads/{branch}\ncommitter {who}\ndata 1\n.\n{start}M 100644 inline n.txt\ndata {size}\n{n}\n"
        commits = [
            one.format(branch=branch, who=who, start="from refs/heads/main^0\n" if n == 0 else "", n=n, size=len(str(n)))
            for n in range(count)
        ]
        git = ("git", f"--git-dir={self.world.github.git_dir}")
        subprocess.run([*git, "fast-import", "--quiet"], input="".join(commits), text=True, check=True)
        made = subprocess.run([*git, "rev-list", "--reverse", f"main..{branch}"], capture_output=True, text=True, check=True)
        return made.stdout.split()

    async def branches(self, names: Sequence[str], sha: str) -> None:
        created = "".join(f"create refs/heads/{name} {sha}\n" for name in names)
        git = ("git", f"--git-dir={self.world.github.git_dir}")
        subprocess.run([*git, "update-ref", "--stdin"], input=created, text=True, check=True)

    async def require_check(self) -> None:
        self.world.github.protect("main", required_checks=[CHECK])

    async def report_check(self, sha: str, conclusion: str) -> None:
        self.world.github.report_check_run(None, CheckRunUpdate(CHECK, sha, "completed", conclusion))

    async def finish(self, run_id: int, conclusion: str) -> None:
        self.runs.runs[run_id] |= {"status": "completed", "conclusion": conclusion}


@dataclass
class SimulatedClock:
    """Time that passes only by sleeping."""

    now_s: float = AT_S
    slept_s: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


async def connect(there: World, login: str, stack: AsyncExitStack, clock: Clock | None = None) -> GitHubForge:
    """The adapter with that login's token; for the bot, whose token may not ask who it is, with its login told."""
    clock = clock or SystemClock()
    transport = Transport(token=there.tokens[login], api_url=there.github.api_url, clock=clock, write_interval_s=0.0)
    return GitHubForge(await stack.enter_async_context(transport), there.github.full_name, bot_login=BOT if login == BOT else "")


@asynccontextmanager
async def open_github(tmp_path: Path) -> AsyncIterator[GitHubGround]:
    async with world(tmp_path) as there, AsyncExitStack() as stack:
        runs = Runs(there)
        there.github.set_actions(runs)
        yield GitHubGround(there, runs, await connect(there, BOT, stack), stack)


@dataclass
class MemoryGround:
    forge: MemoryForge

    async def as_user(self, login: str) -> MemoryForge:
        return self.forge.as_user(login)

    async def push(self, branch: str, changes: Mapping[str, str | None]) -> str:
        return self.forge.hub.push(branch, changes, "change", "alice")

    async def grow(self, branch: str, count: int) -> list[str]:
        return [self.forge.hub.push(branch, {"n.txt": f"{n}\n"}, ".", "alice") for n in range(count)]

    async def branches(self, names: Sequence[str], sha: str) -> None:
        self.forge.hub.git.branches.update(dict.fromkeys(names, sha))

    async def require_check(self) -> None:
        self.forge.hub.required_checks = (f"{CHECK}.yml",)

    async def report_check(self, sha: str, conclusion: str) -> None:
        hub = self.forge.hub
        hub.set_run(hub.add_run(f"{CHECK}.yml", "judge", "pull_request_target", sha).id, "completed", conclusion)

    async def finish(self, run_id: int, conclusion: str) -> None:
        self.forge.hub.set_run(run_id, "completed", conclusion)


@asynccontextmanager
async def open_memory(tmp_path: Path) -> AsyncIterator[MemoryGround]:
    files = {
        "README.md": "# shop\n",
        "app/quote.py": "".join(f"line {n}\n" for n in range(1, 21)),
        ".github/workflows/diagnose.yml": WORKFLOW,
    }
    people = {"alice": "admin", "wendy": "write", "rita": "read"}
    yield MemoryGround(make_memory_forge(files, repository="alice/shop", login=BOT, permissions=people, clock=Now()))


on_every_forge = pytest.mark.parametrize("open_ground", [open_github, open_memory], ids=["github", "memory"])


async def commit(forge: Forge, parent: str, changes: Mapping[str, str | None], message: str = "fix") -> str:
    """The bot's commit, with all that must be the same for it to be the same commit."""
    return await forge.create_commit(
        parent=parent, changes=changes, message=message, author_name="SRE-Space", author_email="bot@example.org", at_s=AT_S
    )


async def branch_with(forge: Forge, branch: str, changes: Mapping[str, str | None]) -> str:
    sha = await commit(forge, await tip(forge), changes)
    await forge.create_branch(branch, sha)
    return sha


async def tip(forge: Forge, branch: str = "main") -> str:
    sha = await forge.branch_sha(branch)
    assert sha is not None
    return sha
