"""Did it heal? What the Verifier says of a merged change when one promise of the objective is kept again and the other one is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.agents.verifier import verify
from bot.model import Health, Measurement, Objective, OutcomeKind, Signal, SignalKind
from tests.diagnosis.cases import policies

NOW_S = 1_700_000_000.0
OBJECTIVE = Objective("shop", "POST /orders", p99_ms=1500, error_ratio=0.02, window_s=10, min_requests=15, min_bad=5)
AUTONOMY = policies().autonomy
ERRORS, LATENCY = SignalKind.ERRORS, SignalKind.LATENCY
Shares = tuple[float, float]  # of requests that fail, that are too slow


def measured(shares: Shares, requests: int = 100) -> Measurement:
    errors, slow = (round(share * requests) for share in shares)
    return Measurement(NOW_S - 40, NOW_S, requests, errors, slow, 200.0, 6000.0 if slow else 300.0)


def found(kind: SignalKind, meanwhile: Shares | None, after: Shares, *, restores: bool = False) -> tuple[OutcomeKind, str]:
    signal = Signal(kind, OBJECTIVE, measured((0, 0)), measured((0.5, 0.5)), NOW_S - 60, NOW_S - 55)
    healthy = after == (0, 0)
    finding = verify(
        signal,
        merged_s=NOW_S - 41,
        serving_s=NOW_S - 40,
        after=measured(after),
        health=Health.HEALTHY if healthy else Health.UNHEALTHY,
        now_s=NOW_S,
        a=AUTONOMY,
        meanwhile=measured(meanwhile) if meanwhile is not None else None,
        restores=restores,
    )
    assert finding is not None
    return finding[:2]


@pytest.mark.parametrize(
    ("kind", "meanwhile", "after", "outcome"),
    [
        (ERRORS, (0.5, 0.5), (0, 0), OutcomeKind.HEALED),
        (ERRORS, (0.5, 0.3), (0, 0.3), OutcomeKind.PARTIAL),
        (ERRORS, (0.5, 0), (0, 0.3), OutcomeKind.FAILED),  # the change itself may have made it slow
        (ERRORS, (0.5, 0.3), (0.4, 0.3), OutcomeKind.FAILED),
        (ERRORS, None, (0, 0.3), OutcomeKind.FAILED),
        (ERRORS, (0, 0.3), (0, 0.3), OutcomeKind.FAILED),  # an earlier attempt had mended that already
        (LATENCY, (0.3, 0.5), (0.3, 0), OutcomeKind.PARTIAL),
        (LATENCY, (0, 0.5), (0.3, 0), OutcomeKind.FAILED),
        (LATENCY, (0.3, 0.5), (0, 0.5), OutcomeKind.FAILED),
        (SignalKind.THROUGHPUT, (0.3, 0.5), (0.3, 0), OutcomeKind.FAILED),
    ],
)
def test_a_change_is_taken_back_unless_what_is_left_was_there_before_it(
    kind: SignalKind, meanwhile: Shares | None, after: Shares, outcome: OutcomeKind
) -> None:
    assert found(kind, meanwhile, after)[0] is outcome


def test_what_is_left_is_said() -> None:
    assert found(ERRORS, (0.5, 0.3), (0, 0.3))[1] == "requests no longer fail; that they are too slow has another cause"
    assert found(LATENCY, (0.3, 0.5), (0.3, 0))[1] == "requests are quick again; that they fail has another cause"


def test_a_revert_brings_back_what_was_well_so_it_is_not_to_blame_for_another_promise() -> None:
    """While most requests failed, hardly one got so far as to be slow."""
    assert found(ERRORS, (0.9, 0.01), (0, 0.5), restores=True)[0] is OutcomeKind.PARTIAL
    assert found(ERRORS, (0.9, 0.01), (0.4, 0.5), restores=True)[0] is OutcomeKind.FAILED
    assert found(ERRORS, (0.9, 0), (0, 0), restores=True)[0] is OutcomeKind.HEALED
    assert found(ERRORS, (0, 0.5), (0, 0.5), restores=True)[0] is OutcomeKind.FAILED


def test_few_requests_prove_nothing_either_way() -> None:
    signal = Signal(ERRORS, OBJECTIVE, measured((0, 0)), measured((0.5, 0)), NOW_S - 60, NOW_S - 55)
    few = replace(measured((0.5, 0)), requests=AUTONOMY.verify_min_requests - 1)
    assert verify(signal, merged_s=NOW_S - 11, serving_s=NOW_S - 10, after=few, health=Health.UNHEALTHY, now_s=NOW_S, a=AUTONOMY) is None
