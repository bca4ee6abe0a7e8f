"""Stories of a shop: what its traces show when something in it breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.rootcause.comparing.sides import Sides
from bot.rootcause.model import Span, View, Window
from bot.rootcause.traces.view import traces_view
from tests.rootcause.shop import CHECKOUT, Visit, healthy, on_pod, window

BASELINE = healthy()


def seen(requests: list[Visit], baseline: Window = BASELINE) -> View:
    return traces_view(Sides(window(requests, begin_s=600), baseline))


def culprit(view: View) -> tuple[str, str]:
    causes = [one for one in view.findings if not one.symptom_of and one.strength >= 1]
    return (causes[0].service, causes[0].fault) if causes else ("", "")


def test_nothing_is_found_when_the_shop_does_what_it_always_does() -> None:
    view = seen([CHECKOUT] * 40)
    assert view.comparable
    assert view.findings == ()


def test_slow_code_is_its_own_service_doing_and_nobody_elses() -> None:
    view = seen([CHECKOUT.at("prices", lambda v: replace(v, own_ms=200))] * 20)
    assert culprit(view) == ("prices", "slow")
    assert {one.service for one in view.findings} == {"prices"}


def test_a_slow_network_lies_between_caller_and_callee() -> None:
    assert culprit(seen([CHECKOUT.at("stock", lambda v: replace(v, gap_ms=500))] * 20)) == ("stock", "network")


def test_who_reaches_everybody_slowly_is_slow_himself() -> None:
    def slow(visit: Visit) -> Visit:
        return replace(visit, calls=tuple(replace(call, gap_ms=500) for call in visit.calls))

    wide = replace(CHECKOUT, calls=(*CHECKOUT.calls, Visit("mail", ()), Visit("tax", ()), Visit("points", ())))
    others = [replace(CHECKOUT, service="back")] * 30
    usual = window([*[wide] * 30, *others])
    view = seen([*[slow(wide)] * 20, *others], usual)
    assert culprit(view) == ("front", "network")


def test_a_few_slow_requests_among_many_are_no_incident() -> None:
    slow = CHECKOUT.at("cart", lambda v: replace(v, own_ms=400))
    assert culprit(seen([CHECKOUT] * 27 + [slow] * 3)) == ("", "")


def test_two_samples_that_hardly_differ_are_no_incident() -> None:
    """Some carts are priced slowly, today a few more of them: the median jumps, yet most of what is seen now was seen before."""
    quick, slow = CHECKOUT, CHECKOUT.at("cart", lambda v: replace(v, own_ms=300))
    usual = window([quick, slow] * 30)
    view = seen([quick, slow, slow, slow, quick, slow, slow, slow, quick, slow] * 6, usual)
    assert culprit(view) == ("", "")


def test_milliseconds_that_nobody_feels_are_no_incident() -> None:
    assert culprit(seen([CHECKOUT.at("cart", lambda v: replace(v, own_ms=15))] * 40)) == ("", "")


def test_a_call_that_was_hardly_seen_before_is_measured_by_the_others() -> None:
    gift = replace(CHECKOUT, calls=(*CHECKOUT.calls, Visit("gifts", ())))
    slow = replace(CHECKOUT, calls=(*CHECKOUT.calls, Visit("gifts", (), gap_ms=900)))
    assert culprit(seen([slow] * 20, window([CHECKOUT] * 28 + [gift] * 2))) == ("gifts", "network")


def test_errors_belong_to_the_deepest_service_that_failed() -> None:
    failing = CHECKOUT.at("prices", lambda v: replace(v, failed=True, exception="KeyError: 'EUR'"))
    failing = failing.at("cart", lambda v: replace(v, failed=True)).at("front", lambda v: replace(v, failed=True))
    view = seen([failing, CHECKOUT] * 10)
    assert culprit(view) == ("prices", "errors")
    assert {one.symptom_of for one in view.findings if one.service != "prices"} == {"prices"}


def test_failures_at_their_usual_rate_are_no_news_and_a_rise_is() -> None:
    failing = CHECKOUT.at("stock", lambda v: replace(v, failed=True)).at("front", lambda v: replace(v, failed=True))
    usual = window([CHECKOUT] * 36 + [failing] * 4)
    assert seen([CHECKOUT] * 36 + [failing] * 5, usual).findings == ()
    assert culprit(seen([failing] * 30, usual))[0] == "stock"


def test_an_exception_shows_as_calls_that_are_no_longer_made() -> None:
    view = seen([CHECKOUT.at("cart", lambda v: replace(v, calls=()))] * 20)
    assert culprit(view) == ("cart", "exception")


def test_retries_are_the_same_call_again() -> None:
    def retried(visit: Visit) -> Visit:
        return replace(visit, calls=(visit.calls[0], visit.calls[0], visit.calls[0], *visit.calls[1:]))

    view = seen([CHECKOUT.at("cart", retried)] * 20)
    assert culprit(view)[0] == "cart"
    assert "/prices comes prices /prices" in view.findings[0].what


def test_calls_without_an_answer_accuse_whom_they_were_meant_for() -> None:
    def gone(visit: Visit) -> Visit:
        return replace(visit, answers=False, failed=True)

    silent = window([CHECKOUT.at("stock", gone)] * 20, begin_s=600)
    assert culprit(traces_view(Sides(silent, BASELINE)))[0] == "stock"
    nameless = Window(tuple(replace(span, peer="", failed=False) for span in silent.spans))
    assert culprit(traces_view(Sides(nameless, BASELINE))) == ("stock", "stalled")


def test_one_instance_of_several_is_named() -> None:
    pods = [on_pod(n % 2) for n in range(40)]
    bad = [pod.at("stock", lambda v: replace(v, failed=True, exception="IOError: disk") if v.instance == "pod-1" else v) for pod in pods]
    view = seen(bad, window(pods))
    assert (culprit(view)[0], view.findings[0].instance) == ("stock", "pod-1")


@pytest.mark.parametrize("baseline", [Window(), window([Visit("other", ())] * 30)])
def test_with_nothing_in_common_nothing_is_said(baseline: Window) -> None:
    view = seen([CHECKOUT.at("prices", lambda v: replace(v, own_ms=200))] * 20, baseline)
    assert not view.comparable
    assert view.why


def test_half_of_the_traces_still_tell() -> None:
    slow = window([CHECKOUT.at("prices", lambda v: replace(v, own_ms=200))] * 20, begin_s=600)
    kept = {span.trace_id for span in slow.spans if int(span.trace_id, 16) % 2}
    half = Window(tuple(span for span in slow.spans if span.trace_id in kept))
    assert culprit(traces_view(Sides(half, BASELINE))) == ("prices", "slow")


def test_hostile_traces_end() -> None:
    loop = [Span("t", f"{i}", f"{(i + 1) % 500}", "front", "", "x" * 10_000, 0, i, i - 5, False) for i in range(500)]
    again = [Span("t", "1", "1", "front", "", "/", 0, 0, 0, True)] * 100
    view = traces_view(Sides(Window(tuple(loop + again)), BASELINE))
    assert all(len(one.what) < 600 for one in view.findings)
