"""Which workflows an event starts, and which commit then supplies the file, GITHUB_SHA, GITHUB_REF and the checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.local.actions.document import Node, load_yaml
from bot.local.actions.patterns import any_matches, matches
from bot.local.actions.workflow import Input, Trigger, UnsupportedSyntax, WorkflowFile
from bot.local.contracts import DispatchRefused, Json, RepoEvent

WORKFLOWS = ".github/workflows/"
_PULL_TYPES = ("opened", "synchronize", "reopened")
_FILTERS = {
    "workflow_dispatch": frozenset({"inputs"}),
    "pull_request_target": frozenset({"types", "branches"}),
    "pull_request": frozenset({"types", "branches"}),
    "push": frozenset({"branches", "paths", "paths-ignore"}),
    "issues": frozenset({"types"}),
    "issue_comment": frozenset({"types"}),
    "merge_group": frozenset({"types", "branches"}),
    "schedule": frozenset({"cron"}),
}
_INPUT_KINDS = ("string", "number", "boolean", "choice")


@dataclass(frozen=True)
class Origin:
    """Where a run's file and code come from (`sha`, `ref`) and which commit its checks belong to (`head_sha`)."""

    event: str
    sha: str
    ref: str
    head_sha: str
    head_branch: str
    head_ref: str = ""
    base_ref: str = ""


def read_workflow_file(path: str, content: bytes) -> WorkflowFile:
    """Reads `name:` and `on:`; what is wrong with them is kept for the event that would have started the file."""
    name = path
    try:
        document = load_yaml(path, content)
        root = Node(path, "", document).mapping()
        name = root.child("name").text() or path
        # `on` missing, or naming an event that never starts anything here, must not stay silent.
        declared = _declared_events(root.mapping(required=frozenset({"on"})).child("on"))
    except UnsupportedSyntax as error:
        return WorkflowFile(path, name, {}, {}, {}, broken=error)
    triggers: dict[str, Trigger] = {}
    wrong: dict[str, UnsupportedSyntax] = {}
    for event, node in declared.items():
        try:
            triggers[event] = _trigger(event, node)
        except UnsupportedSyntax as error:
            wrong[event] = error
    unknown = next((wrong[event] for event in wrong if event not in _FILTERS), None)
    return WorkflowFile(path, name, document, triggers, wrong, broken=unknown)


def _declared_events(node: Node) -> dict[str, Node]:
    if isinstance(node.value, dict):
        return dict(node.mapping().items())
    return {event: Node(node.file, f"on.{event}", None) for event in node.texts()}


def _trigger(event: str, node: Node) -> Trigger:
    if event not in _FILTERS:
        raise UnsupportedSyntax(node.file, "on", f"event {event!r} is not supported; supported: {', '.join(sorted(_FILTERS))}")
    if node.value is None:
        return Trigger(event)
    if event == "schedule":
        for entry in node.elements():
            entry.mapping(frozenset({"cron", "timezone"}), frozenset({"cron"})).child("cron").text()
        return Trigger(event)
    node.mapping(_FILTERS[event])
    return Trigger(
        event,
        types=node.child("types").texts(),
        branches=node.child("branches").texts(),
        paths=node.child("paths").texts(),
        paths_ignore=node.child("paths-ignore").texts(),
        inputs=_inputs(node.child("inputs")),
    )


def _inputs(node: Node) -> tuple[Input, ...]:
    if node.value is None:
        return ()
    inputs: list[Input] = []
    for name, entry in node.mapping().items():
        if entry.value is None:
            inputs.append(Input(name))
            continue
        entry.mapping(frozenset({"description", "required", "default", "type", "options"}))
        kind = entry.child("type").text() or "string"
        if kind not in _INPUT_KINDS:
            raise entry.child("type").wrong(f"{kind!r} is not supported; supported: {', '.join(_INPUT_KINDS)}")
        default = entry.child("default").text() if entry.has("default") else None
        required = entry.has("required") and entry.child("required").flag()
        inputs.append(Input(name, kind, required, default, entry.child("options").texts()))
    return tuple(inputs)


