"""Runs the steps of one job, one after another, as GitHub's runner does."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.local.actions.artifacts import cache, download_artifact, upload_artifact
from bot.local.actions.checkout import checkout, setup_python
from bot.local.actions.composite import fit_inputs, load_composite
from bot.local.actions.contexts import hash_files, runner_os
from bot.local.actions.evaluate import Scope, condition, render
from bot.local.actions.expressions import ExpressionError
from bot.local.actions.run import StepRecord
from bot.local.actions.site import ActionFailed, JobSite, NativeAction
from bot.local.actions.stepfiles import StepFileError, StepFiles
from bot.local.actions.workflow import Job, RunDefaults, Step, UnsupportedSyntax

CANCEL_GRACE_S = 10.0  # for `if: always()` steps after a cancel or a time-out
SUMMARY_CHARACTERS = 65_535
_SHELLS = {
    None: ("bash", "-e"),
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"),
    "sh": ("sh", "-e"),
    "python": ("python",),
}
_ACTIONS: dict[str, NativeAction] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/upload-artifact": upload_artifact,
    "actions/download-artifact": download_artifact,
    "actions/cache": cache,
}
_ACTION_DEPTH = 5


@dataclass(frozen=True)
class JobOutcome:
    conclusion: str
    outputs: dict[str, str]
    title: str
    summary: str


@dataclass
class Frame:
    """One list of steps being run: the job's own, or those of a composite action."""

    inputs: Mapping[str, Any]
    env: dict[str, str]
    defaults: RunDefaults
    depth: int = 0
    action_path: str = ""
    failed: bool = False
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)


