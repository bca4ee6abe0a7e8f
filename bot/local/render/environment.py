"""The environment of a service: what the blueprint says, what this Render adds, what the laptop's owner gives; nothing inherited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bot.local.render.blueprint import Blueprint, BlueprintError, EnvVar, FromService, ServiceSpec
from bot.local.render.deploys import Commit

_LOOPBACK = "127.0.0.1"


class Environments:
    """Resolves `envVars` between services whose public ports are known.

    `given` are the owner's variables: they win over the blueprint and supply what it cannot (`sync: false`, references to
    services that do not run here). Generated values are made once for each variable.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        ports: Mapping[str, int],
        *,
        given: Mapping[str, str],
        new_secret: Callable[[], str],
        generated: dict[tuple[str, str], str],
    ) -> None:
        self._specs = {s.name: s for s in blueprint.services}
        self._ports = dict(ports)
        self._given = dict(given)
        self._new_secret = new_secret
        self._generated = generated

    def url(self, service: str) -> str:
        return f"http://{_LOOPBACK}:{self._ports[service]}"

    def resolve(self, service: str) -> dict[str, str]:
        """The blueprint's variables of a service with the owner's on top. Raises `BlueprintError`."""
        values = {v.key: self._value(self._specs[service], v, ()) for v in self._specs[service].env_vars}
        return {**{k: v for k, v in values.items() if v is not None}, **self._given}

    def _value(self, spec: ServiceSpec, var: EnvVar, asked: tuple[tuple[str, str], ...]) -> str | None:
        if var.key in self._given:
            return self._given[var.key]
        if var.generate:
            if (spec.name, var.key) not in self._generated:
                self._generated[spec.name, var.key] = self._new_secret()
            return self._generated[spec.name, var.key]
        if var.source is not None:
            return self._from_service(spec, var.key, var.source, asked)
        return var.value

    def _from_service(self, spec: ServiceSpec, key: str, source: FromService, asked: tuple[tuple[str, str], ...]) -> str:
        where = f"render.yaml: service {spec.name}: {key}"
        if (spec.name, key) in asked:
            raise BlueprintError(f"{where} refers to itself through {' -> '.join(f'{s}.{k}' for s, k in asked)}")
        if source.name not in self._specs:
            raise BlueprintError(f"{where} comes from service {source.name}, which does not run here: pass {key} in env")
        port = self._ports[source.name]
        match source.property or source.env_var_key:
            case "host" if source.property:
                return _LOOPBACK
            case "port" if source.property:
                return str(port)
            case "hostport" if source.property:
                return f"{_LOOPBACK}:{port}"
            case "RENDER_EXTERNAL_URL":
                return self.url(source.name)
            case "RENDER_EXTERNAL_HOSTNAME":
                return _LOOPBACK
        for var in self._specs[source.name].env_vars:
            if var.key == source.env_var_key:
                value = self._value(self._specs[source.name], var, (*asked, (spec.name, key)))
                if value is not None:
                    return value
        raise BlueprintError(f"{where}: service {source.name} has no value for {source.property or source.env_var_key}")


def process_environment(
    service_id: str, spec: ServiceSpec, commit: Commit, *, resolved: Mapping[str, str], url: str, branch: str, python: Path, home: Path
) -> dict[str, str]:
    """All that a build or an instance sees, except PORT. What the platform decides wins over what the blueprint asks."""
    return {
        **resolved,
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "HOST": _LOOPBACK,
        "RENDER": "true",
        "IS_PULL_REQUEST": "false",
        "RENDER_SERVICE_ID": service_id,
        "RENDER_SERVICE_NAME": spec.name,
        "RENDER_SERVICE_TYPE": "web",
        "RENDER_GIT_COMMIT": commit.id,
        "RENDER_GIT_BRANCH": branch,
        "RENDER_EXTERNAL_URL": url,
        "RENDER_EXTERNAL_HOSTNAME": _LOOPBACK,
    }
