"""Turns a workflow file into its nouns; every key, action and expression that would not run here is an error, never skipped."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.local.actions.document import Node, load_yaml
from bot.local.actions.evaluate import PURE_FUNCTIONS, STATUS_FUNCTIONS
from bot.local.actions.natives import check_uses
from bot.local.actions.workflow import CompositeAction, Concurrency, Input, Job, RunDefaults, Step, Workflow

_RUN = frozenset({"github", "inputs", "vars"})
_JOB = _RUN | {"needs"}
_STEP = _JOB | {"job", "runner", "env", "secrets", "steps"}
_COMPOSITE = frozenset({"github", "inputs", "job", "runner", "env", "steps"})
_HASH = PURE_FUNCTIONS | {"hashfiles"}

_WORKFLOW_KEYS = frozenset({"name", "run-name", "on", "permissions", "env", "concurrency", "defaults", "jobs"})
_JOB_KEYS = frozenset(
    [
        "name",
        "needs",
        "if",
        "runs-on",
        "permissions",
        "environment",
        "env",
        "outputs",
        "timeout-minutes",
        "concurrency",
        "defaults",
        "steps",
    ],
)
_STEP_KEYS = frozenset(
    ["name", "id", "if", "run", "shell", "working-directory", "env", "continue-on-error", "timeout-minutes", "uses", "with"]
)
_SHELLS = frozenset({"bash", "sh", "python"})
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
SCOPES = frozenset(
    [
        "actions",
        "attestations",
        "checks",
        "contents",
        "deployments",
        "discussions",
        "id-token",
        "issues",
        "models",
        "packages",
        "pages",
        "pull-requests",
        "repository-projects",
        "security-events",
        "statuses",
    ]
)


def parse_workflow(path: str, name: str, document: object) -> Workflow:
    """The checked workflow. Raises UnsupportedSyntax."""
    root = Node(path, "", document).mapping(_WORKFLOW_KEYS, frozenset({"on", "jobs"}))
    jobs = {job_id: _job(job_id, node) for job_id, node in root.child("jobs").mapping().items()}
    if not jobs:
        raise root.child("jobs").wrong("holds no job")
    _check_needs(root.child("jobs"), jobs)
    return Workflow(
        path=path,
        name=name,
        jobs=jobs,
        run_name=root.child("run-name").template(_RUN, PURE_FUNCTIONS) or None,
        permissions=_permissions(root.child("permissions")),
        env=root.child("env").templates(_RUN | {"secrets"}, PURE_FUNCTIONS),
        concurrency=_concurrency(root.child("concurrency"), _RUN),
        defaults=_defaults(root.child("defaults")),
    )


def parse_composite(path: str, content: bytes) -> CompositeAction:
    """A local composite action's `action.yml`. Raises UnsupportedSyntax."""
    keys = frozenset({"name", "description", "author", "inputs", "outputs", "runs"})
    root = Node(path, "", load_yaml(path, content)).mapping(keys, frozenset({"runs"}))
    runs = root.child("runs").mapping(frozenset({"using", "steps"}), frozenset({"using", "steps"}))
    if runs.value["using"] != "composite":
        raise runs.child("using").wrong(f"{runs.value['using']!r} is not supported; supported: composite")
    inputs: list[Input] = []
    for name, node in root.child("inputs").mapping().items() if root.value.get("inputs") else ():
        node.mapping(frozenset({"description", "required", "default"}))
        default = node.child("default").template(frozenset({"github"}), PURE_FUNCTIONS) if node.has("default") else None
        inputs.append(Input(name, required=node.has("required") and node.child("required").flag(), default=default))
    outputs: dict[str, str] = {}
    for name, node in root.child("outputs").mapping().items() if root.value.get("outputs") else ():
        node.mapping(frozenset({"description", "value"}), frozenset({"value"}))
        outputs[name] = node.child("value").template(_COMPOSITE, PURE_FUNCTIONS)
    return CompositeAction(tuple(inputs), outputs, _steps(runs.child("steps"), _COMPOSITE, composite=True))


def _job(job_id: str, node: Node) -> Job:
    if not _ID.fullmatch(job_id):
        raise node.wrong("a job's id may hold letters, digits, - and _ only")
    node.mapping(_JOB_KEYS, frozenset({"runs-on", "steps"}))
    labels = node.child("runs-on").texts()
    if not labels or not all(label.startswith("ubuntu") for label in labels):
        raise node.child("runs-on").wrong(f"{', '.join(labels)!r} is not supported; supported: any ubuntu label")
    return Job(
        id=job_id,
        steps=_steps(node.child("steps"), _STEP, composite=False),
        labels=labels,
        name=node.child("name").template(_JOB, PURE_FUNCTIONS) or None,
        needs=node.child("needs").texts(),
        condition=node.child("if").condition(_JOB, PURE_FUNCTIONS | STATUS_FUNCTIONS),
        permissions=_permissions(node.child("permissions")),
        environment=_environment(node.child("environment")),
        env=node.child("env").templates(_JOB | {"secrets"}, PURE_FUNCTIONS),
        outputs=node.child("outputs").templates(_STEP, PURE_FUNCTIONS),
        timeout_minutes=node.child("timeout-minutes").template(_JOB, PURE_FUNCTIONS) or None,
        concurrency=_concurrency(node.child("concurrency"), _JOB),
        defaults=_defaults(node.child("defaults")),
    )


