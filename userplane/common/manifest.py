"""A service's manifest: how long it waits for each dependency, when it stops asking, and what it does without an answer.

Read once at start and validated strictly: a manifest that is not understood completely stops the service from starting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

MANIFESTS_DIR = Path(__file__).resolve().parent.parent / "manifests"
MAX_SECONDS = 300.0
MAX_FAILURES = 1000

Fallback = Literal["none", "omit"]


class ManifestError(ValueError):
    """A manifest that a service must not start with; the message names file, key, what was expected and what was found."""


@dataclass(frozen=True)
class BreakerPolicy:
    """When to stop asking a dependency: after `failures` failures in a row, for `reset_s` seconds."""

    enabled: bool
    failures: int
    reset_s: float


@dataclass(frozen=True)
class DependencyPolicy:
    """How one dependency is called. `fallback` "none": a failed call fails the request; "omit": go on without its answer."""

    timeout_s: float
    breaker: BreakerPolicy
    fallback: Fallback


@dataclass(frozen=True)
class Manifest:
    """One service's name and its dependencies by name, in the order of the file."""

    service: str
    dependencies: Mapping[str, DependencyPolicy]

    def dependency(self, name: str) -> DependencyPolicy:
        """The policy of one dependency. Raises ManifestError when the manifest does not list it."""
        if name not in self.dependencies:
            raise ManifestError(f"manifest of {self.service}: dependencies.{name} is missing; {self.service} calls it, so add it")
        return self.dependencies[name]


def load_manifest(service: str, folder: Path = MANIFESTS_DIR) -> Manifest:
    """The manifest in `folder` whose `service` key is `service`. Raises ManifestError when none, two or a broken one is there."""
    found: list[tuple[Path, object]] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ManifestError(f"{_shown(path)}: not readable as YAML: {error}") from error
        if isinstance(document, dict) and document.get("service") == service:
            found.append((path, document))
    if len(found) != 1:
        where = ", ".join(_shown(path) for path, _ in found) or "none"
        raise ManifestError(f"{folder.name}/: expected exactly one manifest with `service: {service}`, found {where}")
    path, document = found[0]
    return parse_manifest(document, _shown(path))


def parse_manifest(document: object, source: str) -> Manifest:
    """A parsed YAML document as a Manifest. `source` begins every error message."""
    top = _mapping(document, source, "", required=("service", "dependencies"))
    service = top["service"]
    if not isinstance(service, str) or not service:
        raise _wrong(source, "service", "a name", service)
    listed = top["dependencies"]
    if not isinstance(listed, dict):
        raise _wrong(source, "dependencies", "a mapping of names to settings", listed)
    dependencies: dict[str, DependencyPolicy] = {}
    for name, settings in listed.items():
        if not isinstance(name, str) or not name:
            raise _wrong(source, "dependencies", "names as keys", name)
        dependencies[name] = _dependency(settings, source, f"dependencies.{name}")
    return Manifest(service, dependencies)


def _dependency(settings: object, source: str, at: str) -> DependencyPolicy:
    fields = _mapping(settings, source, at, required=("timeout_s", "breaker", "fallback"))
    breaker = _mapping(fields["breaker"], source, f"{at}.breaker", required=("enabled", "failures", "reset_s"))
    enabled = breaker["enabled"]
    if not isinstance(enabled, bool):
        raise _wrong(source, f"{at}.breaker.enabled", "true or false", enabled)
    failures = breaker["failures"]
    if not isinstance(failures, int) or isinstance(failures, bool) or not 1 <= failures <= MAX_FAILURES:
        raise _wrong(source, f"{at}.breaker.failures", f"a whole number from 1 to {MAX_FAILURES}", failures)
    return DependencyPolicy(
        timeout_s=_seconds(fields["timeout_s"], source, f"{at}.timeout_s"),
        breaker=BreakerPolicy(enabled, failures, _seconds(breaker["reset_s"], source, f"{at}.breaker.reset_s")),
        fallback=_fallback(fields["fallback"], source, f"{at}.fallback"),
    )


def _mapping(value: object, source: str, at: str, *, required: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(source, at or "the document", f"a mapping with the keys {', '.join(required)}", value)
    for key in value:
        if key not in required:
            raise ManifestError(f"{source}: {_join(at, str(key))}: unknown key; known are {', '.join(required)}")
    for key in required:
        if key not in value:
            raise ManifestError(f"{source}: {_join(at, key)}: missing")
    return value


def _seconds(value: object, source: str, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SECONDS:
        raise _wrong(source, at, f"seconds above 0 and at most {MAX_SECONDS:g}", value)
    return float(value)


def _fallback(value: object, source: str, at: str) -> Fallback:
    if value == "none":
        return "none"
    if value == "omit":
        return "omit"
    raise _wrong(source, at, '"none" or "omit"', value)


def _wrong(source: str, at: str, expected: str, found: object) -> ManifestError:
    return ManifestError(f"{source}: {at}: expected {expected}, found {found!r}")


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
