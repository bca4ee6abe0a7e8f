"""The table of signatures: exact first, then alike by a margin, else a miss; at once, and without anything heavy."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from bot.diagnosis.lookup import MARGIN, SIMILAR_FROM, Table, similarity
from bot.model import OutcomeKind, PostMortem
from bot.policy.schema import KnownFix
from bot.signature import Signature
from tests.diagnosis.cases import remembered

HEALED = OutcomeKind.HEALED
HUB = Signature("dependency-hangs", "shop", "POST /orders", ("hub", "POST /orders"), ("TimeoutError",), "stalled", "as-sound", "leaf")
REMEDY = "bound-dependency"


def known(issue: int, signature: Signature) -> PostMortem:
    return remembered(issue, str(signature), HEALED)


def test_the_very_same_signature_hits_even_where_another_one_is_near() -> None:
    near = replace(HUB, slower="much-slower", place="middle")
    hit = Table.of([known(1, near), known(2, HUB)]).find(str(HUB), REMEDY)
    assert hit is not None and (hit.signature, hit.similarity) == (str(HUB), 1.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"slower": "much-slower"},
        {"failing": "some-fail", "deployed": True},
        {"errors": ()},
        {"errors": ("TimeoutError", "ConnectError"), "place": "middle"},
        {"operation": "GET /orders"},
    ],
)
def test_the_same_fault_that_looks_a_little_different_is_known_again(changed: dict[str, object]) -> None:
    hit = Table.of([known(1, HUB)]).find(str(replace(HUB, **changed)), REMEDY)  # type: ignore[arg-type]
    assert hit is not None and SIMILAR_FROM <= hit.similarity < 1.0 and hit.record.healed == (1,)


@pytest.mark.parametrize(
    "changed",
    [
        {"mechanism": "dependency-fails"},
        {"roles": ("annex", "POST /orders")},
        {"service": "warehouse", "slower": "slower"},
        {"operation": "GET /orders", "errors": ()},
    ],
)
def test_another_fault_is_a_miss(changed: dict[str, object]) -> None:
    assert Table.of([known(1, HUB)]).find(str(replace(HUB, **changed)), REMEDY) is None  # type: ignore[arg-type]


def test_two_that_are_about_as_near_are_a_miss_and_two_looks_of_one_fault_are_not() -> None:
    asked = replace(HUB, slower="slower")
    one, other = replace(HUB, operation="GET /orders"), replace(HUB, operation="GET /cart")
    assert abs(similarity(asked, one) - similarity(asked, other)) < MARGIN
    assert Table.of([known(1, one)]).find(str(asked), REMEDY) is not None
    assert Table.of([known(1, one), known(2, other)]).find(str(asked), REMEDY) is None
    looks = [known(1, HUB), known(2, replace(HUB, slower="much-slower"))]
    hit = Table.of(looks).find(str(asked), REMEDY)
    assert hit is not None and hit.record.healed == (1, 2)


def test_a_remedy_that_was_not_the_one_that_healed_is_a_miss_and_so_is_an_older_version() -> None:
    assert Table.of([known(1, HUB)]).find(str(HUB), "revert") is None
    old = "v1/dependency-hangs/shop/POST-orders/hub~0123456789ab"
    table = Table.of([remembered(1, old, HEALED)])
    assert table.find(str(HUB), REMEDY) is None and table.find("", REMEDY) is None


def test_what_people_approved_counts_as_incidents_that_it_healed() -> None:
    hit = Table.of([], [KnownFix(str(HUB), REMEDY, healed=3)]).find(str(HUB), REMEDY)
    assert hit is not None and hit.record.healed_last and hit.record.trust == pytest.approx(4 / 5) and hit.record.healed == ()
    again = Table.of([remembered(9, str(HUB), OutcomeKind.FAILED)], [KnownFix(str(HUB), REMEDY, healed=3)]).find(str(HUB), REMEDY)
    assert again is not None and not again.record.healed_last, "a failure after the approval counts all the same"


def test_a_lookup_among_hundreds_takes_less_than_a_millisecond() -> None:
    def roles(i: int) -> tuple[str, str]:
        return ("hub" if i < 50 else f"hub-{chr(97 + i % 26)}", f"op-{chr(97 + i % 26)}-{chr(97 + i // 26)}")

    many = [known(i, replace(HUB, roles=roles(i))) for i in range(300)]
    table, asked = Table.of(many), (str(HUB), str(replace(HUB, slower="slower")))
    best_s = {text: float("inf") for text in asked}
    for text in asked * 20:
        begun_s = time.perf_counter()
        table.find(text, REMEDY)
        best_s[text] = min(best_s[text], time.perf_counter() - begun_s)
    assert max(best_s.values()) < 0.001


def test_a_lookup_needs_no_key_and_nothing_heavy() -> None:
    script = (
        "import sys; from bot.agents.cag import answer; from bot.diagnosis.lookup import Table;"
        "Table.of([]).find('x', 'revert');"
        "print([m for m in ('chromadb', 'langgraph', 'openai', 'numpy', 'httpx', 'githubkit') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={})
    assert run.stdout.strip() == "[]"
