"""One incident from one cause: storms become one group that names where to look first, unrelated failures stay apart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.detection.group import SPREAD_S, Calls, Symptom, groups
from bot.evidence import ServiceCall

T0 = 1_700_000_000.0


def symptom(service: str, operation: str = "POST /x", after_s: float = 0.0, *, seen_s: float = 5.0, written: bool = True, incident: int = 0,
            excused: bool = False) -> Symptom:  # fmt: skip
    return Symptom(service, operation, T0 + after_s, T0 + seen_s, written, incident, excused)


def calls(*paths: str, worse: str = "") -> list[ServiceCall]:
    """`a b c`: a calls b, b calls c. All have one operation, but for services in capitals, which send no spans."""
    found = []
    for path in paths:
        services = path.split()
        for caller, callee in itertools.pairwise(services):
            operation = "" if callee.isupper() else "POST /x"
            found.append(ServiceCall(caller, "POST /x", callee, operation, f"{caller}>{callee}" in worse.split()))
    return found


CHAIN = calls("web quotes gate DEPOT")
Expected = list[tuple[str, set[str], tuple[str, ...]]]  # primary, others, upstream

ROWS: dict[str, tuple[Sequence[Symptom], Sequence[ServiceCall], Expected]] = {
    "nothing": ([], CHAIN, []),
    "one alone": ([symptom("web")], CHAIN, [("web", set(), ("web",))]),
    "a dependency hangs: a storm over four services is one incident of the most user-facing": (
        [symptom("gate"), symptom("DEPOT", "", 1), symptom("quotes", after_s=0.5), symptom("web", after_s=1)],
        CHAIN,
        [("web", {"quotes", "gate", "DEPOT"}, ("DEPOT",))],
    ),
    "the dependency sends no spans and has no signal: it is named by the calls that got worse": (
        [symptom("gate"), symptom("quotes", after_s=0.5), symptom("web", after_s=1)],
        calls("web quotes gate DEPOT", "gate HARBOUR", worse="web>quotes quotes>gate gate>DEPOT"),
        [("web", {"quotes", "gate"}, ("DEPOT",))],
    ),
    "a service in the middle has no signal": ([symptom("web"), symptom("gate")], CHAIN, [("web", {"gate"}, ("gate",))]),
    "two fronts hang on the same dependency that got worse": (
        [symptom("web"), symptom("app", after_s=2)],
        calls("web gate", "app gate", worse="web>gate app>gate"),
        [("web", {"app"}, ("gate",))],
    ),
    "two fronts call the same service, which is well: two causes": (
        [symptom("web"), symptom("app", after_s=2)],
        calls("web gate", "app gate"),
        [("web", set(), ("web",)), ("app", set(), ("app",))],
    ),
    "two independent faults": (
        [symptom("web"), symptom("billing", after_s=3)],
        calls("web quotes", "billing ledger", worse="web>quotes billing>ledger"),
        [("web", set(), ("quotes",)), ("billing", set(), ("ledger",))],
    ),
    "a path, but long after": (
        [symptom("web"), symptom("quotes", after_s=SPREAD_S + 1)],
        CHAIN,
        [("web", set(), ("web",)), ("quotes", set(), ("quotes",))],
    ),
    "it spreads step by step": (
        [symptom("gate"), symptom("quotes", after_s=400), symptom("web", after_s=800)],
        CHAIN,
        [("web", {"quotes", "gate"}, ("gate",))],
    ),
    "a learnt signal joins a written one, though it is more user-facing": (
        [symptom("web", written=False), symptom("quotes")],
        CHAIN,
        [("quotes", {"web"}, ("quotes",))],
    ),
    "all were learnt": (
        [symptom("gate", written=False), symptom("web", written=False, after_s=1)],
        CHAIN,
        [("web", {"gate"}, ("gate",))],
    ),
    "two operations of one service": (
        [symptom("web", "GET /a", 1), symptom("web", "GET /b")],
        [],
        [("web", {"web"}, ("web",))],
    ),
    "another operation of a callee is another matter while the calls are well": (
        [symptom("web"), symptom("quotes", "GET /report")],
        CHAIN,
        [("quotes", set(), ("quotes",)), ("web", set(), ("web",))],
    ),
    "and the same matter when the calls got worse": (
        [symptom("web"), symptom("quotes", "GET /report")],
        calls("web quotes", worse="web>quotes"),
        [("web", {"quotes"}, ("quotes",))],
    ),
    "a signal about a whole service": ([symptom("web"), symptom("quotes", "")], CHAIN, [("web", {"quotes"}, ("quotes",))]),
    "an incident that is open stands for what joins it, whatever it is": (
        [symptom("gate", written=False, incident=7), symptom("web"), symptom("quotes")],
        CHAIN,
        [("gate", {"web", "quotes"}, ("gate",))],
    ),
    "of two open incidents the older one": (
        [symptom("gate", incident=9), symptom("web", incident=8)],
        CHAIN,
        [("web", {"gate"}, ("gate",))],
    ),
    "who was noticed first has opened the incident by now": (
        [symptom("gate", written=False), symptom("web", seen_s=6)],
        CHAIN,
        [("gate", {"web"}, ("gate",))],
    ),
    "what is under maintenance does not stand for others, and is still named": (
        [symptom("web", after_s=1, seen_s=6), symptom("gate", excused=True)],
        CHAIN,
        [("web", {"gate"}, ("gate",))],
    ),
    "they call each other": (
        [symptom("a"), symptom("b", after_s=1)],
        calls("a b", "b a"),
        [("a", {"b"}, ("a", "b"))],
    ),
}  # fmt: skip


def told(symptoms: Sequence[Symptom], paths: Sequence[ServiceCall]) -> Expected:
    return [(g.primary.service, {o.service for o in g.others}, g.upstream) for g in groups(symptoms, paths)]


@pytest.mark.parametrize(("symptoms", "paths", "expected"), ROWS.values(), ids=ROWS)
def test_signals_are_grouped_by_cause(symptoms: Sequence[Symptom], paths: Sequence[ServiceCall], expected: Expected) -> None:
    assert told(symptoms, paths) == expected


@pytest.mark.parametrize(("symptoms", "paths", "expected"), ROWS.values(), ids=ROWS)
def test_the_order_in_which_they_come_does_not_matter(
    symptoms: Sequence[Symptom], paths: Sequence[ServiceCall], expected: Expected
) -> None:
    rng = random.Random(1)
    for _ in range(10):
        assert told(rng.sample(list(symptoms), len(symptoms)), rng.sample(list(paths), len(paths))) == expected


services = st.sampled_from("abcdef")
some_symptoms = st.lists(
    st.builds(
        Symptom,
        services,
        st.sampled_from(["x", "y", ""]),
        st.floats(0, 2_000),
        st.floats(0, 50),
        st.booleans(),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=8,
)
some_calls = st.lists(
    st.builds(ServiceCall, services, st.sampled_from("xy"), services, st.sampled_from(["x", "y", ""]), st.booleans()), max_size=14
)


@given(some_symptoms, some_calls)
def test_everything_that_is_unwell_is_in_exactly_one_group_and_every_group_says_where_to_look(
    symptoms: list[Symptom], paths: list[ServiceCall]
) -> None:
    found = groups(symptoms, paths)
    nodes = [member.node for group in found for member in group.members]
    assert sorted(nodes) == sorted({one.node for one in symptoms})
    assert all(group.upstream for group in found)
    assert groups(list(reversed(symptoms)), list(reversed(paths))) == found or len({one.node for one in symptoms}) < len(symptoms)
    for one in found:
        if not any(member.incident for member in one.members) and not all(member.excused for member in one.members):
            assert not one.primary.excused


def test_calls_that_go_round_end() -> None:
    graph = Calls(calls("a b c a"))
    assert graph.behind(("a", "POST /x")) == {("b", "POST /x"), ("c", "POST /x")}
