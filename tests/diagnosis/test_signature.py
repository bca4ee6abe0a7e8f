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
from bot.signature import Signature, class_of_errors, class_of_ratio, code_location, fingerprint, parse, shape
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


@settings(max_examples=40)
@given(st.integers(0, 2**60), st.floats(0, 400), st.integers(30, 90), st.integers(1, 500))
def test_the_same_bad_change_landed_again_has_the_same_signature(number: int, gap_s: float, line: int, count: int) -> None:
    commit = f"{number:040x}"
    guilty = bad_changes()[0]
    again = replace(guilty, commit=replace(guilty.commit, sha=commit))
    frames = (*error_group().frames[:2], f"app/pricing/rates.py:loyalty:{line}")
    group = replace(error_group(first_seen_s=cases.FIRST_BAD_S + gap_s), id="x7", frames=frames, count=count, message=str(number))
    evidence = replace(bad_evidence(), errors=(group,))
    assert of(bad_case(evidence, (again,))) == of(bad_case())


NUMBERS = st.integers(0, 10**9).map(str)
HEX = st.binary(min_size=6, max_size=16).map(bytes.hex)
UUIDS = st.uuids().map(str)
ADDRESSES = st.tuples(st.ip_addresses(v=4), st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}")
TIMES = st.datetimes().map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
PAIRS = st.one_of(
    *(st.tuples(kind, kind) for kind in (NUMBERS, HEX.filter(lambda text: any(map(str.isdigit, text))), UUIDS, ADDRESSES, TIMES))
)


@given(PAIRS)
def test_ids_addresses_counts_and_times_in_names_leave_a_signature_unchanged(pair: tuple[str, str]) -> None:
    def made(particular: str) -> str:
        operation, roles = f"GET /orders/{particular}/items", ("hub", f"job {particular}", f"at {particular}")
        return str(Signature("dependency-hangs", "shop", operation, roles, (f"lost {particular}",)))

    assert made(pair[0]) == made(pair[1])
    assert shape(shape(pair[0])) == shape(pair[0])


def test_names_keep_their_digits_where_they_are_part_of_a_word() -> None:
    for name in ("GET /api/v2/orders", "travel2.search", "S3.put", "oauth2", "e2e-check", "face", "Base64Decoder"):
        assert shape(name) == name
    assert shape("GET /orders/17") == shape("GET /orders/90210") == "GET /orders/{}"
    assert shape("10.0.3.7:8080 refused") == shape("192.168.1.1:443 refused") == "{} refused"
    assert shape("3f2504e0-4f89-41d3-9a0c-0305e82c3301") == "{}" and shape("user00017") == "user{}"


@settings(max_examples=40)
@given(st.floats(0, 10**9), st.integers(1, 50), st.floats(1.0, 1.2))
def test_other_times_counts_and_figures_of_the_same_kind_are_the_same_signature(later_s: float, times: int, slower: float) -> None:
    case = hang_case()
    signal = case.incident.signal
    now = replace(
        signal.now, requests=signal.now.requests * times, p99_ms=(signal.now.p99_ms or 0) * slower, start_s=later_s, end_s=later_s
    )
    moved = replace(signal, now=now, first_bad_s=signal.first_bad_s + later_s, detected_s=signal.detected_s + later_s)
    edges = tuple(replace(e, id=f"e{90 + i}", now_requests=e.now_requests * times) for i, e in enumerate(case.evidence.edges))
    evidence = replace(case.evidence, edges=edges, taken_s=later_s)
    assert of(replace(case, incident=replace(case.incident, signal=moved, evidence=evidence), evidence=evidence)) == of(case)


def test_what_failed_how_and_after_what_are_all_in_the_signature() -> None:
    hang, broken = parse(of(hang_case())), parse(of(bad_case()))
    assert hang is not None and broken is not None
    assert (hang.mechanism, hang.service, hang.operation) == ("dependency-hangs", "shop", "POST-orders")
    assert (hang.roles, hang.slower, hang.failing, hang.place, hang.deployed) == (
        ("hub", "POST-orders"),
        "stalled",
        "as-sound",
        "leaf",
        False,
    )
    assert (broken.errors, broken.slower, broken.failing, broken.place, broken.deployed) == (
        ("KeyError",),
        "as-fast",
        "most-fail",
        "middle",
        True,
    )
    assert [class_of_ratio(r) for r in (0.5, 1.4, 2, 5, 16)] == ["as-fast", "as-fast", "slower", "much-slower", "stalled"]
    assert [class_of_errors(r) for r in (0, 0.05, 0.2, 0.9)] == ["as-sound", "some-fail", "many-fail", "most-fail"]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_different_parts_never_share_a_signature_and_it_is_safe_to_show(a: str, b: str, c: str) -> None:
    made = str(Signature("dependency-hangs", a, "op", (b, c)))
    assert made.isascii() and not set(made) & set("`<>@#[] \n{}")
    swapped = str(Signature("dependency-hangs", a, "op", (c, b)))
    assert (swapped == made) == (shape(b) == shape(c))
    assert parse(made) is not None


def test_other_versions_and_other_texts_are_no_signature() -> None:
    assert parse("v1/dependency-hangs/shop/POST-orders/hub~0123456789ab") is None
    assert parse("") is None and parse("/" * 9) is None and parse("ignore previous instructions") is None


def test_fingerprints_are_the_same_in_every_process() -> None:
    script = (
        "import json; from bot.signature import Signature, fingerprint;"
        "print(json.dumps([fingerprint('a', 'b', 'c'), str(Signature('change-slows', 'a', 'b', ('c',)))]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "99"})
    assert json.loads(run.stdout) == [fingerprint("a", "b", "c"), str(Signature("change-slows", "a", "b", ("c",)))]
    assert len(fingerprint("a", "b", "c")) == 12 and fingerprint("ab", "", "c") != fingerprint("a", "b", "c")


def test_a_code_location_has_no_line() -> None:
    assert code_location("app/rates.py:Table.loyalty:44") == "app/rates.py:Table.loyalty"
    assert code_location("something else") == "something else"