def _check_needs(node: Node, jobs: Mapping[str, Job]) -> None:
    done: set[str] = set()
    for job in jobs.values():
        for need in job.needs:
            if need not in jobs:
                raise node.child(job.id).child("needs").wrong(f"there is no job {need!r}")
    while len(done) < len(jobs):
        ready = {job.id for job in jobs.values() if job.id not in done and done.issuperset(job.needs)}
        if not ready:
            raise node.wrong(f"jobs need each other in a circle: {', '.join(sorted(jobs.keys() - done))}")
        done |= ready


def _steps(node: Node, contexts: frozenset[str], *, composite: bool) -> tuple[Step, ...]:
    steps = tuple(_step(element, contexts, composite=composite) for element in node.elements())
    if not steps:
        raise node.wrong("holds no step")
    ids = [step.id for step in steps if step.id]
    for step_id in ids:
        if ids.count(step_id) > 1:
            raise node.wrong(f"id {step_id!r} stands twice")
    return steps


def _step(node: Node, contexts: frozenset[str], *, composite: bool) -> Step:
    node.mapping(_STEP_KEYS)
    if node.has("run") == node.has("uses"):
        raise node.wrong("needs exactly one of 'run' and 'uses'")
    for key in ("shell", "working-directory") if node.has("uses") else ("with",):
        if node.has(key):
            raise node.wrong(f"key {key!r} does not go with {'uses' if node.has('uses') else 'run'!r}")
    if composite and node.has("run") and not node.has("shell"):
        raise node.wrong("key 'shell' is missing; a composite action's run step must name it")
    step_id = node.child("id").text() or None
    if step_id and not _ID.fullmatch(step_id):
        raise node.child("id").wrong("may hold letters, digits, - and _ only")
    arguments = node.child("with").templates(contexts, _HASH)
    if node.has("uses"):
        check_uses(node.child("uses"), arguments)
    return Step(
        where=node.where,
        id=step_id,
        name=node.child("name").template(contexts, _HASH) or None,
        condition=node.child("if").condition(contexts - {"secrets"}, _HASH | STATUS_FUNCTIONS),
        run=node.child("run").template(contexts, _HASH) if node.has("run") else None,
        uses=node.child("uses").text() if node.has("uses") else None,
        arguments=arguments,
        env=node.child("env").templates(contexts, _HASH),
        shell=_shell(node.child("shell")),
        working_directory=node.child("working-directory").template(contexts, _HASH) or None,
        continue_on_error=node.child("continue-on-error").template(contexts, _HASH) or "false",
        timeout_minutes=node.child("timeout-minutes").template(contexts, _HASH) or None,
    )


def _shell(node: Node) -> str | None:
    shell = node.text() or None
    if shell is not None and shell not in _SHELLS:
        raise node.wrong(f"shell {shell!r} is not supported; supported: {', '.join(sorted(_SHELLS))}")
    return shell


def _permissions(node: Node) -> dict[str, str] | None:
    if node.value is None:
        return None
    if isinstance(node.value, str):
        if node.value not in ("read-all", "write-all"):
            raise node.wrong(f"{node.value!r} is neither read-all, write-all nor a mapping")
        return dict.fromkeys(sorted(SCOPES), node.value.removesuffix("-all"))
    permissions: dict[str, str] = {}
    for scope, level in node.mapping(SCOPES).items():
        if level.text() not in ("read", "write", "none"):
            raise level.wrong(f"{level.text()!r} is neither read, write nor none")
        if level.text() != "none":
            permissions[scope] = level.text()
    return permissions


def _environment(node: Node) -> str | None:
    if isinstance(node.value, dict):
        node.mapping(frozenset({"name", "url"}), frozenset({"name"}))
        node.child("url").template(_STEP, PURE_FUNCTIONS)
        return node.child("name").template(_JOB, PURE_FUNCTIONS)
    return node.template(_JOB, PURE_FUNCTIONS) or None


def _concurrency(node: Node, contexts: frozenset[str]) -> Concurrency | None:
    if node.value is None:
        return None
    if isinstance(node.value, dict):
        node.mapping(frozenset({"group", "cancel-in-progress"}), frozenset({"group"}))
        cancel = node.child("cancel-in-progress").template(contexts, PURE_FUNCTIONS) or "false"
        return Concurrency(node.child("group").template(contexts, PURE_FUNCTIONS), cancel)
    return Concurrency(node.template(contexts, PURE_FUNCTIONS))


def _defaults(node: Node) -> RunDefaults:
    if node.value is None:
        return RunDefaults()
    run = node.mapping(frozenset({"run"}), frozenset({"run"})).child("run")
    run.mapping(frozenset({"shell", "working-directory"}))
    return RunDefaults(_shell(run.child("shell")), run.child("working-directory").template(_JOB, PURE_FUNCTIONS) or None)
