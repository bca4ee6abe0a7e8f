"""`render.yaml` as frozen values: the part of Render's blueprint format that a laptop can run, read strictly.

Whatever a service that runs here says and we do not understand is an error that names the place; services that do not run
here (`exclude`) are only known by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bot.local.render.build_filter import BuildFilter

FILE_NAME = "render.yaml"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USED = frozenset(
    {
        *("type", "name", "runtime", "env", "branch", "rootDir", "buildCommand", "startCommand", "healthCheckPath"),
        *("autoDeploy", "autoDeployTrigger", "buildFilter", "envVars", "maxShutdownDelaySeconds"),
    }
)
_WITHOUT_EFFECT_HERE = frozenset({"plan", "region", "numInstances", "previews", "previewPlan", "domains", "ipAllowList"})
_PROPERTIES = frozenset({"host", "port", "hostport"})
_DEFAULT_SHUTDOWN_S = 30.0


class BlueprintError(ValueError):
    """`render.yaml` cannot be run here; the message names the service, the key and what to do."""


@dataclass(frozen=True)
class FromService:
    """A reference to another service: one of its network `property`s or the value of its variable `env_var_key`."""

    name: str
    property: str | None
    env_var_key: str | None


@dataclass(frozen=True)
class EnvVar:
    """One entry of `envVars`. With no `value`, `source` or `generate` a person supplies it (`sync: false`)."""

    key: str
    value: str | None = None
    source: FromService | None = None
    generate: bool = False


@dataclass(frozen=True)
class ServiceSpec:
    """One python web service of the blueprint."""

    name: str
    root_dir: str  # "" is the repository's root
    build_command: str
    start_command: str
    health_check_path: str | None
    auto_deploy: bool
    build_filter: BuildFilter
    env_vars: tuple[EnvVar, ...]
    shutdown_s: float

    @property
    def needs(self) -> frozenset[str]:
        """The services that this one's variables refer to."""
        return frozenset(v.source.name for v in self.env_vars if v.source is not None and v.source.name != self.name)


@dataclass(frozen=True)
class Blueprint:
    """The services that run here, in the file's order, and the names of those that do not."""

    services: tuple[ServiceSpec, ...]
    elsewhere: frozenset[str]

    def start_order(self) -> tuple[tuple[ServiceSpec, ...], ...]:
        """Groups of services; each group needs only earlier ones. Services that refer to each other share the last group
        (addresses are fixed before anything starts, so a circle is no error)."""
        waiting = {s.name: s for s in self.services}
        groups: list[tuple[ServiceSpec, ...]] = []
        while waiting:
            ready = tuple(s for s in waiting.values() if not (s.needs & waiting.keys()))
            group = ready or tuple(waiting.values())
            groups.append(group)
            for spec in group:
                del waiting[spec.name]
        return tuple(groups)


