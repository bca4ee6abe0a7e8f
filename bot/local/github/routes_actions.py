"""REST routes of Actions, answered by whatever runs the workflows (`contracts.WorkflowRuns`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bot.local.contracts import DispatchRefused, RunNotFound, WorkflowRuns
from bot.local.github.app import Operation, operation
from bot.local.github.conversation import announce
from bot.local.github.rest import ApiError, Call, Reply, no_content, not_found, paged

Runs = Callable[[], WorkflowRuns | None]
_CLIENT_PAYLOAD_KEYS = 10


class ActionsRoutes:
    """The handlers; `runs` gives the workflow runner, None while the repository has none."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def operations(self) -> tuple[Operation, ...]:
        read, write = ("read", "actions"), ("write", "actions")
        return (
            operation("POST", "/actions/workflows/{workflow}/dispatches", self._guarded(self.dispatch), *write),
            operation("GET", "/actions/workflows/{workflow}/runs", self._guarded(self.list_runs), *read),
            operation("GET", "/actions/runs", self._guarded(self.list_runs), *read),
            operation("GET", "/actions/runs/{id}", self._guarded(self.get_run), *read),
            operation("POST", "/actions/runs/{id}/rerun", self._guarded(self.rerun), *write),
            operation("POST", "/actions/runs/{id}/rerun-failed-jobs", self._guarded(self.rerun), *write),
            operation("GET", "/actions/runs/{id}/jobs", self._guarded(self.list_jobs), *read),
            operation("GET", "/actions/jobs/{id}/logs", self._guarded(self.job_log), *read),
            operation("POST", "/dispatches", repository_dispatch, "write", "contents"),
        )

    def _guarded(self, handler: Callable[[Call, WorkflowRuns], Awaitable[Reply]]) -> Callable[[Call], Awaitable[Reply]]:
        async def guarded(call: Call) -> Reply:
            runs = self._runs()
            if runs is None:
                raise not_found()
            try:
                return await handler(call, runs)
            except RunNotFound as error:
                raise not_found() from error
            except DispatchRefused as error:
                raise ApiError(422, str(error)) from error

        return guarded

    async def dispatch(self, call: Call, runs: WorkflowRuns) -> Reply:
        inputs = call.fields().get("inputs") or {}
        if not isinstance(inputs, dict):
            raise ApiError(422, "Invalid request.\n\ninputs is not an object.")
        ref = call.text("ref")
        if await asyncio.to_thread(call.hub.git.resolve, ref) is None:
            raise ApiError(422, f"No ref found for: {ref}")
        texts = {str(name): _input_text(value) for name, value in inputs.items()}
        run_id = await runs.dispatch(call.params["workflow"], ref, texts, call.actor.login)
        if not call.flag("return_run_details"):
            return no_content()
        urls = {"run_url": f"{call.hub.api}/actions/runs/{run_id}", "html_url": f"{call.hub.html}/actions/runs/{run_id}"}
        return Reply({"workflow_run_id": run_id, **urls})

    async def list_runs(self, call: Call, runs: WorkflowRuns) -> Reply:
        found = runs.list_runs(
            workflow=call.params.get("workflow"),
            head_sha=call.query.get("head_sha"),
            event=call.query.get("event"),
            branch=call.query.get("branch"),
        )
        status = call.query.get("status")
        wanted = [run for run in found if status in (None, run.get("status"), run.get("conclusion"))]
        return paged(call, wanted, lambda run: run, key="workflow_runs")

    async def get_run(self, call: Call, runs: WorkflowRuns) -> Reply:
        return Reply(runs.get_run(call.number("id")))

    async def rerun(self, call: Call, runs: WorkflowRuns) -> Reply:
        await runs.rerun(call.number("id"), call.actor.login)
        return Reply({}, 201)

    async def list_jobs(self, call: Call, runs: WorkflowRuns) -> Reply:
        return paged(call, runs.list_jobs(call.number("id")), lambda job: job, key="jobs")

    async def job_log(self, call: Call, runs: WorkflowRuns) -> Reply:
        """GitHub redirects to a plain text that needs no token; so does this."""
        runs.job_log(call.number("id"))
        return Reply(None, 302, {"Location": f"{call.hub.html}/actions/jobs/{call.number('id')}/log.txt"})


def _input_text(value: Any) -> str:
    """Inputs travel as text: true, false, numbers and strings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ApiError(422, f"Invalid request.\n\n{value!r} cannot be an input.")


def repository_dispatch(call: Call) -> Reply:
    payload = call.fields().get("client_payload") or {}
    if not isinstance(payload, dict) or len(payload) > _CLIENT_PAYLOAD_KEYS:
        raise ApiError(422, f"Invalid request.\n\nclient_payload is not an object of at most {_CLIENT_PAYLOAD_KEYS} keys.")
    body = {"branch": call.hub.default_branch, "client_payload": payload}
    announce(call.hub, call.actor, "repository_dispatch", call.text("event_type"), body, always_starts=True)
    return no_content()
