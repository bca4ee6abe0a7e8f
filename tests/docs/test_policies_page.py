"""docs/policies.md has every key of every policy file, with the value that is shipped, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest
import yaml

from bot.model import Objective
from bot.policy.checks import CHECKS, CORE
from bot.policy.load import NAMES
from bot.policy.schema import (
    Autonomy,
    BoundDependency,
    Detection,
    KnownFix,
    Learn,
    Logs,
    ModelBudget,
    Saturation,
    ServiceSpec,
    Traffic,
)
from tests.docs.pages import ROOT, read, rows, section

PAGE = ROOT / "docs" / "policies.md"
FREE = ("bound-dependency.settings", "saturation.services")  # any names may stand below


def keys_of(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of a YAML document as (`a.b[].c`, value)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from keys_of(inner, f"{path}.*" if path in FREE else f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from keys_of(inner, f"{path}[]")
    else:
        yield path, value


def shipped(name: str) -> list[tuple[str, object]]:
    return list(keys_of(yaml.safe_load(read(ROOT / "policies" / f"{name}.yaml"))))


def named(prefix: str, schema: type) -> set[str]:
    return {f"{prefix}{field.name}" for field in fields(schema)}


def possible(name: str) -> set[str]:
    """Every key that the loader takes, also those that the shipped file leaves out."""
    known = {
        "slo": named("objectives[].", Objective) - {"objectives[].learnt", "objectives[].limit"}
        | named("", Detection) - {"traffic", "learn", "saturation", "logs", "false_alarms_per_year"}
        | {"sequential.false_alarms_per_year"}
        | named("traffic.", Traffic)
        | named("learn.", Learn)
        | named("saturation.", Saturation) - {"saturation.services"}
        | {"saturation.services.*"}
        | named("logs.", Logs)
        | {f"maintenance[].{key}" for key in ("service", "start", "end", "weekly", "reason")},
        "services": named("services[].", ServiceSpec),
        "known": named("bound-dependency.", BoundDependency) - set(FREE)
        | {"bound-dependency.settings.*", "offer_after"}
        | named("fixes[].", KnownFix),
        "autonomy": named("", Autonomy) | named("model.", ModelBudget),
        "guardrail": {f"rules[].{key}" for check in CHECKS.values() for key in ("id", "check", "otherwise", "why", *check.parameters)},
    }
    return known.get(name) or {key for key, _ in shipped(name)}


def told(name: str) -> dict[str, str]:
    return {row[0].strip("`"): row[1] for row in rows(section(PAGE, f"{name}.yaml").partition("The vocabulary.")[0])}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_key_is_on_the_page_and_every_key_on_the_page_exists(name: str) -> None:
    assert set(told(name)) == possible(name)
    assert {key for key, _ in shipped(name)} <= possible(name)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_values_on_the_page_are_those_that_are_shipped(name: str) -> None:
    values: dict[str, set[object]] = {}
    for key, value in shipped(name):
        values.setdefault(key, set()).add(str(value).lower() if isinstance(value, bool) else str(value))
    for key, cell in told(name).items():
        if not cell:
            continue
        found = {float(str(v)) for v in values[key]} if cell.lstrip("-")[0].isdigit() else values[key]
        expected = float(cell) if cell.lstrip("-")[0].isdigit() else cell
        assert found == {expected}, key


def test_the_vocabulary_is_on_the_page_with_its_meanings_and_its_core() -> None:
    vocabulary = section(PAGE, "guardrail.yaml").partition("The vocabulary.")[2]
    on_page = {row[0]: row[1] for row in rows(vocabulary)}
    assert on_page == {f"`{name}`{' (core)' if name in CORE else ''}": check.meaning for name, check in CHECKS.items()}
