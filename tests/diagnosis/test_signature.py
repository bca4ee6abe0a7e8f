"""Signatures: the same for the same kind of cause, whatever its ids, times, numbers and order; incidents keep their identity."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise, signature_of
from bot.signature import code_location, fingerprint, signature
from tests.diagnosis import cases
from tests.diagnosis.cases import bad_case, bad_changes, bad_evidence, error_group, hang_case, hang_evidence


def of(case: Case) -> str:
    return signature_of(case, localise(case).candidates[0])


def test_another_depot_of_the_same_hub_hangs_then_the_signature_is_the_same() -> None:
    assert of(hang_case(hang_evidence("depot-south"))) == of(hang_case(hang_evidence("depot-north")))


def test_another_caller_hangs_on_its_dependency_then_the_signature_differs() -> None:
    evidence = hang_evidence()
    moved = tuple(
        replace(e, caller="annex" if e.caller == "hub" else e.caller, peer="annex" if e.peer == "hub" else e.peer) for e in evidence.edges
    )
    assert of(hang_case(replace(evidence, edges=moved))) != of(hang_case())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**60), st.floats(0, 400), st.integers(30, 90), st.integers(1, 500))
def test_the_same_bad_change_landed_again_has_the_same_signature(number: int, gap_s: float, line: int, count: int) -> None:
    commit = f"{number:040x}"
    guilty = bad_changes()[0]
    again = replace(guilty, commit=replace(guilty.commit, sha=commit))
    frames = (*error_group().frames[:2], f"app/pricing/rates.py:loyalty:{line}")
    group = replace(error_group(first_seen_s=cases.FIRST_BAD_S + gap_s), id="x7", frames=frames, count=count, message=str(number))
    evidence = replace(bad_evidence(), errors=(group,))
    assert of(bad_case(evidence, (again,))) == of(bad_case())


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_different_parts_never_share_a_signature_and_it_is_safe_to_show(a: str, b: str, c: str) -> None:
    made = signature("dependency-hangs", a, b, c)
    assert made.isascii() and not set(made) & set("`<>@#[] \n")
    assert (signature("dependency-hangs", a, c, b) == made) == (b == c)


def test_fingerprints_are_the_same_in_every_process() -> None:
    script = (
        "import json; from bot.signature import fingerprint, signature;"
        "print(json.dumps([fingerprint('a', 'b', 'c'), signature('change-slows', 'a', 'b', 'c')]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "99"})
    assert json.loads(run.stdout) == [fingerprint("a", "b", "c"), signature("change-slows", "a", "b", "c")]
    assert len(fingerprint("a", "b", "c")) == 12 and fingerprint("ab", "", "c") != fingerprint("a", "b", "c")


def test_a_code_location_has_no_line() -> None:
    assert code_location("app/rates.py:Table.loyalty:44") == "app/rates.py:Table.loyalty"
    assert code_location("something else") == "something else"