def origins_of(event: RepoEvent, default_branch: str, resolve: Callable[[str], str | None]) -> list[Origin]:
    """The kinds of run that a repository event can start; a pull request's event starts two kinds."""
    payload = event.payload
    base_sha = resolve(f"refs/heads/{default_branch}")
    base_ref = f"refs/heads/{default_branch}"
    if event.name == "push":
        sha, ref = str(payload.get("after", "")), str(payload["ref"])
        return [] if not sha.strip("0") else [Origin("push", sha, ref, sha, short_ref(ref))]
    if event.name == "merge_group":
        group = payload["merge_group"]
        ref = str(group["head_ref"])
        return [Origin("merge_group", group["head_sha"], ref, group["head_sha"], short_ref(ref))]
    if event.name in ("issues", "issue_comment"):
        return [] if base_sha is None else [Origin(event.name, base_sha, base_ref, base_sha, default_branch)]
    if event.name != "pull_request":
        return []
    pull = payload["pull_request"]
    head_sha, head_ref, pull_base = str(pull["head"]["sha"]), str(pull["head"]["ref"]), str(pull["base"]["ref"])
    # GitHub's GITHUB_SHA is the test merge commit; here it is the head itself.
    found = [Origin("pull_request", head_sha, f"refs/pull/{pull['number']}/merge", head_sha, head_ref, head_ref, pull_base)]
    if base_sha is not None:
        found.append(Origin("pull_request_target", base_sha, base_ref, head_sha, head_ref, head_ref, pull_base))
    return found


def starts(trigger: Trigger, event: RepoEvent, origin: Origin, changed: Callable[[], Sequence[str]]) -> bool:
    """Whether the event passes the trigger's filters. `changed` gives a push's changed paths and is asked only when needed."""
    types = trigger.types or (_PULL_TYPES if origin.event.startswith("pull_request") else ())
    if types and event.action not in types:
        return False
    if origin.event == "push" and not origin.ref.startswith("refs/heads/"):
        return not trigger.branches
    branch = origin.base_ref or origin.head_branch
    if origin.event == "merge_group":
        branch = short_ref(str(event.payload["merge_group"].get("base_ref", "")))
    if trigger.branches and not matches(trigger.branches, branch):
        return False
    if trigger.paths and not any_matches(trigger.paths, changed()):
        return False
    return not trigger.paths_ignore or not changed() or any(not matches(trigger.paths_ignore, path) for path in changed())


def dispatch_inputs(trigger: Trigger, given: Mapping[str, str]) -> dict[str, Any]:
    """The typed `inputs` context of a dispatch. Raises DispatchRefused for an unknown, missing or badly typed input."""
    unknown = sorted(given.keys() - {entry.name for entry in trigger.inputs})
    if unknown:
        raise DispatchRefused(f"Unexpected inputs provided: {unknown}")
    return {entry.name: _typed(entry, given.get(entry.name)) for entry in trigger.inputs}


def _typed(entry: Input, given: str | None) -> Any:
    value = given if given is not None else entry.default
    if entry.required and not value:
        raise DispatchRefused(f"Required input '{entry.name}' not provided")
    if entry.kind == "boolean":
        if (value or "false") not in ("true", "false"):
            raise DispatchRefused(f"Input '{entry.name}' must be true or false, not {value!r}")
        return value == "true"
    if entry.kind == "choice":
        value = value if value is not None else entry.options[0] if entry.options else ""
        if value not in entry.options:
            raise DispatchRefused(f"Provided value {value!r} for input '{entry.name}' not in the list of allowed values")
        return value
    if entry.kind == "number" and value is not None:
        try:
            number = float(value)
        except ValueError as error:
            raise DispatchRefused(f"Input '{entry.name}' must be a number, not {value!r}") from error
        return int(number) if number.is_integer() else number
    return value or ""


def short_ref(ref: str) -> str:
    """`refs/heads/main` → `main`, as in GITHUB_REF_NAME."""
    for prefix in ("refs/heads/", "refs/tags/", "refs/pull/"):
        if ref.startswith(prefix):
            return ref.removeprefix(prefix)
    return ref


def title_of(payload: Json, fallback: str) -> str:
    """What GitHub shows as a run's title without `run-name`: the pull's or issue's title, the commit's subject, or the name."""
    for key in ("pull_request", "issue"):
        if isinstance(payload.get(key), dict) and payload[key].get("title"):
            return str(payload[key]["title"])
    commit = payload.get("head_commit")
    message = str(commit.get("message") or "") if isinstance(commit, dict) else ""
    return message.splitlines()[0] if message else fallback