class JobRun:
    """One attempt at one job. `contexts` are those that do not change while it runs: github, needs, inputs, secrets, vars."""

    def __init__(
        self,
        job: Job,
        site: JobSite,
        contexts: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        defaults: RunDefaults,
        stop: asyncio.Event,
        timeout_s: float,
        steps: list[StepRecord],
        clock: Callable[[], float],
    ) -> None:
        self.job, self.site, self.contexts, self.stop = job, site, contexts, stop
        self.records, self.clock = steps, clock
        self.frame = Frame(contexts["inputs"], dict(env), defaults)
        self.deadline = asyncio.get_running_loop().time() + timeout_s
        self.timeout_s = timeout_s
        self.timed_out = False
        self.count = 0
        self.summaries: list[str] = []
        self.paths: list[str] = []
        self.last_failed = ""

    async def run(self) -> JobOutcome:
        """Runs every step whose condition holds, then gives the job's conclusion and outputs. Leaves no process behind."""
        began = self.clock()
        try:
            for number, step in enumerate(self.job.steps, 1):
                record = StepRecord(step.title, number)
                self.records.append(record)
                await self._recorded(step, record)
            if self.conclusion == "success":
                await self._after_success()
            outputs = self._outputs()
        finally:
            await self.site.children.close()
        title = f"Successful in {max(0, round(self.clock() - began))} s" if self.conclusion == "success" else self._failure_title()
        return JobOutcome(self.conclusion, outputs, title, self._summary())

    async def _after_success(self) -> None:
        for save in self.site.after_success:
            try:
                await save()
            except OSError as error:
                self.site.log.write(f"##[warning]the cache was not saved: {error}")

    @property
    def conclusion(self) -> str:
        if self.timed_out:
            return "timed_out"
        if self.stop.is_set():
            return "cancelled"
        return "failure" if self.frame.failed else "success"

    def _failure_title(self) -> str:
        if self.conclusion == "timed_out":
            return f"Timed out after {self.timeout_s:g} s"
        return "Cancelled" if self.conclusion == "cancelled" else self.last_failed

    async def _recorded(self, step: Step, record: StepRecord) -> None:
        record.status, record.started_at = "in_progress", self.clock()
        outcome, title = await self._step(step, self.frame)
        record.name = title
        record.status, record.completed_at, record.conclusion = "completed", self.clock(), outcome
        if outcome == "failure":
            self.last_failed = title

    async def _step(self, step: Step, frame: Frame) -> tuple[str, str]:
        """Runs one step if its condition holds; gives its conclusion and its title."""
        outputs: dict[str, str] = {}
        title = step.title
        try:
            scope = self._scope(frame, frame.env)
            env = {**frame.env, **{name: render(value, scope) for name, value in step.env.items()}}
            scope = self._scope(frame, env)
            if not condition(step.condition or "success()", scope):
                self._remember(step, frame, "skipped", "skipped", outputs)
                return "skipped", title
            title = self.site.log.masked(render(step.name, scope)) if step.name else title
            self.site.log.write(f"##[group]{title}")
            continues = render(step.continue_on_error, scope) == "true"
            ok = await self._do(step, frame, env, scope, outputs)
        except (ActionFailed, ExpressionError, StepFileError, UnsupportedSyntax, OSError) as error:
            self.site.log.write(f"##[error]{step.where}: {error}")
            ok, continues = False, step.continue_on_error == "true"
        outcome = "success" if ok else "cancelled" if self.stop.is_set() and not frame.failed else "failure"
        conclusion = "success" if continues else outcome
        frame.failed = frame.failed or conclusion == "failure"
        self._remember(step, frame, outcome, conclusion, outputs)
        return conclusion, title

    def _remember(self, step: Step, frame: Frame, outcome: str, conclusion: str, outputs: dict[str, str]) -> None:
        if step.id:
            frame.steps[step.id] = {"outcome": outcome, "conclusion": conclusion, "outputs": outputs}

    async def _do(self, step: Step, frame: Frame, env: dict[str, str], scope: Scope, outputs: dict[str, str]) -> bool:
        stop, limit_s, is_job_limit = self._limits(step, scope)
        work = asyncio.ensure_future(self._perform(step, frame, env, scope, outputs))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            done, _ = await asyncio.wait({work, stopped}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if work in done:
                return work.result()
        finally:
            stopped.cancel()
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        if not done:
            self.timed_out = self.timed_out or is_job_limit
            self.site.log.write(f"##[error]{'the job' if is_job_limit else step.where} has exceeded its time limit")
        return False

    def _limits(self, step: Step, scope: Scope) -> tuple[asyncio.Event, float, bool]:
        """What ends a step early: the run's stop, a time in seconds, and whether that time is the job's."""
        left_s = self.deadline - asyncio.get_running_loop().time()
        stop = self.stop
        if self.stop.is_set() or self.timed_out:
            stop, left_s = asyncio.Event(), CANCEL_GRACE_S
        own_s = minutes_to_s(render(step.timeout_minutes, scope), step.where) if step.timeout_minutes else math.inf
        return stop, max(0.0, min(left_s, own_s)), left_s <= own_s

    async def _perform(self, step: Step, frame: Frame, env: dict[str, str], scope: Scope, outputs: dict[str, str]) -> bool:
        if step.run is not None:
            return await self._script(step, frame, env, scope, outputs)
        arguments = {name: render(value, scope) for name, value in step.arguments.items()}
        uses = step.uses or ""
        if uses.startswith("./"):
            return await self._composite(uses, arguments, frame, env, outputs)
        outputs.update(await _ACTIONS[uses.partition("@")[0]](self.site, arguments))
        return True

    async def _script(self, step: Step, frame: Frame, env: dict[str, str], scope: Scope, outputs: dict[str, str]) -> bool:
        self.count += 1
        folder = self.site.folders.temp / "_runner" / str(self.count)
        files = StepFiles.create(folder)
        shell = step.shell or frame.defaults.shell
        script = folder / ("script.py" if shell == "python" else "script.sh")
        script.write_text(render(step.run or "", scope))
        where = self.site.inside(render(step.working_directory or frame.defaults.working_directory or ".", scope))
        environment = self._environment(frame, env) | files.environment()
        try:
            returncode = await self.site.children.run((*_SHELLS[shell], str(script)), cwd=where, env=environment, line=self.site.log.write)
        finally:
            self._take(files, frame, outputs)
        if returncode != 0:
            self.site.log.write(f"##[error]Process completed with exit code {returncode}.")
        return returncode == 0

    def _environment(self, frame: Frame, env: Mapping[str, str]) -> dict[str, str]:
        """The minimal environment, then the workflow's `env`, which cannot replace what the runner says (GITHUB_*, RUNNER_*)."""
        own = self.site.environment
        fixed = {name: value for name, value in own.items() if name.startswith(("GITHUB_", "RUNNER_"))}
        environment = {**own, **env, **fixed}
        if frame.action_path:
            environment["GITHUB_ACTION_PATH"] = frame.action_path
        environment["PATH"] = os.pathsep.join([*reversed(self.paths), environment["PATH"]])
        return environment

    def _take(self, files: StepFiles, frame: Frame, outputs: dict[str, str]) -> None:
        """Takes over what the step wrote for others."""
        if summary := files.summary():
            self.summaries.append(summary)
        self.paths += files.path()
        outputs.update(files.outputs())
        frame.env.update(files.env())
        self.frame.env.update(files.env())

    async def _composite(self, uses: str, arguments: dict[str, str], frame: Frame, env: dict[str, str], outputs: dict[str, str]) -> bool:
        if frame.depth >= _ACTION_DEPTH:
            raise ActionFailed(f"{uses}: composite actions are nested deeper than {_ACTION_DEPTH}")
        action = load_composite(self.site, uses)
        inputs = fit_inputs(action, uses, arguments, self._scope(frame, env))
        inner = Frame(inputs, dict(env), RunDefaults(), frame.depth + 1, action_path=str(self.site.inside(uses)))
        for step in action.steps:
            conclusion, title = await self._step(step, inner)
            if conclusion == "failure":
                self.site.log.write(f"##[error]{uses}: step {title!r} failed")
        scope = self._scope(inner, inner.env)
        outputs.update({name: render(value, scope) for name, value in action.outputs.items()})
        return not inner.failed

    def _scope(self, frame: Frame, env: Mapping[str, str]) -> Scope:
        cancelled = self.stop.is_set() or self.timed_out
        succeeding = not frame.failed and not cancelled
        contexts = {
            **self.contexts,
            "github": {**self.contexts["github"], "action_path": frame.action_path},
            "inputs": frame.inputs,
            "env": env,
            "steps": frame.steps,
            "job": {"status": "cancelled" if cancelled else "failure" if frame.failed else "success"},
            "runner": {"os": runner_os(), "temp": str(self.site.folders.temp), "name": "embedded", "arch": "X64"},
        }
        status = {"success": succeeding, "failure": frame.failed and not cancelled, "always": True, "cancelled": cancelled}
        return Scope(contexts, status, lambda patterns: hash_files(self.site.folders.workspace, patterns))

    def _outputs(self) -> dict[str, str]:
        scope = self._scope(self.frame, self.frame.env)
        outputs: dict[str, str] = {}
        for name, template in self.job.outputs.items():
            try:
                value = render(template, scope)
            except ExpressionError as error:
                self.site.log.write(f"##[error]outputs.{name}: {error}")
                self.frame.failed, self.last_failed = True, f"outputs.{name}"
                continue
            if self.site.log.masked(value) != value:
                self.site.log.write(f"##[warning]output {name!r} is not handed on: it may contain a secret")
                continue
            outputs[name] = value
        return outputs

    def _summary(self) -> str:
        text = self.site.log.masked("\n".join(self.summaries))
        if len(text) <= SUMMARY_CHARACTERS:
            return text
        notice = "\n\n(cut: longer than GitHub allows)"
        return text[: SUMMARY_CHARACTERS - len(notice)] + notice


def minutes_to_s(text: str, where: str) -> float:
    """`timeout-minutes` in seconds. Raises ExpressionError when it is no positive number."""
    try:
        minutes = float(text)
    except ValueError as error:
        raise ExpressionError(f"{where}: timeout-minutes must be a number, not {text!r}") from error
    if not minutes > 0:
        raise ExpressionError(f"{where}: timeout-minutes must be more than 0, not {text!r}")
    return minutes * 60
