"""The embedded Actions: listens to the repository, starts the runs that its workflow files ask for, answers about them."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from bot.local.actions.concurrency import ConcurrencyGroups
from bot.local.actions.contexts import github_context
from bot.local.actions.evaluate import Scope, render
from bot.local.actions.execution import Executor
from bot.local.actions.expressions import ExpressionError
from bot.local.actions.parse import parse_workflow
from bot.local.actions.run import Run, job_json, repository_json, run_json
from bot.local.actions.triggers import WORKFLOWS, Origin, dispatch_inputs, origins_of, read_workflow_file, short_ref, starts, title_of
from bot.local.actions.workflow import UnsupportedSyntax, Workflow, WorkflowFile
from bot.local.contracts import DispatchRefused, Json, RepoEvent, Repository, RunnerSettings, RunNotFound

_REMEMBERED_COMMITS = 64
_REMEMBERED_FILES = 256
_LOGGER = logging.getLogger(__name__)


class EmbeddedActions:
    """Satisfies `contracts.WorkflowRuns`. `clock` gives Unix seconds."""

    def __init__(self, repo: Repository, settings: RunnerSettings, *, clock: Callable[[], float]) -> None:
        settings = replace(settings, workdir=settings.workdir.resolve())
        self._repo, self._settings, self._clock = repo, settings, clock
        self._runs: dict[int, Run] = {}
        self._numbers: dict[str, int] = {}
        self._workflow_ids: dict[str, int] = {}
        self._files: dict[str, list[WorkflowFile]] = {}
        self._read = lru_cache(maxsize=_REMEMBERED_FILES)(read_workflow_file)  # most commits leave them as they were
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        slots = asyncio.Semaphore(settings.concurrency)
        self._executor = Executor(repo, settings, clock, itertools.count(1), ConcurrencyGroups(), slots)

    async def start(self) -> None:
        """Begins to listen to the repository's events."""
        self._open = True
        self._repo.subscribe(self._on_event)

    async def stop(self) -> None:
        """Takes no more events, ends the process groups of running jobs and waits for them."""
        self._open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Returns when nothing is queued or running. Raises what a run's own task raised."""
        while self._tasks:
            for task in (await asyncio.wait(self._tasks))[0]:
                task.result()

    async def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str], actor: str) -> int:
        """Starts a workflow (file name, path or id) at a ref and gives the run's id. Raises RunNotFound or DispatchRefused.

        A workflow with `schedule` and no `workflow_dispatch` starts too, as its schedule would start it: nothing else does here.
        """
        full_ref = self._full_ref(ref)
        sha = self._repo.resolve(full_ref) if full_ref else None
        if full_ref is None or sha is None:
            raise DispatchRefused(f"No ref found for: {ref}")
        file = self._find_file(sha, workflow)
        if file.broken and not file.triggers:
            raise DispatchRefused(str(file.broken))
        event = "workflow_dispatch"
        if event not in file.triggers and event not in file.broken_triggers and "schedule" in file.triggers:
            event, full_ref = "schedule", f"refs/heads/{self._repo.default_branch}"
            sha = self._repo.resolve(full_ref) or sha
        if event in file.broken_triggers:
            raise DispatchRefused(str(file.broken_triggers[event]))
        if event not in file.triggers:
            raise DispatchRefused("Workflow does not have 'workflow_dispatch' trigger")
        typed = dispatch_inputs(file.triggers[event], inputs)
        texts = {name: "true" if value is True else "false" if value is False else str(value) for name, value in typed.items()}
        payload = {"inputs": texts, "ref": full_ref, "workflow": file.path, **self._common_payload(actor)}
        origin = Origin(event, sha, full_ref, sha, short_ref(full_ref))
        return self._create(file, origin, payload, typed, actor).id

    def list_runs(self, *, workflow: str | None, head_sha: str | None, event: str | None, branch: str | None) -> list[Json]:
        """The runs that match all given filters, newest first."""
        found = [
            run
            for run in reversed(self._runs.values())
            if (workflow is None or workflow in (run.path, run.path.removeprefix(WORKFLOWS), str(run.workflow_id)))
            and (head_sha is None or run.origin.head_sha == head_sha)
            and (event is None or run.origin.event == event)
            and (branch is None or run.origin.head_branch == branch)
        ]
        return [run_json(run, self._repo) for run in found]

    def get_run(self, run_id: int) -> Json:
        return run_json(self._run(run_id), self._repo)

    async def rerun(self, run_id: int, actor: str) -> None:
        """Runs all jobs again for the same event, file and commit; the id stays, `run_attempt` rises.

        Raises DispatchRefused while the run is not completed.
        """
        run = self._run(run_id)
        if run.status != "completed":
            raise DispatchRefused(f"This workflow run is {run.status}; it can be run again when it is completed")
        run.attempt += 1
        run.status, run.conclusion, run.jobs, run.stop = "queued", None, {}, asyncio.Event()
        run.triggering_actor = actor
        run.started_at = run.updated_at = self._clock()
        self._begin(run)

    def list_jobs(self, run_id: int) -> list[Json]:
        """The jobs of the run's latest attempt."""
        run = self._run(run_id)
        return [job_json(record, run, self._repo) for record in run.jobs.values()]

    def job_log(self, job_id: int) -> str:
        """The end of a job's log, secrets masked. Raises RunNotFound."""
        for run in self._runs.values():
            for record in run.jobs.values():
                if record.id == job_id:
                    return record.log.text() if record.log else ""
        raise RunNotFound(f"there is no job {job_id}")

    def _run(self, run_id: int) -> Run:
        if run_id not in self._runs:
            raise RunNotFound(f"there is no workflow run {run_id}")
        return self._runs[run_id]

    async def _on_event(self, event: RepoEvent) -> None:
        if not self._open or not event.starts_workflows:
            return
        for origin in origins_of(event, self._repo.default_branch, self._repo.resolve):
            for file in self._workflow_files(origin.sha):
                self._consider(file, event, origin)

    def _consider(self, file: WorkflowFile, event: RepoEvent, origin: Origin) -> None:
        if origin.event in file.broken_triggers or (origin.event == "push" and file.broken):
            problem = file.broken_triggers.get(origin.event) or file.broken
            self._create(file, origin, event.payload, {}, event.sender, problem)
            return
        trigger = file.triggers.get(origin.event)
        if trigger is not None and starts(trigger, event, origin, lambda: self._changed(event)):
            self._create(file, origin, event.payload, {}, event.sender)

    def _changed(self, event: RepoEvent) -> Sequence[str]:
        before = str(event.payload.get("before") or "")
        return self._repo.changed_paths(before if before.strip("0") else None, str(event.payload["after"]))

    def _create(
        self,
        file: WorkflowFile,
        origin: Origin,
        payload: Json,
        inputs: dict[str, Any],
        actor: str,
        problem: UnsupportedSyntax | None = None,
    ) -> Run:
        self._numbers[file.path] = number = self._numbers.get(file.path, 0) + 1
        now = self._clock()
        run = Run(
            id=len(self._runs) + 1,
            number=number,
            workflow_id=self._workflow_ids.setdefault(file.path, len(self._workflow_ids) + 1),
            path=file.path,
            name=file.name,
            workflow=problem or _parse(file),
            origin=origin,
            payload=payload,
            inputs=inputs,
            actor=actor,
            triggering_actor=actor,
            title=title_of(payload, file.name),
            created_at=now,
            started_at=now,
            updated_at=now,
        )
        self._name(run)
        self._runs[run.id] = run
        self._begin(run)
        return run

    def _name(self, run: Run) -> None:
        if not isinstance(run.workflow, Workflow) or run.workflow.run_name is None:
            return
        contexts = {"github": github_context(run, self._repo), "inputs": run.inputs, "vars": dict(self._settings.variables)}
        try:
            run.title = render(run.workflow.run_name, Scope(contexts)) or run.title
        except ExpressionError as error:
            run.workflow = UnsupportedSyntax(run.path, "run-name", str(error))

    def _begin(self, run: Run) -> None:
        task = asyncio.create_task(self._executor.execute(run), name=f"run {run.id} of {run.path}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("%s broke: %s", task.get_name(), error, exc_info=error)

    def _workflow_files(self, commit: str) -> list[WorkflowFile]:
        if commit not in self._files:
            paths = [path for path in self._repo.list_files(commit, WORKFLOWS) if _is_workflow(path)]
            contents = ((path, self._repo.read_file(commit, path)) for path in sorted(paths))
            self._files[commit] = [self._read(path, content) for path, content in contents if content is not None]
            while len(self._files) > _REMEMBERED_COMMITS:
                del self._files[next(iter(self._files))]
        return self._files[commit]

    def _find_file(self, commit: str, workflow: str) -> WorkflowFile:
        for file in self._workflow_files(commit):
            identity = str(self._workflow_ids.get(file.path, ""))
            if workflow in (file.path, file.path.removeprefix(WORKFLOWS)) or (identity and workflow == identity):
                return file
        raise RunNotFound(f"there is no workflow {workflow!r} at {commit[:12]}")

    def _full_ref(self, ref: str) -> str | None:
        if ref.startswith("refs/"):
            return ref
        candidates = (f"refs/heads/{ref}", f"refs/tags/{ref}")
        return next((candidate for candidate in candidates if self._repo.resolve(candidate)), None)

    def _common_payload(self, actor: str) -> Json:
        return {"repository": repository_json(self._repo), "sender": {"login": actor}}


def _is_workflow(path: str) -> bool:
    name = path.removeprefix(WORKFLOWS)
    return "/" not in name and name.endswith((".yml", ".yaml"))


def _parse(file: WorkflowFile) -> Workflow | UnsupportedSyntax:
    try:
        return parse_workflow(file.path, file.name, file.document)
    except UnsupportedSyntax as error:
        return error
