"""What a running job and the native actions share: its folders, its log, its children and a way to run a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.local.actions.contexts import JobFolders
from bot.local.actions.log import JobLog
from bot.local.actions.process import Children
from bot.local.contracts import Repository, RunnerSettings


class ActionFailed(RuntimeError):
    """A step cannot be done; the message goes to the job's log and the step fails."""


@dataclass
class JobSite:
    """The place where one job runs."""

    repo: Repository
    settings: RunnerSettings
    folders: JobFolders
    artifacts: Path
    log: JobLog
    github: Mapping[str, object]
    environment: dict[str, str]
    children: Children = field(default_factory=Children)
    after_success: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def tool(self, *argv: str, cwd: Path | None = None, extra_env: Mapping[str, str] | None = None) -> None:
        """Runs one command of the runner's own. Raises ActionFailed when it does not succeed."""
        env = {**self.environment, **(extra_env or {})}
        returncode = await self.children.run(argv, cwd=cwd or self.folders.workspace, env=env, line=self.log.write)
        if returncode != 0:
            raise ActionFailed(f"{' '.join(argv[:2])} failed with exit code {returncode}")

    def inside(self, path: str) -> Path:
        """A path that a workflow names, resolved; `~` is the job's home. Raises ActionFailed when it leaves the job's folders."""
        home = path == "~" or path.startswith("~/")
        whole = (self.folders.home / path[1:].lstrip("/")) if home else self.folders.workspace / path
        resolved = whole.resolve()
        roots = [self.folders.workspace.resolve(), self.folders.home.resolve(), self.folders.temp.resolve()]
        if not any(resolved.is_relative_to(root) for root in roots):
            raise ActionFailed(f"path {path!r} leaves the job's folders")
        return resolved


Arguments = Mapping[str, str]
Outputs = dict[str, str]
NativeAction = Callable[[JobSite, Arguments], Awaitable[Outputs]]


def lines_of(text: str) -> Sequence[str]:
    """A multi-line input as its non-empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]
