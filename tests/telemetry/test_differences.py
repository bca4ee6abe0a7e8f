"""What is different in the bad requests is named when it is so, and nothing is named when nothing is."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from bot.agents.scout import Scout
from bot.evidence import Difference, Evidence
from bot.telemetry import limits
from bot.telemetry.differences import differences, fisher, lower_bound
from bot.telemetry.evidence import shown
from bot.telemetry.extra import Extra
from bot.telemetry.store import Trace
from tests.telemetry.world import FRONT, T0, new_scout, root_spans, span

TIERS = ("free", "basic", "gold")


def scene(extra_of: Callable[[random.Random], Extra], is_bad: Callable[[Extra, float], bool], seed: int = 1) -> tuple[Scout, Evidence]:
    """40 s of requests that are all well, then 20 s in which those fail that `is_bad` says; the Scout and its evidence."""
    rng = random.Random(seed)
    scout, _ = new_scout()
    for i, item in enumerate(root_spans([T0 + 0.1 * i for i in range(600)])):
        extra = extra_of(rng)
        bad = i >= 400 and is_bad(extra, rng.random())
        scout.observe([span(trace_id=item.trace_id, start_s=item.start_s, end_s=item.end_s, error=bad, extra=extra)], item.end_s)
    signal = scout.signals(T0 + 60.2)[0]
    return scout, scout.evidence(signal, T0 + 60.2)


def customers(rng: random.Random) -> Extra:
    return (("customer.tier", rng.choice(TIERS)), ("region", rng.choice(("eu", "us"))), ("pod", f"web-{rng.randrange(4)}"), ("app", "shop"))


def test_only_gold_customers_fail_and_only_that_is_named() -> None:
    _, evidence = scene(customers, lambda extra, luck: ("customer.tier", "gold") in extra and luck < 0.9)
    (only,) = evidence.differences
    assert (only.id, only.service, only.key, only.value) == ("a1", FRONT, "customer.tier", "gold")
    assert only.bad_count == only.bad_total > 40
    assert only.good_total > 450
    assert 0.2 < only.good_count / only.good_total < 0.4
    assert only.score > 10


@pytest.mark.parametrize("seed", range(20))
def test_when_everybody_fails_alike_nothing_is_named(seed: int) -> None:
    _, evidence = scene(customers, lambda _, luck: luck < 0.6, seed)
    assert evidence.differences == ()


def test_an_attribute_of_a_service_behind_is_found_though_its_own_span_is_well() -> None:
    rng = random.Random(3)
    scout, _ = new_scout()
    for i, item in enumerate(root_spans([T0 + 0.1 * i for i in range(600)])):
        replica = f"replica-{rng.randrange(3)}"
        bad = i >= 400 and replica == "replica-2"
        behind = span(
            trace_id=item.trace_id,
            span_id=b"behindit",
            parent_id=item.span_id,
            service="store",
            name="query",
            kind="internal",
            start_s=item.start_s,
            end_s=item.start_s + 0.1,
            extra=(("db.node", replica),),
        )
        scout.observe(
            [behind, span(trace_id=item.trace_id, span_id=item.span_id, start_s=item.start_s, end_s=item.end_s, error=bad)], item.end_s
        )
    evidence = scout.evidence(scout.signals(T0 + 60.2)[0], T0 + 60.2)
    assert [(d.service, d.key, d.value) for d in evidence.differences] == [("store", "db.node", "replica-2")]


def test_a_canary_is_told_by_its_commit() -> None:
    scout, _ = new_scout()
    for i, item in enumerate(root_spans([T0 + 0.1 * i for i in range(600)])):
        commit = "new" if i >= 400 and i % 4 == 0 else "old"
        scout.observe(
            [span(trace_id=item.trace_id, start_s=item.start_s, end_s=item.end_s, error=commit == "new", commit=commit)], item.end_s
        )
    evidence = scout.evidence(scout.signals(T0 + 60.2)[0], T0 + 60.2)
    assert [(d.key, d.value, d.good_count) for d in evidence.differences] == [("deployed commit", "new", 0)]


def trace(number: int, *extras: Extra) -> Trace:
    made = Trace(number.to_bytes(16, "big"), T0)
    for i, extra in enumerate(extras):
        key = i.to_bytes(8, "big")
        made.spans[key] = span(span_id=key, service=f"s{i}", start_s=T0 + i, end_s=T0 + 9, extra=extra)
    return made


def test_what_is_handed_on_from_service_to_service_is_told_once_where_it_begins() -> None:
    plan = (("plan", "trial"),)
    bad = [trace(i, plan, plan, plan) for i in range(20)]
    good = [trace(100 + i, (), (), ()) for i in range(50)]
    assert [(d.service, d.value) for d in differences(bad, good, shown)] == [("s0", "trial")]


def test_few_requests_and_small_differences_are_not_enough() -> None:
    plan: Extra = (("plan", "trial"),)
    few = [trace(i, plan) for i in range(4)]
    assert differences(few, [trace(100 + i, ()) for i in range(50)], shown) == ()
    assert differences([trace(i, plan) for i in range(20)], [trace(100 + i, ()) for i in range(5)], shown) == ()
    slight = [trace(i, plan if i % 20 == 0 else ()) for i in range(2_000)]
    assert differences(slight, [trace(10_000 + i, ()) for i in range(2_000)], shown) == (), "it explains a twentieth of them"


def test_a_key_that_all_requests_share_is_no_difference_however_many_there_are() -> None:
    same: Extra = (("app", "shop"),)
    assert differences([trace(i, same) for i in range(3_000)], [trace(9_000 + i, same) for i in range(10)], shown) == ()


def test_however_many_attributes_there_are_few_are_shown_and_none_without_cause() -> None:
    rng = random.Random(5)
    named = 0
    for _ in range(60):
        made = [trace(i, tuple((f"k{k}", str(rng.randrange(3))) for k in range(16))) for i in range(120)]
        named += bool(differences(made[:40], made[40:], shown))
    assert named <= 2, "at most one in a hundred, in the long run"
    flood: Extra = tuple((f"k{k}", "bad") for k in range(40))
    assert len(differences([trace(i, flood) for i in range(30)], [trace(100 + i) for i in range(30)], shown)) == limits.DIFFERENCES


def test_a_secret_is_no_difference() -> None:
    leaked: Extra = (("note", "mail to ann@example.org"),)
    assert differences([trace(i, leaked) for i in range(30)], [trace(100 + i) for i in range(30)], shown) == ()


def test_the_statistics_are_those_of_the_books() -> None:
    assert fisher(3, 4, 1, 4) == pytest.approx(17 / 70), "Fisher's lady tasting tea, three of four right"
    assert fisher(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert fisher(0, 4, 2, 4) == 1.0
    assert lower_bound(20, 20, 0, 50) > lower_bound(10, 20, 0, 50) > 0 > lower_bound(10, 20, 25, 50)


def test_the_surest_comes_first() -> None:
    def extra(i: int, bad: bool) -> Extra:
        return (("sure", "yes" if bad else "no"), ("likely", "yes" if bad and i % 3 else "no"))

    found: tuple[Difference, ...] = differences(
        [trace(i, extra(i, True)) for i in range(60)], [trace(100 + i, extra(i, False)) for i in range(60)], shown
    )
    assert [(d.id, d.key) for d in found] == [("a1", "sure"), ("a2", "likely")]
    assert found[0].score > found[1].score > 1
