"""Made-up incidents of marketplace-like systems, each with the truth beside it: to calibrate confidence, and to check it on other seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from benchmarks.confidence_case import case_of
from benchmarks.confidence_conditions import CONDITIONS
from benchmarks.confidence_lookalikes import LOOKALIKES
from benchmarks.confidence_stories import STORIES
from benchmarks.confidence_world import START_S, World, switch_something
from bot.diagnosis.case import Case
from bot.policy.schema import Policies, ServiceSpec

FAMILIES: dict[str, Callable[[World], list[str]]] = {**STORIES, **LOOKALIKES, **CONDITIONS}


@dataclass(frozen=True)
class Labelled:
    """`culprits`: names of suspects that are right; none: nobody that Brain could name is to blame."""

    family: str
    seed: int
    case: Case
    policies: Policies
    culprits: frozenset[str]


def generate(seed: int, shipped: Policies) -> Labelled:
    """The incident of a seed; families take turns. Its policies are the shipped ones, with the services of its system."""
    family = list(FAMILIES)[seed % len(FAMILIES)]
    rng = Random(seed)
    world = World(rng, [], [], START_S + rng.uniform(0, 1e6))
    world.chain = [world.word() for _ in range(rng.randint(2, 4))]
    world.parties = [f"{world.word()}-{i}" for i in range(rng.randint(2, 4))]
    culprits = FAMILIES[family](world)
    switch_something(world)
    return Labelled(family, seed, case_of(world), _policies(world, shipped), frozenset(culprits))


def _policies(w: World, shipped: Policies) -> Policies:
    specs = tuple(ServiceSpec(name, (f"src/{name}/**",), w.path(name, "manifest")) for name in w.chain)
    return replace(shipped, services=specs)
