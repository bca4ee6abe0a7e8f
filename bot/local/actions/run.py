"""Runs, jobs and steps as they are now, and as GitHub's REST API and webhooks describe them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.local.actions.log import JobLog
from bot.local.actions.triggers import Origin
from bot.local.actions.workflow import Job, UnsupportedSyntax, Workflow
from bot.local.contracts import Json, Repository


@dataclass
class StepRecord:
    name: str
    number: int
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None


@dataclass
class JobRecord:
    """One job in one attempt. `check_run_id` is None until the job is ready to run."""

    id: int
    job: Job | None  # None: the workflow file could not be read
    name: str
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None
    check_run_id: int | None = None
    title: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    log: JobLog | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Run:
    """One run of one workflow: what started it, with which file, and how far its current attempt is."""

    id: int
    number: int
    workflow_id: int
    path: str
    name: str
    workflow: Workflow | UnsupportedSyntax
    origin: Origin
    payload: Json
    inputs: dict[str, Any]
    actor: str
    triggering_actor: str
    title: str
    created_at: float
    started_at: float
    updated_at: float
    attempt: int = 1
    status: str = "queued"
    conclusion: str | None = None
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        """Asks every job of the attempt to end; steps with `if: always()` still run."""
        self.stop.set()
        for record in self.jobs.values():
            record.stop.set()


def iso_time(seconds: float | None) -> str | None:
    """Unix seconds as GitHub writes times."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_url(run: Run, repo: Repository) -> str:
    return f"{repo.web_url}/{repo.full_name}/actions/runs/{run.id}"


def run_json(run: Run, repo: Repository) -> Json:
    """GitHub's `workflow-run` shape, the fields that somebody reads."""
    api = f"{repo.api_url}/repos/{repo.full_name}/actions"
    return {
        "id": run.id,
        "name": run.name,
        "path": run.path,
        "display_title": run.title,
        "event": run.origin.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "head_sha": run.origin.head_sha,
        "head_branch": run.origin.head_branch,
        "workflow_id": run.workflow_id,
        "run_number": run.number,
        "run_attempt": run.attempt,
        "created_at": iso_time(run.created_at),
        "updated_at": iso_time(run.updated_at),
        "run_started_at": iso_time(run.started_at),
        "actor": {"login": run.actor},
        "triggering_actor": {"login": run.triggering_actor},
        "pull_requests": _pull_requests(run),
        "repository": repository_json(repo),
        "url": f"{api}/runs/{run.id}",
        "html_url": run_url(run, repo),
        "jobs_url": f"{api}/runs/{run.id}/jobs",
        "rerun_url": f"{api}/runs/{run.id}/rerun",
        "workflow_url": f"{api}/workflows/{run.workflow_id}",
    }


def _pull_requests(run: Run) -> list[Json]:
    pull = run.payload.get("pull_request")
    if not isinstance(pull, dict):
        return []
    ends = {end: {"ref": pull[end]["ref"], "sha": pull[end]["sha"]} for end in ("head", "base")}
    return [{"number": pull["number"], **ends}]


def repository_json(repo: Repository) -> Json:
    owner, name = repo.full_name.split("/", 1)
    return {
        "name": name,
        "full_name": repo.full_name,
        "owner": {"login": owner},
        "default_branch": repo.default_branch,
        "html_url": f"{repo.web_url}/{repo.full_name}",
    }


def job_json(record: JobRecord, run: Run, repo: Repository) -> Json:
    """GitHub's `job` shape."""
    api = f"{repo.api_url}/repos/{repo.full_name}"
    return {
        "id": record.id,
        "run_id": run.id,
        "run_attempt": run.attempt,
        "run_url": f"{api}/actions/runs/{run.id}",
        "workflow_name": run.name,
        "name": record.name,
        "head_sha": run.origin.head_sha,
        "head_branch": run.origin.head_branch,
        "status": record.status,
        "conclusion": record.conclusion,
        "created_at": iso_time(run.started_at),
        "started_at": iso_time(record.started_at),
        "completed_at": iso_time(record.completed_at),
        "labels": list(record.job.labels) if record.job else [],
        "runner_name": "embedded",
        "html_url": f"{run_url(run, repo)}/job/{record.id}",
        "check_run_url": f"{api}/check-runs/{record.check_run_id}" if record.check_run_id is not None else None,
        "steps": [
            {
                "name": step.name,
                "number": step.number,
                "status": step.status,
                "conclusion": step.conclusion,
                "started_at": iso_time(step.started_at),
                "completed_at": iso_time(step.completed_at),
            }
            for step in record.steps
        ],
    }
