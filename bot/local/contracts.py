"""What the three halves of the laptop's platform (GitHub, Actions, Render) promise each other.

They run in one process and meet only here: GitHub announces events and mints tokens; Actions runs workflows for those
events and answers GitHub's REST routes about runs; Render deploys from pushes. `bot/local/platform.py` joins them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True)
class RepoEvent:
    """Something happened in the repository: what GitHub would send as a webhook.

    `starts_workflows` is False for everything done with a job's GITHUB_TOKEN (except the two dispatch events), as on GitHub.
    """

    name: str  # "push", "pull_request", "issues", "issue_comment", "workflow_dispatch", "workflow_run", "check_run", ...
    action: str | None
    payload: Json  # GitHub's webhook payload, the fields that somebody here reads
    sender: str  # login
    starts_workflows: bool = True


Listener = Callable[[RepoEvent], Awaitable[None]]


@dataclass(frozen=True)
class CheckRunUpdate:
    """One job's check run as Actions reports it. Times are Unix seconds."""

    name: str
    head_sha: str
    status: str  # queued | in_progress | completed
    conclusion: str | None = None  # success | failure | cancelled | skipped | timed_out
    started_at: float | None = None
    completed_at: float | None = None
    title: str = ""
    summary: str = ""
    details_url: str = ""
    external_id: str = ""  # the job's id


class Repository(Protocol):
    """What Actions and Render need of the embedded GitHub (in-process, trusted)."""

    @property
    def full_name(self) -> str: ...  # "owner/name"
    @property
    def default_branch(self) -> str: ...
    @property
    def git_dir(self) -> Path: ...  # the bare repository; clone or `git archive` from it
    @property
    def web_url(self) -> str: ...  # http://127.0.0.1:PORT, known once the server is bound
    @property
    def api_url(self) -> str: ...  # web_url + "/api/v3"

    def subscribe(self, listener: Listener) -> None: ...
    def resolve(self, ref: str) -> str | None: ...  # a branch, refs/..., refs/pull/N/head or sha -> commit sha
    def read_file(self, commit: str, path: str) -> bytes | None: ...
    def list_files(self, commit: str, prefix: str) -> Sequence[str]: ...
    def changed_paths(self, before: str | None, after: str) -> Sequence[str]: ...
    def issue_job_token(self, permissions: Mapping[str, str], run_id: int) -> str:
        """A GITHUB_TOKEN: login github-actions[bot], only these permissions (403 otherwise), starts no workflow."""
        ...

    def revoke_token(self, token: str) -> None: ...
    def report_check_run(self, check_run_id: int | None, update: CheckRunUpdate) -> int:
        """Creates (id None) or updates a check run of the app `github-actions`; returns its id."""
        ...

    async def announce(self, event: RepoEvent) -> None:
        """Delivers an event of Actions' own (workflow_run, workflow_job) to listeners and webhooks."""
        ...


class RunNotFound(LookupError):
    """No such workflow, run or job: 404."""


class DispatchRefused(ValueError):
    """The workflow has no workflow_dispatch trigger, or an input is unknown or missing: 422."""


class WorkflowRuns(Protocol):
    """What GitHub's REST routes under /actions need of Actions. Dicts are GitHub's JSON shapes."""

    async def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str], actor: str) -> int: ...  # run id
    def list_runs(self, *, workflow: str | None, head_sha: str | None, event: str | None, branch: str | None) -> list[Json]: ...
    def get_run(self, run_id: int) -> Json: ...
    async def rerun(self, run_id: int, actor: str) -> None: ...
    def list_jobs(self, run_id: int) -> list[Json]: ...
    def job_log(self, job_id: int) -> str: ...


@dataclass(frozen=True)
class RunnerSettings:
    """What the owner of the repository would have set up for Actions."""

    workdir: Path
    python: str  # the interpreter that jobs find first on PATH
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # environment name ("" = repository) -> secrets
    variables: Mapping[str, str] = field(default_factory=dict)
    installed_locks: Sequence[str] = ()  # sha256 of the lock files that `python` already has installed
    concurrency: int = 2
    job_timeout_s: float = 120.0
