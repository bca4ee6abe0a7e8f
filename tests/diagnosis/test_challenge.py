"""The challenge: claims that cite nothing, something else, or wrong figures do not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diagnosis.challenge import challenge
from bot.diagnosis.localise import localise
from bot.evidence import ConfigChange, Difference, Histogram, LogGroup
from bot.model import Claim
from tests.diagnosis.cases import FIRST_BAD_S, SAME_FILE, bad_case, bad_evidence, error_group, hang_case

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


@pytest.mark.parametrize("gap_s", [-2.0, 0.0, 0.012, 0.049, 0.06, 0.449, 3.0, 61.7])
def test_the_claim_about_the_deploy_holds_however_soon_the_first_failure_came(gap_s: float) -> None:
    """The first span of a new commit may itself be the first bad one."""
    evidence = bad_evidence(deployed_s=FIRST_BAD_S - gap_s)
    evidence = replace(evidence, errors=(error_group(first_seen_s=FIRST_BAD_S),))
    case = bad_case(evidence)
    claims = challenge(case, localise(case).candidates[0].claims)
    deploy = next(claim for claim in claims if "for the first time at" in claim.text)
    assert deploy.holds and deploy.evidence == ("d1", "x1") and SAME_FILE[:7] in deploy.text
    assert deploy.text.endswith("came at once." if gap_s < 0.05 else f"came {gap_s:.1f} s later.")
    assert all(claim.holds for claim in claims)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("The first failure came 0.5 s later.", True),
        ("The first failure came 0.6 s later.", False),
        ("The first failure came 9.0 s later.", False),
        ("It answered from it for the first time at 22:13:07 UTC.", True),
        ("It answered from it for the first time at 22:17:07 UTC.", False),
        ("It answered from it for the first time at 09:13:07 UTC.", False),
    ],
)
def test_times_and_gaps_have_to_be_those_of_the_cited_deploy(text: str, holds: bool) -> None:
    evidence = replace(bad_evidence(), errors=(error_group(first_seen_s=FIRST_BAD_S),))
    assert challenge(bad_case(evidence), [Claim(text, ("d1", "x1"))])[0].holds is holds


@pytest.mark.parametrize(
    ("text", "evidence", "holds"),
    [
        ("All 42 of 42 failed requests are of gold customers.", ("a1",), True),
        ("Of the good ones 3.0 % are.", ("a1",), True),
        ("Of the good ones 30 % are.", ("a1",), False),
        ("40 of 42 failed requests are of gold customers.", ("a1",), False),
        ("Such a line was written 36 times.", ("l1",), True),
        ("A line as on every day.", ("l2",), False),
        ("7 of 18 requests take more than 5.0 s.", ("h1",), True),
        ("9 of 18 requests take more than 5.0 s.", ("h1",), False),
        ("The flag was switched at 22:13:05 UTC.", ("c1",), True),
        ("The flag was switched at 22:10:05 UTC.", ("c1",), False),
        ("The flag was switched afterwards.", ("c2",), False),
        ("Gold customers.", ("a2",), False),
    ],
)
def test_claims_may_cite_differences_logs_settings_and_durations(text: str, evidence: tuple[str, ...], holds: bool) -> None:
    found = replace(
        bad_evidence(),
        differences=(Difference("a1", "shop", "tier", "gold", 42, 42, 3, 100, 99.0),),
        logs=(
            LogGroup("l1", "shop", "ERROR", "no <*>", "no price", 36, 0, FIRST_BAD_S),
            LogGroup("l2", "shop", "WARN", "slow <*>", "slow query", 5, 5, FIRST_BAD_S),
        ),
        histograms=(Histogram("h1", (100.0, 5_000.0, 10_000.0), (0, 99, 0, 0), (0, 11, 7, 0)),),
        changes=(
            ConfigChange("c1", "shop", "flag", "on", "off", FIRST_BAD_S - 3),
            ConfigChange("c2", "shop", "x", "1", "0", FIRST_BAD_S + 60),
        ),
    )
    assert challenge(bad_case(found), [Claim(text, evidence)])[0].holds is holds
