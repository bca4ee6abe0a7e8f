"""The nouns of a workflow file, as far as the embedded Actions runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class UnsupportedSyntax(ValueError):
    """A workflow file is malformed or uses something that the embedded Actions does not run; names file, place and key."""

    def __init__(self, file: str, where: str, problem: str) -> None:
        self.file, self.where, self.problem = file, where, problem
        super().__init__(f"{file}: {where}: {problem}" if where else f"{file}: {problem}")


@dataclass(frozen=True)
class Input:
    """One input of `workflow_dispatch` or of a composite action."""

    name: str
    kind: str = "string"  # string | number | boolean | choice
    required: bool = False
    default: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trigger:
    """One event under `on:` with its filters; an empty filter lets everything through."""

    event: str
    types: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    paths_ignore: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True)
class Concurrency:
    group: str
    cancel_in_progress: str = "false"


@dataclass(frozen=True)
class RunDefaults:
    shell: str | None = None
    working_directory: str | None = None


@dataclass(frozen=True)
class Step:
    """One step; `run` or `uses` is set. All texts may hold expressions."""

    where: str
    id: str | None = None
    name: str | None = None
    condition: str | None = None
    run: str | None = None
    uses: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    shell: str | None = None
    working_directory: str | None = None
    continue_on_error: str = "false"
    timeout_minutes: str | None = None

    @property
    def title(self) -> str:
        """What GitHub shows for a step without a name."""
        if self.name:
            return self.name
        first_line = (self.uses or self.run or "").strip().split("\n", 1)[0]
        return f"Run {first_line}"


@dataclass(frozen=True)
class Job:
    id: str
    steps: tuple[Step, ...]
    labels: tuple[str, ...]
    name: str | None = None
    needs: tuple[str, ...] = ()
    condition: str | None = None
    permissions: Mapping[str, str] | None = None
    environment: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    timeout_minutes: str | None = None
    concurrency: Concurrency | None = None
    defaults: RunDefaults = RunDefaults()


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow file whose `on:` is read but whose jobs are not yet checked: enough to know when it starts."""

    path: str
    name: str
    document: Mapping[str, Any]
    triggers: Mapping[str, Trigger]
    broken_triggers: Mapping[str, UnsupportedSyntax]
    broken: UnsupportedSyntax | None = None  # not YAML, or no readable `on:`; such a file fails on every push


@dataclass(frozen=True)
class Workflow:
    """A workflow whose every key and expression is known to be runnable here."""

    path: str
    name: str
    jobs: Mapping[str, Job]
    run_name: str | None = None
    permissions: Mapping[str, str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    concurrency: Concurrency | None = None
    defaults: RunDefaults = RunDefaults()


@dataclass(frozen=True)
class CompositeAction:
    """A local `action.yml` with `runs.using: composite`."""

    inputs: tuple[Input, ...]
    outputs: Mapping[str, str]
    steps: tuple[Step, ...]
