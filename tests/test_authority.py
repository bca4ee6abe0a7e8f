"""Who may write what: the agents that only watch, think and judge are given nothing that writes, and do their work with that."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import inspect
import random
import typing
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NoReturn

import pytest

from bot.agents import brain, cag, scout
from bot.diagnosis.localise import localise, signature_of
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.model import Decision, Event, OutcomeKind, PostMortem
from bot.ports import CodeWriter, Forge, ForgeReader, IssueWriter, WorkflowStarter
from tests.diagnosis import cases
from tests.policy.repository import Repository
from tests.policy.test_gate import World as PullWorld
from tests.telemetry.world import BUY, FRONT, T0, Faults, System, new_scout, play

READERS = ("scout", "brain", "cag", "verifier", "guardrail")


def methods(*protocols: type) -> frozenset[str]:
    return frozenset(name for protocol in protocols for name in vars(protocol) if not name.startswith("_"))


CODE = methods(CodeWriter)
WRITES = methods(IssueWriter, CodeWriter, WorkflowStarter)


def named_in(hint: Any) -> Iterator[type]:
    """Every class that an annotation names, inside unions, containers and callables too."""
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    for part in typing.get_args(hint):
        for inner in part if isinstance(part, list) else [part]:
            yield from named_in(inner)


def taken_by(function: Callable[..., object]) -> Iterator[type]:
    hints = typing.get_type_hints(function)
    for name in inspect.signature(function).parameters:
        if name in hints:
            yield from named_in(hints[name])


def given_to(module: ModuleType) -> set[type]:
    """What a module's functions and classes take as parameters, and what those hold as fields."""
    functions: list[Callable[..., object]] = []
    for thing in vars(module).values():
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(thing):
            functions.append(thing)
        elif inspect.isclass(thing):
            functions += [member for _, member in inspect.getmembers(thing, inspect.isfunction) if member.__module__ == module.__name__]
    todo = [taken for function in functions for taken in taken_by(function)]
    found: set[type] = set()
    while todo:
        current = todo.pop()
        if current in found:
            continue
        found.add(current)
        if dataclasses.is_dataclass(current) and current.__module__.startswith("bot."):
            todo += [inner for hint in typing.get_type_hints(current).values() for inner in named_in(hint)]
    return found


def rights(name: str, writes: frozenset[str]) -> dict[str, list[str]]:
    given = given_to(importlib.import_module(f"bot.agents.{name}"))
    return {one.__name__: held for one in given if one.__module__.startswith("bot.") and (held := sorted(writes & set(dir(one))))}


@pytest.mark.parametrize("name", READERS)
def test_nothing_that_writes_to_github_is_given_to_who_only_watches_thinks_or_judges(name: str) -> None:
    assert rights(name, WRITES) == {}


@pytest.mark.parametrize("name", ["human", "replies", "curator", "jules"])
def test_who_talks_to_people_may_write_issues_and_no_code(name: str) -> None:
    assert rights(name, CODE) == {}


def test_the_check_sees_the_rights_of_those_who_have_them() -> None:
    assert set().union(*rights("fixer", WRITES).values()) >= {"create_branch", "create_commit", "create_pull"}
    assert set().union(*rights("jules", WRITES).values()) >= {"create_issue"}


def test_the_reading_half_of_the_port_holds_no_write_and_the_whole_holds_them_all() -> None:
    assert not WRITES & set(dir(ForgeReader))
    assert set(dir(Forge)) >= WRITES


# --- and at run time, with objects that cannot write


class Ears:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, event: Event) -> None:
        self.events.append(event)


class StoppedClock:
    def now(self) -> float:
        return cases.NOW_S

    async def sleep(self, seconds: float) -> None:
        return None


class Archive:
    """A memory that can be read and not added to."""

    def remember(self, post_mortem: PostMortem) -> NoReturn:
        raise AssertionError("only the Curator writes into the memory")

    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        return []

    def count(self) -> int:
        return 0


def test_scout_finds_a_breach_and_gathers_its_evidence_from_spans_alone() -> None:
    assert list(inspect.signature(scout.Scout).parameters) == ["policies", "clock", "say", "counters", "fold", "merge"]
    watching, _ = new_scout()
    system = System(random.Random(0))
    system.traffic(T0, T0 + 40)
    system.faults = Faults(hanging="south")
    system.traffic(T0 + 40, T0 + 60)
    _, signal = play(system, watching, T0, T0 + 60)[0]
    assert (signal.service, signal.operation) == (FRONT, BUY)
    assert watching.evidence(signal, T0 + 60).edges


def test_brain_finds_the_culprit_with_a_case_and_a_memory_that_it_cannot_write_to() -> None:
    ears = Ears()
    thinking = brain.think(
        cases.hang_case(), reasoner=EvidenceReasoner(), memory=Archive(), policies=cases.policies(), say=ears, clock=StoppedClock()
    )
    diagnosis = asyncio.run(thinking)
    assert diagnosis.verdict == "culprit" and diagnosis.remedy is not None and ears.events


def test_cag_answers_from_values_alone() -> None:
    case = cases.hang_case()
    known = cases.remembered(7, signature_of(case, localise(case).candidates[0]), OutcomeKind.HEALED)
    found = cag.answer(case, [known], cases.policies())
    assert found is not None and found.answered_by == "cag"


def test_guardrail_judges_with_the_reading_half_of_github() -> None:
    world = PullWorld()
    assert type(world.repo) is Repository and not WRITES & set(dir(world.repo))
    assert world.judge().decision is Decision.ALLOW
