"""The challenge: claims that cite nothing, something else, or wrong figures do not hold."""

from __future__ import annotations

import pytest

from bot.diagnosis.challenge import challenge
from bot.diagnosis.localise import localise
from bot.model import Claim
from tests.diagnosis.cases import bad_case, hang_case

TRUE = [
    Claim("Calls to depot-north take 6.0 s at p99, before 210 ms.", ("e3",)),
    Claim("They take 29 times as long.", ("e3",)),
    Claim("depot-north hangs.", ("e3", "s3")),
    Claim("The request took 6.0 s.", ("t1",)),
]
FALSE = [
    Claim("Calls to depot-north take 6.0 s.", ()),
    Claim("Calls to depot-north take 6.0 s.", ("e99",)),
    Claim("Calls to depot-north take 9.5 s.", ("e3",)),
    Claim("They take 300 times as long.", ("e3",)),
    Claim("depot-south hangs.", ("e4",)),
    Claim("90 % of the calls fail.", ("e3",)),
    Claim("39 of 41 calls are slow.", ("e3",)),
]


@pytest.mark.parametrize("claim", TRUE, ids=lambda claim: claim.text)
def test_a_true_claim_holds(claim: Claim) -> None:
    assert challenge(hang_case(), [claim])[0].holds is True


@pytest.mark.parametrize("claim", FALSE, ids=lambda claim: claim.text + ",".join(claim.evidence))
def test_a_false_or_unfounded_claim_does_not_hold(claim: Claim) -> None:
    assert challenge(hang_case(), [claim])[0].holds is False


def test_every_claim_of_ours_holds_for_every_candidate() -> None:
    for case in (hang_case(), bad_case()):
        for candidate in localise(case).candidates:
            assert all(claim.holds for claim in challenge(case, candidate.claims)), candidate.claims
