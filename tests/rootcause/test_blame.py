"""Who keeps the blame, and what counts as odd."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.rootcause.metrics.between_services import lost_calls, network_ends
from bot.rootcause.metrics.handed_down import callees_of, callers_of, kept, main_callee
from bot.rootcause.metrics.healthy import Health, best_half

NAMES = st.sampled_from("abcdef")
EDGES = st.sets(st.tuples(NAMES, NAMES))
AMOUNTS = st.dictionaries(NAMES, st.floats(0.001, 1e6))


def test_the_deepest_service_that_explains_its_callers_keeps_the_blame() -> None:
    callees = callees_of([("front", "orders"), ("orders", "stock"), ("front", "cart")])
    suffered = {"front": 10.0, "orders": 9.5, "stock": 9.0, "cart": 0.1}
    own = kept(suffered, callees)
    assert max(own, key=lambda service: own[service]) == "stock"
    assert main_callee("front", suffered, callees) == "orders"


def test_what_is_not_measured_is_looked_through() -> None:
    assert kept({"front": 10.0, "stock": 10.0}, callees_of([("front", "balancer"), ("balancer", "stock")]))["front"] == 0.0


def test_two_that_call_each_other_do_not_both_go_free() -> None:
    own = kept({"a": 5.0, "b": 3.0}, callees_of([("a", "b"), ("b", "a")]))
    assert max(own.values()) > 0.0


@given(AMOUNTS, EDGES)
def test_nobody_keeps_more_than_it_suffers(amounts: dict[str, float], edges: set[tuple[str, str]]) -> None:
    own = kept(amounts, callees_of(edges))
    assert own.keys() == amounts.keys()
    assert all(0.0 <= own[service] <= amounts[service] for service in own)


def test_one_slow_edge_is_its_callees_and_all_slow_edges_of_a_caller_are_the_callers() -> None:
    edges = {("front", "cart"): 0.1, ("front", "ads"): 0.1, ("orders", "mail"): 0.2, ("front", "orders"): 0.1}
    ends = network_ends({**edges, ("orders", "mail"): 20.0})
    assert max(ends, key=lambda service: ends[service].strength) == "mail"
    ends = network_ends({edge: 20.0 if "front" in edge else 0.1 for edge in edges})
    assert max(ends, key=lambda service: ends[service].strength) == "front"


def test_a_quiet_network_has_no_ends() -> None:
    assert network_ends({("a", "b"): 0.9}) == {}


def test_lost_calls_are_not_blamed_on_a_caller_that_is_called_less_itself() -> None:
    edges = [("front", "orders"), ("orders", "stock")]
    callers, callees = callers_of(edges), callees_of(edges)
    falls = {"stock": 8.0}
    assert set(lost_calls(falls, {"front": 1.0, "orders": 1.0, "stock": 0.2}, callers, callees)) == {"orders"}
    assert lost_calls(falls, {"front": 0.3, "orders": 0.3, "stock": 0.2}, callers, callees) == {}


def test_the_best_half_finds_what_began_inside_the_window() -> None:
    assert best_half([0.0, 0.0, 4.0, 6.0, 0.0], 2) == 5.0


def test_a_change_as_large_as_the_worst_healthy_one_is_one() -> None:
    spiky = [(at, 5.0 if at % 10 == 0 else 0.0) for at in range(100)]
    assert Health(spiky, 1).rise([5.0], 0.1) == 1.0
    assert Health(spiky, 1).rise([10.0], 0.1) == 2.0
    assert Health(spiky, 1).fall([-0.2], 0.1) == 2.0


def test_a_stretch_under_judgement_is_not_its_own_measure() -> None:
    once = [(at, 5.0 if at in (50, 51) else 0.0) for at in range(60)]
    health = Health(once, 2)
    assert health.rise([5.0, 5.0], 0.1) < health.rise([5.0, 5.0], 0.1, without=50)
