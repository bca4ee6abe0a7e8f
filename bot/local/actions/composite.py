"""Finds a local composite action in the workspace and fits a step's `with` to its inputs."""

from __future__ import annotations

from collections.abc import Mapping

from bot.local.actions.evaluate import Scope, render
from bot.local.actions.parse import parse_composite
from bot.local.actions.site import ActionFailed, JobSite
from bot.local.actions.workflow import CompositeAction


def load_composite(site: JobSite, uses: str) -> CompositeAction:
    """Reads `./path/action.yml` of the checkout. Raises ActionFailed or UnsupportedSyntax."""
    folder = site.inside(uses)
    for name in ("action.yml", "action.yaml"):
        if (folder / name).is_file():
            return parse_composite(f"{uses}/{name}", (folder / name).read_bytes())
    raise ActionFailed(f"{uses}: there is no action.yml; is the checkout step missing?")


def fit_inputs(action: CompositeAction, uses: str, arguments: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """The action's `inputs` context. Raises ActionFailed for an unknown or a missing input."""
    given = {name.lower(): value for name, value in arguments.items()}
    inputs: dict[str, str] = {}
    for entry in action.inputs:
        default = render(entry.default, scope) if entry.default is not None else ""
        inputs[entry.name] = given.pop(entry.name.lower(), default)
        if entry.required and not inputs[entry.name]:
            raise ActionFailed(f"{uses}: input {entry.name!r} is required")
    if given:
        raise ActionFailed(f"{uses}: unknown input {sorted(given)[0]!r}")
    return inputs