def parse_blueprint(text: str, *, exclude: Collection[str], default_branch: str) -> Blueprint:
    """Reads a blueprint. Raises `BlueprintError`."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BlueprintError(f"{FILE_NAME} is not valid YAML: {error}") from error
    entries = document.get("services") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise BlueprintError(f"{FILE_NAME} lists no services: expected a top-level list `services`")
    services: list[ServiceSpec] = []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name = _name(entry, index)
        if name in seen:
            raise BlueprintError(f"{FILE_NAME}: two services are called {name}")
        seen.add(name)
        if name not in exclude:
            services.append(_service(name, entry, default_branch))
    missing = sorted({n for s in services for n in s.needs} - seen)
    if missing:
        raise BlueprintError(f"{FILE_NAME}: fromService refers to {', '.join(missing)}, which the file does not define")
    return Blueprint(tuple(services), frozenset(seen) - {s.name for s in services})


def _name(entry: object, index: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BlueprintError(f"{FILE_NAME}: services[{index}].name must be lower-case letters, digits and hyphens, got {name!r}")
    return name


def _service(name: str, entry: Mapping[str, Any], default_branch: str) -> ServiceSpec:
    where = f"{FILE_NAME}: service {name}"
    kind, runtime = entry.get("type"), entry.get("runtime", entry.get("env"))
    if kind != "web" or runtime != "python":
        raise BlueprintError(f"{where}: type {kind}, runtime {runtime} does not run on a laptop; only type web with runtime python does")
    unknown = sorted(entry.keys() - _USED - _WITHOUT_EFFECT_HERE)
    if unknown:
        raise BlueprintError(f"{where}: {', '.join(unknown)} is not supported on a laptop")
    if entry.get("branch", default_branch) != default_branch:
        raise BlueprintError(f"{where}: branch is {entry['branch']!r}; only the default branch {default_branch} is deployed here")
    path = _text(entry, "healthCheckPath", where, default="")
    if path and not re.fullmatch(r"/[!-~]*", path):
        raise BlueprintError(f"{where}: healthCheckPath must start with / and hold no spaces, got {path!r}")
    return ServiceSpec(
        name=name,
        root_dir=_root_dir(entry, where),
        build_command=_text(entry, "buildCommand", where),
        start_command=_text(entry, "startCommand", where),
        health_check_path=path or None,
        auto_deploy=_auto_deploy(entry, where),
        build_filter=_build_filter(entry.get("buildFilter") or {}, _root_dir(entry, where), where),
        env_vars=_env_vars(entry.get("envVars") or [], where),
        shutdown_s=_shutdown_s(entry, where),
    )


def _text(entry: Mapping[str, Any], key: str, where: str, *, default: str | None = None) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise BlueprintError(f"{where}: {key} must be a text, got {value!r}")
    return value


def _root_dir(entry: Mapping[str, Any], where: str) -> str:
    root = _text(entry, "rootDir", where, default="").removeprefix("./").strip("/")
    if ".." in root.split("/") or str(entry.get("rootDir", "")).startswith("/"):
        raise BlueprintError(f"{where}: rootDir must stay inside the repository, got {entry['rootDir']!r}")
    return "" if root == "." else root


def _auto_deploy(entry: Mapping[str, Any], where: str) -> bool:
    trigger = entry.get("autoDeployTrigger")
    if trigger is None:
        return entry.get("autoDeploy", True) is not False
    if trigger is False or trigger == "off":  # YAML 1.1 reads a bare `off` as false
        return False
    if trigger != "commit":
        raise BlueprintError(f"{where}: autoDeployTrigger must be commit or off here, got {trigger!r}")
    return True


def _shutdown_s(entry: Mapping[str, Any], where: str) -> float:
    value = entry.get("maxShutdownDelaySeconds", _DEFAULT_SHUTDOWN_S)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 300:
        raise BlueprintError(f"{where}: maxShutdownDelaySeconds must be 1 to 300, got {value!r}")
    return float(value)


def _build_filter(raw: object, root_dir: str, where: str) -> BuildFilter:
    if not isinstance(raw, dict) or raw.keys() - {"paths", "ignoredPaths"}:
        raise BlueprintError(f"{where}: buildFilter holds only paths and ignoredPaths")
    lists = []
    for key in ("paths", "ignoredPaths"):
        globs = raw.get(key) or []
        if not isinstance(globs, list) or not all(isinstance(g, str) and g for g in globs):
            raise BlueprintError(f"{where}: buildFilter.{key} must be a list of globs")
        lists.append(tuple(globs))
    try:
        return BuildFilter(root_dir, *lists)
    except ValueError as error:
        raise BlueprintError(f"{where}: buildFilter: {error}") from error


def _env_vars(raw: object, where: str) -> tuple[EnvVar, ...]:
    if not isinstance(raw, list):
        raise BlueprintError(f"{where}: envVars must be a list")
    return tuple(_env_var(entry, f"{where}: envVars[{index}]") for index, entry in enumerate(raw))


def _env_var(entry: object, where: str) -> EnvVar:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or not _KEY.fullmatch(entry["key"]):
        raise BlueprintError(f"{where}: expected a key (letters, digits, underscores); fromGroup is not supported on a laptop")
    key = entry["key"]
    sources = sorted(entry.keys() - {"key"})
    if len(sources) != 1 or sources[0] not in {"value", "fromService", "generateValue", "sync"}:
        raise BlueprintError(
            f"{where} ({key}): give exactly one of value, fromService, generateValue, sync; got {', '.join(sources) or 'none'}"
        )
    match sources[0]:
        case "value":
            return EnvVar(key, value=_scalar(entry["value"], f"{where} ({key})"))
        case "fromService":
            return EnvVar(key, source=_from_service(entry["fromService"], f"{where} ({key})"))
        case "generateValue":
            return EnvVar(key, generate=entry["generateValue"] is True)
        case _:
            return EnvVar(key)


def _scalar(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise BlueprintError(f"{where}: value must be a text or a number, got {value!r}")


def _from_service(raw: object, where: str) -> FromService:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or raw.keys() - {"name", "type", "property", "envVarKey"}:
        raise BlueprintError(f"{where}: fromService holds name, type and one of property, envVarKey")
    name, prop, key = raw["name"], raw.get("property"), raw.get("envVarKey")
    if (prop is None) == (key is None):
        raise BlueprintError(f"{where}: fromService needs exactly one of property, envVarKey")
    if prop is not None and prop not in _PROPERTIES | {"connectionString"}:
        raise BlueprintError(f"{where}: fromService.property must be host, port, hostport or connectionString, got {prop!r}")
    return FromService(name, prop, key)
