"""What adds up slowly: visits of one customer, whatever their shape, are one reason for concern; a real slow burn is found."""

from __future__ import annotations

import random

from benchmarks.detection_months import poisson
from bot.detection.stream import Stream

ALLOWED = 0.02
STEP_S = 10.0
STEPS = 1_500  # a good four hours
SEEDS = 4


def alarms(seed: int, visits_a_step: float, visit: list[int], steps: int = STEPS, bad_ratio: float = 0.0) -> list[int]:
    """Steps at which the slow detector speaks. One good request a second; `visit`: in how many steps from now each bad one comes."""
    rng, stream = random.Random(seed), Stream(ALLOWED, ALLOWED, STEP_S, 5, 1.0)
    pending: dict[int, int] = {}
    found = []
    for step in range(steps):
        for _ in range(poisson(rng, visits_a_step)):
            for later in visit:
                pending[step + later] = pending.get(step + later, 0) + 1
        good = poisson(rng, STEP_S)
        bad = pending.pop(step, 0) + sum(rng.random() < bad_ratio for _ in range(good))
        stream.add_many(good + bad, bad)
        stream.look(step * STEP_S, learning=not (bad >= 5 and bad > ALLOWED * (good + bad)))
        if stream.over:
            found.append(step)
            stream.recovered()
    return found


def test_clients_that_retry_at_once_and_one_that_polls_are_no_slow_burn() -> None:
    """Eight parts in ten of what is allowed are bad, all of it in visits."""
    of_ten, polling = [0] * 10, list(range(0, 120, 3))
    assert [alarms(seed, 0.8 * ALLOWED * STEP_S / 10, of_ten) for seed in range(SEEDS)] == [[]] * SEEDS
    assert [alarms(seed, 0.5 * ALLOWED * STEP_S / 40, polling) for seed in range(SEEDS)] == [[]] * SEEDS


def test_a_slow_burn_of_single_requests_is_found_within_the_hour() -> None:
    found = alarms(1, 0.0, [], steps=360, bad_ratio=0.1)
    assert found and found[0] < 360
