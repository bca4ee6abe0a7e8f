"""Stories of a shop: what its logs say when something in it breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.rootcause.comparing.sides import Sides
from bot.rootcause.logs.view import logs_view
from bot.rootcause.model import View, Window
from tests.rootcause.shop import CHECKOUT, Visit, healthy, on_pod, window

BASELINE = healthy()
REFUSED = "ERROR Web#5 request failed: java.lang.IllegalStateException: no instance of stock"


def broken(service: str, *lines: str, calls: int | None = None) -> Visit:
    def change(visit: Visit) -> Visit:
        return replace(visit, lines=lines, calls=visit.calls if calls is None else visit.calls[:calls])

    return CHECKOUT.at(service, change)


def culprit(view: View) -> str:
    causes = [one for one in view.findings if not one.symptom_of and one.strength >= 1]
    return causes[0].service if causes else ""


def seen(requests: list[Visit], baseline: Window = BASELINE) -> View:
    return logs_view(Sides(window(requests, begin_s=600), baseline))


def test_nothing_is_found_when_the_shop_does_what_it_always_does() -> None:
    view = seen([CHECKOUT] * 40)
    assert view.comparable
    assert view.findings == ()


def test_an_exception_nobody_logs_shows_as_runs_that_end_early() -> None:
    view = seen([broken("cart", "INFO Cart#11 reading cart 12")] * 20)
    assert culprit(view) == "cart"
    assert view.findings[0].fault == "exception"
    assert "nothing more is logged" in view.findings[0].what


def test_an_early_return_before_the_first_line_shows_as_well() -> None:
    assert culprit(seen([broken("prices")] * 20)) == "prices"


def test_a_new_error_line_accuses_its_writer() -> None:
    view = seen([broken("stock", "INFO Stock#31 reserving", "ERROR Stock#77 cannot reserve: TimeoutException")] * 20)
    assert culprit(view) == "stock"
    assert view.findings[0].evidence


def test_the_fault_may_begin_in_the_middle_of_the_window() -> None:
    requests = [CHECKOUT] * 12 + [broken("cart", "INFO Cart#11 reading cart 12")] * 12
    carts = [span for span in window(requests, begin_s=600).spans if span.service == "cart" and span.operation == "/cart"]
    view = seen(requests)
    assert culprit(view) == "cart"
    assert view.findings[0].since_ns == carts[12].start_ns


def test_whoever_called_the_broken_service_shows_symptoms_only() -> None:
    request = broken("prices", "INFO Prices#7 looking up").at("cart", lambda v: replace(v, lines=v.lines[:1]))
    request = request.at("front", lambda v: replace(v, lines=(v.lines[0], "ERROR Front#99 order failed: RemoteException")))
    view = seen([request] * 20)
    assert culprit(view) == "prices"
    assert {one.service: one.symptom_of for one in view.findings} == {"prices": "", "cart": "prices", "front": "prices"}


def test_errors_that_stop_are_no_fault() -> None:
    flaky = [CHECKOUT, broken("stock", "INFO Stock#31 reserving", REFUSED)] * 15
    assert seen([CHECKOUT] * 30, window(flaky)).findings == ()


def test_a_known_failure_may_come_again_elsewhere_without_being_news() -> None:
    flaky = [CHECKOUT] * 24 + [broken("stock", "INFO Stock#31 reserving", REFUSED)] * 6
    elsewhere = [CHECKOUT] * 24 + [broken("cart", "INFO Cart#11 reading cart 9", REFUSED)] * 7
    assert culprit(seen(elsewhere, window(flaky))) == ""


def test_a_known_failure_that_spreads_is_news_and_names_whom_its_text_names() -> None:
    flaky = [CHECKOUT] * 28 + [broken("front", "INFO Front#10 order received", REFUSED, calls=1)] * 2
    everywhere = [broken("front", "INFO Front#10 order received", REFUSED, calls=1)] * 30
    assert culprit(seen(everywhere, window(flaky))) == "stock"


def test_what_requests_do_after_a_failure_is_no_pattern() -> None:
    """In the baseline every order failed; that orders go through now is no change of what the shop does."""
    refused = broken("front", "INFO Front#10 order received", REFUSED)
    assert seen([CHECKOUT] * 30, window([refused] * 30)).findings == ()


def test_one_odd_request_is_no_incident() -> None:
    assert seen([CHECKOUT] * 29 + [broken("cart", "INFO Cart#11 reading cart 12")]).findings == ()


def test_lines_that_were_collected_twice_count_once() -> None:
    usual = window([CHECKOUT] * 30, begin_s=600)
    doubled = Window(usual.spans, tuple(line for line in usual.logs for _ in range(2)))
    assert logs_view(Sides(doubled, BASELINE)).findings == ()


def test_lines_without_a_place_in_the_code_are_told_apart_by_their_template() -> None:
    plain = Visit("front", ("order 17 received from 10.0.0.1", "order 17 priced", "order 17 done"))
    cut = replace(plain, lines=plain.lines[:2])
    numbers = [replace(plain, lines=tuple(line.replace("17", str(n)) for line in plain.lines)) for n in range(30)]
    wide = Visit("cart", ("a one", "b two", "c three"))
    assert culprit(logs_view(Sides(window([*[cut] * 20, *[wide] * 20], begin_s=600), window([*numbers, *[wide] * 20])))) == "front"


@pytest.mark.parametrize("spans", [True, False])
def test_without_span_ids_the_service_part_of_the_trace_is_compared(spans: bool) -> None:
    usual = window([CHECKOUT] * 30, spans=spans, span_ids=False)
    now = window([broken("cart", "INFO Cart#11 reading cart 12")] * 20, spans=spans, span_ids=False, begin_s=600)
    assert culprit(logs_view(Sides(now, usual))) == "cart"


def test_without_trace_ids_a_new_error_is_evidence_still() -> None:
    usual = window([CHECKOUT] * 120, spans=False, trace_ids=False)
    now = window([broken("stock", "ERROR Stock#77 cannot reserve")] * 120, spans=False, trace_ids=False, begin_s=600)
    assert culprit(logs_view(Sides(now, usual))) == "stock"
    assert logs_view(Sides(window([CHECKOUT] * 120, spans=False, trace_ids=False, begin_s=600), usual)).findings == ()


def test_the_instance_is_named_when_one_of_several_is_odd() -> None:
    pods = [on_pod(n % 3) for n in range(30)]
    bad = [pod.at("stock", lambda v: replace(v, lines=v.lines[:1]) if v.instance == "pod-1" else v) for pod in pods]
    view = seen(bad, window(pods))
    assert (culprit(view), view.findings[0].instance) == ("stock", "pod-1")


@pytest.mark.parametrize("baseline", [Window(), window([Visit("other", ("INFO Other#1 x", "INFO Other#2 y"))] * 30)])
def test_with_nothing_in_common_nothing_is_said(baseline: Window) -> None:
    view = seen([broken("cart", "INFO Cart#11 reading cart 12")] * 20, baseline)
    assert not view.comparable
    assert view.why


def test_hostile_lines_are_read_as_text() -> None:
    endless = Visit("front", ("ERROR " + "a" * 100_000, "Class#" + "9" * 10_000, '"' * 5_000, "$" * 50_000, "<script>alert(1)</script>#1"))
    view = seen([endless] * 20)
    assert all(len(one.what) < 500 for one in view.findings)
