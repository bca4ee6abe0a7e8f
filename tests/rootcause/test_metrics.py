"""What metrics say about a small shop: whose fault it is, and that health is nobody's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.rootcause.metrics.view import metrics_view
from bot.rootcause.model import Series, Symptom, Window
from tests.rootcause.metric_world import (
    BASELINE_MINUTES,
    HEALTH,
    INCIDENT_MINUTES,
    MINUTE_NS,
    NOBODY,
    START_NS,
    Trouble,
    look,
    ranking,
    renamed,
    shop,
)

SLOW_FRONT = Symptom("front", "latency")
FAILING_FRONT = Symptom("front", "availability")


def test_a_busy_processor_is_found_and_the_pod_named() -> None:
    view = look(Trouble(cpu={("cart", "cart-1"): 6.0}), pods=3)
    first = view.findings[0]
    assert (first.service, first.instance, first.fault) == ("cart", "cart-1", "resource")
    assert first.strength > 1.0


def test_more_traffic_makes_nobody_guilty_of_its_work() -> None:
    view = look(Trouble(traffic=2.5))
    assert not [one for one in view.findings if one.fault == "resource" and one.strength > 1.0]


def test_a_slow_leaf_is_blamed_and_its_callers_are_explained_by_it() -> None:
    view = look(Trouble(extra_s={"stock": 0.05}), SLOW_FRONT)
    assert ranking(view)[0][0] == "stock"
    explained = {one.service: one.symptom_of for one in view.findings if one.fault == "slow" and one.symptom_of}
    assert explained["front"] in ("orders", "cart")
    assert explained["cart"] == "stock"


def test_a_rare_callee_that_is_much_slower_explains_nothing_of_what_many_wait_for() -> None:
    view = look(Trouble(extra_s={"front": 0.06, "mail": 0.03}), SLOW_FRONT)
    assert ranking(view)[0][0] == "front"


def test_a_failing_leaf_is_blamed_when_the_front_complains() -> None:
    view = look(Trouble(failing={"mail": 0.3}), FAILING_FRONT)
    assert ranking(view)[0][0] == "mail"
    assert ranking(view)[0][1] > 1.0
    assert {one.fault for one in view.findings} <= {"errors", "traffic"}


def test_a_slow_network_is_told_from_a_slow_service() -> None:
    view = look(Trouble(delay_s={("orders", "mail"): 0.2}), SLOW_FRONT)
    mail = [one for one in view.findings if one.service == "mail"]
    assert [one.fault for one in mail if one.strength > 1.0] == ["network"]
    assert ranking(view)[0][0] in ("mail", "orders")  # the caller waits indeed


def test_a_slow_interface_delays_all_calls_through_it() -> None:
    delays = dict.fromkeys((("orders", "stock"), ("orders", "mail"), ("front", "orders")), 0.2)
    network = [one for one in look(Trouble(delay_s=delays)).findings if one.fault == "network"]
    assert network[0].service == "orders"
    assert network[0].strength > 2 * network[1].strength


def test_who_stops_calling_is_blamed_not_who_is_no_longer_called() -> None:
    view = look(Trouble(calls={("orders", "stock"): 0.1, ("orders", "mail"): 0.1}))
    assert [one.service for one in view.findings if one.fault == "traffic"][:1] == ["orders"]


def test_traffic_that_stays_away_at_the_front_is_no_early_return() -> None:
    assert not [one for one in look(Trouble(traffic=0.2)).findings if one.fault == "traffic"]


def test_a_handful_of_calls_fewer_is_chance() -> None:
    def hourly(minutes: int, start: int, calls: float) -> Window:
        times = tuple(START_NS + minute * MINUTE_NS for minute in range(start, start + minutes))
        counts = {"front": 100.0, "report": calls}
        return Window(
            series=tuple(
                Series(service, "", "requests", "Sum", "", "gauge", (), "", "", times, (count,) * minutes)
                for service, count in counts.items()
            ),
            graph=frozenset({("front", "report")}),
        )

    assert ranking(metrics_view(hourly(4, 60, 2.0), hourly(60, 0, 4.0), NOBODY)) == []
    assert ranking(metrics_view(hourly(4, 60, 20.0), hourly(60, 0, 40.0), NOBODY))[0][0] == "front"


@pytest.mark.parametrize("seed", range(11, 15))
def test_health_makes_no_culprit(seed: int) -> None:
    assert ranking(look(HEALTH, seed=seed))[0][1] < 1.0


def test_memory_that_drifts_accuses_nobody() -> None:
    view = look(Trouble(drift=2.0))
    assert not [one for one in view.findings if "memory" in one.what]


def test_names_decide_nothing() -> None:
    trouble = Trouble(extra_s={"stock": 0.05}, failing={"mail": 0.2})
    incident, baseline = shop(INCIDENT_MINUTES, 7, trouble, BASELINE_MINUTES), shop(BASELINE_MINUTES)
    known = ranking(metrics_view(incident, baseline, NOBODY))

    def upside_down(name: str) -> str:
        return "x" + "".join(chr(ord("a") + (ord(letter) * 7) % 26) for letter in name)

    hidden = ranking(metrics_view(renamed(incident, upside_down), renamed(baseline, upside_down), NOBODY))
    assert [upside_down(service) for service, _ in known[:2]] == [service for service, _ in hidden[:2]]


def test_half_of_the_incident_is_enough() -> None:
    incident = shop(INCIDENT_MINUTES // 2, 7, Trouble(extra_s={"stock": 0.05}), BASELINE_MINUTES)
    assert ranking(metrics_view(incident, shop(BASELINE_MINUTES), SLOW_FRONT))[0][0] == "stock"


def test_an_outage_inside_the_baseline_hides_no_fault() -> None:
    outage = shop(4, 3, Trouble(failing={"mail": 0.9}), BASELINE_MINUTES)
    before = shop(BASELINE_MINUTES)
    joined = _joined(before, outage)
    later = shop(INCIDENT_MINUTES, 7, Trouble(failing={"mail": 0.3}), BASELINE_MINUTES + 4)
    service, strength = ranking(metrics_view(later, joined, FAILING_FRONT))[0]
    assert service == "mail"
    assert strength > 1.0


def test_other_services_are_not_comparable() -> None:
    stranger = renamed(shop(INCIDENT_MINUTES, 7, HEALTH, BASELINE_MINUTES), lambda name: "other " + name)
    view = metrics_view(stranger, shop(BASELINE_MINUTES), NOBODY)
    assert (view.comparable, view.findings) == (False, ())
    assert "no series" in view.why


def test_no_metrics_are_not_comparable() -> None:
    assert "incident holds no metrics" in metrics_view(Window(), shop(20), NOBODY).why
    assert "baseline holds no metrics" in metrics_view(shop(5), Window(), NOBODY).why
    assert "8 are needed" in metrics_view(shop(5), shop(6), NOBODY).why


def _joined(first: Window, second: Window) -> Window:
    more = {(one.service, one.instance, one.metric, one.statistic, one.client, one.server): one for one in second.series}
    series = []
    for one in first.series:
        other = more[one.service, one.instance, one.metric, one.statistic, one.client, one.server]
        series.append(replace(one, times_ns=one.times_ns + other.times_ns, values=one.values + other.values))
    return Window(series=tuple(series), graph=first.graph)
