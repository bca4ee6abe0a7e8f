"""Single traces without a baseline: faults in the structure of a call tree have a culprit, look-alikes have none."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.rootcause.calibrate import load_weights
from bot.rootcause.locate import locate
from bot.rootcause.model import Answer, Window
from bot.rootcause.reading.window import load_window
from tests.rootcause.alone_faults import FAULTS, retry_storm
from tests.rootcause.alone_health import HEALTH, one_retry_that_helps
from tests.rootcause.alone_world import Trace, window
from tests.rootcause.recorded_world import save, span, spans_line

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


def test_a_chain_of_thousands_and_parents_in_a_loop_are_survived(tmp_path: Path) -> None:
    chain = [
        span("c" * 32, str(own), str(own - 1) if own else "", "op", own, 9_000 - own, kind=3, status={"code": 2}) for own in range(3_000)
    ]
    loop = [span("d" * 32, "a", "b"), span("d" * 32, "b", "a")]
    found = locate(load_window(save(tmp_path / "t", [spans_line("web", [*chain, *loop])])).window, Window(), load_weights())
    assert found.verdict in ("culprit", "no-culprit", "inconclusive")


def test_traces_that_are_not_whole_are_not_judged(tmp_path: Path) -> None:
    found = locate(load_window(save(tmp_path / "t", [spans_line("web", [span("e" * 32, "1")])])).window, Window(), load_weights())
    assert found.verdict == "inconclusive" and any("no whole trace" in reason for reason in found.reasons)


def test_one_storm_among_many_healthy_requests_is_an_accident(tmp_path: Path) -> None:
    traces = [Trace(random.Random(seed)) for seed in range(60)]
    for number, trace in enumerate(traces):
        (retry_storm if number == 7 else one_retry_that_helps)(trace)
    assert locate(window(tmp_path, *traces), Window(), load_weights()).verdict == "no-culprit"
