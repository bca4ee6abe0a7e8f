"""The `github` context of a run and the environment that a job's processes get: nothing of the parent's leaks into it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.local.actions.run import Run
from bot.local.actions.triggers import short_ref
from bot.local.contracts import Repository, RunnerSettings


@dataclass(frozen=True)
class JobFolders:
    """A job's own directories, all fresh and removed with it."""

    root: Path

    @property
    def workspace(self) -> Path:
        return self.root / "work"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def temp(self) -> Path:
        return self.root / "temp"

    @property
    def event(self) -> Path:
        return self.temp / "_runner" / "event.json"

    def create(self, payload: Mapping[str, Any]) -> None:
        for folder in (self.workspace, self.home, self.event.parent):
            folder.mkdir(parents=True)
        self.event.write_text(json.dumps(payload))


def github_context(run: Run, repo: Repository, *, job_id: str = "", token: str = "", folders: JobFolders | None = None) -> dict[str, Any]:
    """The `github` context; run-level expressions see it without job, token and workspace."""
    origin = run.origin
    context: dict[str, Any] = {
        "event": run.payload,
        "event_name": origin.event,
        "sha": origin.sha,
        "ref": origin.ref,
        "ref_name": short_ref(origin.ref),
        "ref_type": "tag" if origin.ref.startswith("refs/tags/") else "branch",
        "head_ref": origin.head_ref,
        "base_ref": origin.base_ref,
        "repository": repo.full_name,
        "repository_owner": repo.full_name.split("/", 1)[0],
        "actor": run.actor,
        "triggering_actor": run.triggering_actor,
        "run_id": str(run.id),
        "run_number": str(run.number),
        "run_attempt": str(run.attempt),
        "workflow": run.name,
        "workflow_ref": f"{repo.full_name}/{run.path}@{origin.ref}",
        "workflow_sha": origin.sha,
        "api_url": repo.api_url,
        "server_url": repo.web_url,
    }
    if folders is not None:
        context |= {"job": job_id, "token": token, "workspace": str(folders.workspace), "event_path": str(folders.event)}
    return context


def process_environment(github: Mapping[str, Any], folders: JobFolders, settings: RunnerSettings) -> dict[str, str]:
    """What every process of the job finds in its environment: no secret, no token, nothing of ours."""
    fields = [
        "event_name",
        "event_path",
        "sha",
        "ref",
        "ref_name",
        "ref_type",
        "head_ref",
        "base_ref",
        "repository",
        "repository_owner",
        "actor",
        "triggering_actor",
        "run_id",
        "run_number",
        "run_attempt",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "job",
        "api_url",
        "server_url",
        "workspace",
    ]
    return {
        **{f"GITHUB_{field.upper()}": str(github[field]) for field in fields},
        "PATH": os.pathsep.join(_search_path(settings.python)),
        "HOME": str(folders.home),
        "LANG": "C.UTF-8",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "RUNNER_OS": runner_os(),
        "RUNNER_TEMP": str(folders.temp),
        "RUNNER_TOOL_CACHE": str(settings.workdir / "tools"),
        "SRE_INSTALLED_LOCKS": " ".join(settings.installed_locks),
    }


def runner_os() -> str:
    """Said to be Linux everywhere: the workflows ask for an ubuntu runner."""
    return "Linux"


def _search_path(python: str) -> Sequence[str]:
    tools = [shutil.which(tool) for tool in ("git", "bash")]
    folders = [str(Path(python).parent), *(str(Path(tool).parent) for tool in tools if tool), "/usr/local/bin", "/usr/bin", "/bin"]
    return list(dict.fromkeys(folders))


def hash_files(workspace: Path, patterns: Sequence[str]) -> str:
    """`hashFiles()`: SHA-256 over the files' SHA-256s in path order; '' when nothing matches."""
    found: set[Path] = set()
    for pattern in patterns:
        excluded = pattern.startswith("!")
        files = {path for path in workspace.glob(pattern.lstrip("!").lstrip("/")) if path.is_file()}
        found = found - files if excluded else found | files
    total = hashlib.sha256()
    for path in sorted(found):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest() if found else ""
