"""Executes one attempt of a run: its jobs in the order of their needs, each reported to GitHub as a check run."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.local.actions.concurrency import ConcurrencyGroups, Ticket
from bot.local.actions.contexts import JobFolders, github_context, process_environment
from bot.local.actions.evaluate import Scope, condition, render
from bot.local.actions.expressions import ExpressionError
from bot.local.actions.job import JobOutcome, JobRun, minutes_to_s
from bot.local.actions.log import JobLog
from bot.local.actions.run import JobRecord, Run, repository_json, run_json, run_url
from bot.local.actions.site import JobSite
from bot.local.actions.workflow import Concurrency, Job, RunDefaults, UnsupportedSyntax, Workflow
from bot.local.contracts import CheckRunUpdate, RepoEvent, Repository, RunnerSettings

DEFAULT_PERMISSIONS = {"contents": "read", "packages": "read"}
TITLE_CHARACTERS = 200
UNSUPPORTED = "Unsupported workflow syntax"
_GONE_WRONG = ("failure", "timed_out", "cancelled")


class NotAllowed(RuntimeError):
    """The job may not run as it asks to."""


@dataclass
class Executor:
    """What all runs share."""

    repo: Repository
    settings: RunnerSettings
    clock: Callable[[], float]
    job_ids: Iterator[int]
    groups: ConcurrencyGroups
    slots: asyncio.Semaphore

    async def execute(self, run: Run) -> None:
        """Takes a queued run to its conclusion and announces `requested` and `completed`."""
        await self._announce(run, "requested")
        ticket: Ticket | None = None
        try:
            if isinstance(run.workflow, UnsupportedSyntax):
                self._report_unsupported(run, run.workflow)
                run.conclusion = "failure"
            else:
                ticket = self._enter(run.workflow.concurrency, self._scope(run), run.cancel)
                run.conclusion = await self._attempt(run, run.workflow, ticket)
        except ExpressionError as error:
            self._report_unsupported(run, UnsupportedSyntax(run.path, "concurrency", str(error)))
            run.conclusion = "failure"
        finally:
            if ticket is not None:
                self.groups.leave(ticket)
            run.conclusion = run.conclusion or "cancelled"
            run.status, run.updated_at = "completed", self.clock()
        await self._announce(run, "completed")

    async def _attempt(self, run: Run, workflow: Workflow, ticket: Ticket | None) -> str:
        if ticket is not None:
            run.status = "queued" if ticket.ready.done() else "pending"
            if not await ticket.ready:
                return "cancelled"
        run.status, run.updated_at = "in_progress", self.clock()
        for job in workflow.jobs.values():
            run.jobs[job.id] = JobRecord(next(self.job_ids), job, job.name or job.id)
        tasks: dict[str, asyncio.Task[None]] = {}
        for job in workflow.jobs.values():
            tasks[job.id] = asyncio.create_task(self._job(run, workflow, job, tasks))
        try:
            await asyncio.gather(*tasks.values())
        except BaseException:
            for task in tasks.values():
                if not task.cancelling():  # a second cancel would cut short how the first one ends its processes
                    task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
            raise
        return _run_conclusion([record.conclusion for record in run.jobs.values()])

    async def _job(self, run: Run, workflow: Workflow, job: Job, tasks: Mapping[str, asyncio.Task[None]]) -> None:
        await asyncio.sleep(0)  # let every job's task exist before one looks at those it needs
        if job.needs:
            await asyncio.wait([tasks[need] for need in job.needs])
        record = run.jobs[job.id]
        ticket: Ticket | None = None
        try:
            scope = self._scope(run, job)
            record.name = render(job.name, scope) if job.name else job.id
            if not condition(job.condition or "success()", scope):
                self._conclude(run, record, "cancelled" if run.stop.is_set() else "skipped", "Skipped")
                return
            self._report(run, record)
            ticket = self._enter(job.concurrency, scope, record.stop.set)
            if ticket is not None and not await _first(ticket.ready, record.stop):
                self._conclude(run, record, "cancelled", "Cancelled by a newer one in its concurrency group")
                return
            async with self.slots:
                if record.stop.is_set():
                    self._conclude(run, record, "cancelled", "Cancelled")
                    return
                await self._run_job(run, workflow, job, scope)
        except (ExpressionError, NotAllowed, OSError) as error:
            message = record.log.masked(str(error)) if record.log else str(error)
            self._conclude(run, record, "failure", message, message)
        except asyncio.CancelledError:
            self._conclude(run, record, "cancelled", "The runner stopped")
            raise
        finally:
            if ticket is not None:
                self.groups.leave(ticket)

    async def _run_job(self, run: Run, workflow: Workflow, job: Job, scope: Scope) -> None:
        record = run.jobs[job.id]
        folders = JobFolders(self.settings.workdir / "jobs" / str(record.id))
        permissions = job.permissions if job.permissions is not None else workflow.permissions
        secrets = self._secrets(run, render(job.environment, scope) if job.environment else "")
        timeout_s = self.settings.job_timeout_s
        if job.timeout_minutes:
            timeout_s = min(timeout_s, minutes_to_s(render(job.timeout_minutes, scope), f"jobs.{job.id}"))
        token = self.repo.issue_job_token(DEFAULT_PERMISSIONS if permissions is None else permissions, run.id)
        log = record.log = JobLog(self._attempt_folder(run) / "logs" / f"{record.id}.log")
        for secret in (token, *secrets.values()):
            log.hide(secret)
        try:
            record.status, record.started_at = "in_progress", self.clock()
            self._report(run, record)
            folders.create(run.payload)
            github = github_context(run, self.repo, job_id=job.id, token=token, folders=folders)
            contexts = {**scope.contexts, "github": github, "secrets": {**secrets, "GITHUB_TOKEN": token}}
            site = JobSite(
                repo=self.repo,
                settings=self.settings,
                folders=folders,
                artifacts=self._attempt_folder(run) / "artifacts",
                log=log,
                github=github,
                environment=process_environment(github, folders, self.settings),
            )
            outcome = await self._steps(run, workflow, job, site, contexts, timeout_s)
            record.outputs = outcome.outputs
            self._conclude(run, record, outcome.conclusion, outcome.title, outcome.summary)
        finally:
            self.repo.revoke_token(token)
            log.close()
            await asyncio.to_thread(shutil.rmtree, folders.root, ignore_errors=True)

    async def _steps(
        self, run: Run, workflow: Workflow, job: Job, site: JobSite, contexts: Mapping[str, Any], timeout_s: float
    ) -> JobOutcome:
        scope = Scope(contexts)
        env = {name: render(value, scope) for name, value in workflow.env.items()}
        env |= {name: render(value, scope) for name, value in job.env.items()}
        defaults = RunDefaults(
            job.defaults.shell or workflow.defaults.shell,
            job.defaults.working_directory or workflow.defaults.working_directory,
        )
        steps = run.jobs[job.id].steps
        started = JobRun(
            job, site, contexts, env=env, defaults=defaults, stop=run.jobs[job.id].stop, timeout_s=timeout_s, steps=steps, clock=self.clock
        )
        return await started.run()

    def _secrets(self, run: Run, environment: str) -> dict[str, str]:
        """The repository's secrets and those of the environment, which only runs on the default branch may enter."""
        secrets = dict(self.settings.secrets.get("", {}))
        own = self.settings.secrets.get(environment, {}) if environment else {}
        if own and run.origin.ref != f"refs/heads/{self.repo.default_branch}":
            raise NotAllowed(f"{run.origin.ref} is not allowed to deploy to {environment}: only {self.repo.default_branch} is")
        return secrets | dict(own)

    def _scope(self, run: Run, job: Job | None = None) -> Scope:
        """What run-level and job-level expressions see; a job's also sees the jobs that it needs."""
        contexts: dict[str, Any] = {
            "github": github_context(run, self.repo),
            "inputs": run.inputs,
            "vars": dict(self.settings.variables),
        }
        if job is None:
            return Scope(contexts)
        contexts["needs"] = {need: {"result": _result(run.jobs[need]), "outputs": run.jobs[need].outputs} for need in job.needs}
        results = [_result(run.jobs[ancestor]) for ancestor in _ancestors(run, job)]
        cancelled = run.stop.is_set()
        status = {
            "success": not cancelled and all(result == "success" for result in results),
            "failure": not cancelled and "failure" in results,
            "always": True,
            "cancelled": cancelled,
        }
        return Scope(contexts, status)

    def _enter(self, concurrency: Concurrency | None, scope: Scope, cancel: Callable[[], None]) -> Ticket | None:
        if concurrency is None:
            return None
        group = render(concurrency.group, scope)
        if not group:
            return None
        return self.groups.enter(group, cancel_in_progress=render(concurrency.cancel_in_progress, scope) == "true", cancel=cancel)

    def _attempt_folder(self, run: Run) -> Path:
        return self.settings.workdir / "runs" / str(run.id) / str(run.attempt)

    def _report_unsupported(self, run: Run, problem: UnsupportedSyntax) -> None:
        record = JobRecord(next(self.job_ids), None, run.path)
        run.jobs = {run.path: record}
        log = record.log = JobLog(self._attempt_folder(run) / "logs" / f"{record.id}.log")
        log.write(f"{UNSUPPORTED}: {problem}")
        log.close()
        self._conclude(run, record, "failure", UNSUPPORTED, str(problem))

    def _conclude(self, run: Run, record: JobRecord, conclusion: str, title: str, summary: str = "") -> None:
        record.status, record.conclusion, record.completed_at = "completed", conclusion, self.clock()
        record.started_at = record.completed_at if record.started_at is None else record.started_at
        record.title, record.summary = title[:TITLE_CHARACTERS], summary
        self._report(run, record)

    def _report(self, run: Run, record: JobRecord) -> None:
        update = CheckRunUpdate(
            name=record.name,
            head_sha=run.origin.head_sha,
            status=record.status,
            conclusion=record.conclusion,
            started_at=record.started_at,
            completed_at=record.completed_at,
            title=record.title,
            summary=record.summary,
            details_url=run_url(run, self.repo),
            external_id=str(record.id),
        )
        record.check_run_id = self.repo.report_check_run(record.check_run_id, update)

    async def _announce(self, run: Run, action: str) -> None:
        payload = {
            "action": action,
            "workflow_run": run_json(run, self.repo),
            "workflow": {"id": run.workflow_id, "name": run.name, "path": run.path},
            "repository": repository_json(self.repo),
            "sender": {"login": run.triggering_actor},
        }
        await self.repo.announce(RepoEvent("workflow_run", action, payload, run.triggering_actor))


async def _first(ready: asyncio.Future[bool], stop: asyncio.Event) -> bool:
    """What `ready` says, or False when the stop comes first."""
    stopped = asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {ready, stopped}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    return ready.done() and ready.result()


def _ancestors(run: Run, job: Job) -> set[str]:
    found: set[str] = set()
    pending = list(job.needs)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            needed = run.jobs[name].job
            pending += needed.needs if needed else ()
    return found


def _result(record: JobRecord) -> str:
    return "failure" if record.conclusion == "timed_out" else record.conclusion or ""


def _run_conclusion(conclusions: list[str | None]) -> str:
    for bad in _GONE_WRONG:
        if bad in conclusions:
            return bad
    return "skipped" if conclusions and all(conclusion == "skipped" for conclusion in conclusions) else "success"
