"""Thousands of seeded worlds: nothing forbidden ever happens, every one comes to rest, and everything that we prepared for did happen.

`SIM_SEEDS` raises the number of worlds. To replay one: `python -m tests.sim.replay SEED`.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import get_args

import pytest

from bot.decide import JoinOlder, Step
from bot.journal import Call
from bot.model import OutcomeKind
from tests.sim.mutants import MUTANTS, caught
from tests.sim.simulation import simulate

SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
SHARES = 8  # small enough that the processes end at about the same time
FAULTS = (
    "GitHub does not answer a read",
    "GitHub refuses a write for now",
    "a diagnosis has no remedy",
    "a diagnosis is unsure",
    "a diagnosis names the wrong one",
    "a diagnosis never answers",
    "a person answers the pull",
    "a person closes the issue",
    "a person closes the pull",
    "a person commands",
    "a person edits a record's comment",
    "a person holds everything",
    "a person labels the pull",
    "a person merges the pull",
    "a person opens the pull first",
    "a person pushes to main",
    "a person pushes to the branch",
    "a person reopens the issue",
    "a person reopens the pull",
    "a person toggles hold",
    "a remedy can't be built",
    "a rule of the repository forbids to merge",
    "a second worker",
    "a worker acts on old facts",
    "a worker stalls before a merge",
    "breaks again",
    "crash after a write",
    "crash before a write",
    "deploy fails",
    "deploy is slow",
    "gets well by itself",
    "hardly anybody asks",
    "nobody wakes the loop",
    "somebody copies a marker",
    "somebody edits a comment into a command",
    "somebody forges an issue",
    "somebody without the right commands",
    "something else breaks as well",
    "stale list",
    "telemetry is gone",
    "the check is green, whatever it should say",
    "the check is red",
    "the curator's webhook is lost",
    "the guardrail is late",
    "the guardrail never runs",
    "write lands but is not answered",
)


def worlds(share: int) -> Counter[str]:
    """Every SHARES-th world, and what happened in them."""
    logging.disable(logging.CRITICAL)
    seen: Counter[str] = Counter()
    for seed in range(share, SEEDS, SHARES):
        simulate(seed, seen)
    return seen


def test_whatever_happens_nothing_forbidden_is_done_and_the_world_comes_to_rest() -> None:
    seen: Counter[str] = Counter()
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for share in pool.map(worlds, range(SHARES)):
            seen += share
    wanted = [f"fault: {name}" for name in FAULTS]
    wanted += [
        f"step: {kind.__name__}" for kind in get_args(Step) if kind is not JoinOlder
    ]  # this world has one service: tests/test_storm.py
    wanted += [f"call: {call}" for call in Call]
    wanted += [f"outcome: {kind}" for kind in OutcomeKind]
    wanted += ["partial: revert", "partial: bound-dependency"]
    assert [what for what in wanted if not seen[what]] == [], "never happened, so nothing is known about it"
    unlisted = [what for what in seen if what.startswith("fault: ") and what.removeprefix("fault: ") not in FAULTS]
    assert unlisted == []


@pytest.mark.parametrize("name", ["merge without the check", "no limit to attempts", "close without measuring again"])
def test_a_broken_loop_is_caught(name: str) -> None:
    mutant = next(m for m in MUTANTS if m.name == name)
    assert caught(mutant, seeds=150) != ""
