"""Single traces without a baseline: faults in the structure of a call tree have a culprit, look-alikes have none."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.rootcause.calibrate import load_weights
from bot.rootcause.locate import locate
from bot.rootcause.model import Answer, Window
from tests.rootcause.alone_faults import FAULTS
from tests.rootcause.alone_health import HEALTH
from tests.rootcause.alone_world import Trace, window

SEEDS = range(4)


def answer(folder: Path, write: Callable[[Trace], None], seed: int, kinds: bool = True) -> Answer:
    trace = Trace(random.Random(seed), kinds)
    write(trace)
    return locate(window(folder, trace), Window(), load_weights())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("write", FAULTS, ids=lambda write: write.__name__)
def test_a_fault_in_the_structure_has_its_culprit(tmp_path: Path, write: Callable[[Trace], None], seed: int) -> None:
    found = answer(tmp_path, write, seed)
    assert (found.verdict, found.suspects[0].service) == ("culprit", FAULTS[write])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("write", HEALTH, ids=lambda write: write.__name__)
def test_what_only_looks_like_a_fault_has_none(tmp_path: Path, write: Callable[[Trace], None], seed: int) -> None:
    found = answer(tmp_path, write, seed)
    assert found.verdict == "no-culprit", found.suspects
