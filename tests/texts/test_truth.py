"""What the texts say is so: nothing is claimed that did not happen, and everybody learns whether something is expected of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot import decide, texts
from bot.decide import Wait
from bot.evidence import Affected, Evidence
from bot.journal import Call, EscalationRecord
from bot.local.github.chart import parse_chart
from bot.model import Claim, OutcomeKind, Remedy
from bot.policy.maintenance import Window
from bot.texts.escalation import CALLS
from bot.texts.figures import CHART_POINTS, chart, elapsed
from bot.texts.status import step_words
from bot.texts.words import affected_words, claims_list, remedy_words, reverted
from tests.diagnosis.cases import FIRST_BAD_S, NOW_S
from tests.texts import stories as s


def revert(subject: str) -> Remedy:
    return Remedy("revert", commit="0843e2c" + "0" * 33, summary=f'Revert "{subject}" (0843e2c)')


def test_a_revert_is_titled_as_github_titles_it_and_names_the_pull_request_that_brought_the_change() -> None:
    remedy = revert("Loyalty discount (#12)")
    assert texts.commit_title(remedy, False) == 'Revert "Loyalty discount" (0843e2c)'
    assert reverted(remedy) == ("Loyalty discount", 12)
    assert "(“Loyalty discount”, from #12)" in remedy_words(remedy, s.LINKS)


def test_a_revert_recorded_without_a_title_still_has_one() -> None:
    remedy = Remedy("revert", commit="0843e2c" + "0" * 33, summary="revert it")
    assert texts.commit_title(remedy, False) == "Revert 0843e2c" and reverted(remedy) == ("", 0)


def test_long_titles_keep_within_72_characters() -> None:
    assert len(texts.commit_title(revert("word " * 40), False)) <= 72
    assert len(texts.commit_title(Remedy("bound-dependency", service="s" * 60, dependency="d" * 60), False)) <= 72


def test_words_that_switch_ci_or_deploys_off_do_not_get_into_our_commits() -> None:
    assert "[" not in texts.commit_title(revert("Faster [skip ci] [skip render]"), False)
    assert "[" not in texts.merge_title(replace(s.pull().pull, title="Fix [skip render]"))


def test_bots_are_not_called_by_name() -> None:
    case = s.bad_release()
    record = s.diagnosed(case)
    one = s.attempt(1, record)
    for author, called in (("robin", True), ("dependabot[bot]", False), ("", False), ("acme/team", False)):
        text = texts.pull_body(s.facts(case, one), one, s.proposal(record), s.LINKS, undo=False, author=author)
        assert ("takes back a change of yours" in text) is called


def test_the_chart_is_valid_small_and_keeps_its_peak_its_first_and_its_last_point() -> None:
    series = tuple((FIRST_BAD_S + n, 300.0 if n != 41 else 9000.0, 0.0) for n in range(60))
    source = chart(Evidence(NOW_S, series=series), s.hanging_depot().incident.signal)
    drawn = parse_chart(source.removeprefix("```mermaid\n").removesuffix("\n```"))
    assert drawn is not None and len(drawn.x_names) == len(set(drawn.x_names)) <= CHART_POINTS
    assert (drawn.x_names[0], drawn.x_names[-1], drawn.y_title) == ("1", "60", "ms")
    assert max(drawn.series[0][1]) == 9000.0 and "at most 1.5 s" in drawn.title
    assert drawn.y_range is not None and drawn.y_range[1] > 9000


def test_a_bad_moment_stands_after_the_first_bad_request_in_the_chart() -> None:
    series = tuple((FIRST_BAD_S - 7.3 + 3 * n, 300.0 if n < 2 else 9000.0, 0.0) for n in range(4))  # the third holds the first bad one
    source = chart(Evidence(NOW_S, series=series), s.hanging_depot().incident.signal)
    assert '["-4", "-1", "2", "5"]' in source and "line [300.0, 300.0, 9000.0, 9000.0]" in source


def test_a_moment_just_before_the_first_bad_request_is_zero_in_the_chart() -> None:
    series = tuple((FIRST_BAD_S - 6.3 + 3 * n, 300.0, 0.0) for n in range(3))
    assert '["-3", "0", "3"]' in chart(Evidence(NOW_S, series=series), s.hanging_depot().incident.signal)


def test_a_series_that_cannot_be_drawn_is_left_out() -> None:
    signal = s.hanging_depot().incident.signal
    for series in ((), ((1.0, 2.0, 0.0),) * 2, ((1.0, float("nan"), 0.0),) * 5, ((1.0, 2.0, 0.0),) * 5):
        assert chart(Evidence(NOW_S, series=series), signal) == ""


def test_a_claim_that_fell_is_struck_and_one_that_holds_cites_its_evidence() -> None:
    case = s.bad_release()
    d = s.diagnosed(case).diagnosis
    assert "~~" not in claims_list(d, case.evidence) and "(`d1`, `x1`)" in claims_list(d, case.evidence)
    fallen = replace(d, claims=(Claim("It was the moon.", ("x1", "x9"), False),))
    assert claims_list(fallen, case.evidence) == "- ~~It was the moon.~~ The evidence does not show this. (`x1`)"


def test_the_issue_says_which_of_the_services_concerned_is_under_maintenance() -> None:
    case = s.hanging_depot()
    window = Window("hub", FIRST_BAD_S - 60, 3_600.0, False, "a new @disk", 9)
    elsewhere = Window("billing", FIRST_BAD_S - 60, 3_600.0, False, "x", 10)
    text = texts.issue_body(case.incident.signal, case.evidence, replace(s.POLICIES, maintenance=(window, elsewhere)), s.LINKS)
    assert "`hub` is under maintenance until 2023-11-14 23:12:08 UTC: a new @\u200bdisk." in text and "`billing`" not in text
    assert "under maintenance" not in texts.issue_body(case.incident.signal, case.evidence, s.POLICIES, s.LINKS)


def test_what_else_is_unwell_is_counted_when_it_is_too_much_to_name() -> None:
    many = tuple(
        Affected(f"s{n}", "GET /", kind, FIRST_BAD_S) for n, kind in enumerate(("latency", "errors", "throughput", "of tomorrow") * 2)
    )
    words = affected_words(many)
    assert words.endswith("and 3 more") and "(of tomorrow)" in words and "(without its usual traffic)" in words


def test_the_evidence_of_a_later_attempt_stands_with_its_diagnosis() -> None:
    case = s.bad_release()
    for number, there in ((1, False), (2, True)):
        text = texts.diagnosis(s.diagnosed(case, number), case.evidence, s.POLICIES, s.LINKS)
        assert ("Evidence of this attempt" in text) is there


def test_every_waiting_is_said_in_words_of_ours() -> None:
    reasons = set(re.findall(r'Wait\("([^"]+)"\)', Path(decide.__file__).read_text(encoding="utf-8")))
    assert len(reasons) > 10
    unsaid = {why for why in reasons if step_words(Wait(why)) == why}
    assert not unsaid


@pytest.mark.parametrize("call", Call)
def test_a_call_for_a_person_says_why_and_what_is_asked(call: Call) -> None:
    case = s.bad_release()
    text = texts.escalation(s.facts(case, s.attempt(1, s.diagnosed(case), fix=s.pull())), call, s.LINKS)
    assert CALLS[call] in text and "{" not in text
    assert "still broken" in text and ("Please" in text or "without you" in text)


def test_the_status_says_whether_a_reader_has_to_act() -> None:
    case = s.bad_release()
    f = s.facts(case, s.attempt(1, s.diagnosed(case), fix=s.pull()))
    theirs = replace(f.attempts[0], pull=replace(s.pull(), ours=False))
    assert "You need to do nothing now" in texts.status(f, s.POLICIES, s.LINKS)
    for needy in (replace(f, escalation=EscalationRecord(1, Call.ASK)), replace(f, attempts=(theirs,))):
        text = texts.status(needy, s.POLICIES, s.LINKS)
        assert "You are needed" in text and "nothing now" not in text


def test_attempts_after_a_retry_are_counted_from_the_retry() -> None:
    case = s.bad_release()
    f = s.facts(case, *(s.attempt(n, None) for n in (1, 2, 3, 4)))
    assert "| attempt | 1 of 3 since `/sre retry` |" in texts.status(replace(f, counted=1), s.POLICIES, s.LINKS)


def test_an_undo_that_never_served_is_not_called_done() -> None:
    case = s.bad_release()
    f = s.facts(case, s.attempt(1, s.diagnosed(case), fix=s.pull("merged"), undo=s.pull("merged", 6)))
    done = texts.outcome(s.ended(OutcomeKind.FAILED, "the change is out again", undo=True), f, s.POLICIES, s.LINKS)
    lost = texts.outcome(s.ended(OutcomeKind.ERROR, "no service answered from it", undo=True), f, s.POLICIES, s.LINKS)
    assert "is taken back" in done and "is taken back" not in lost and "no service answered from it" in lost


def test_what_follows_an_attempt_depends_on_whether_another_one_is_left() -> None:
    case = s.bad_release()
    error = s.ended(OutcomeKind.ERROR, "the diagnosis ended without an answer 2 times")
    first = s.facts(case, s.attempt(1, None))
    assert "The next attempt begins" in texts.outcome(error, first, s.POLICIES, s.LINKS)
    assert "so I call a person" in texts.outcome(error, replace(first, counted=3), s.POLICIES, s.LINKS)


def test_an_incident_that_went_by_itself_is_not_claimed_as_healed_by_us() -> None:
    case = s.bad_release()
    unproven = s.attempt(1, s.diagnosed(case), fix=s.pull("merged"))
    undone = replace(unproven, undo=s.pull("merged", 6))
    assert "#5 stayed merged" in texts.gone(s.facts(case, unproven))
    assert "No fix of mine is in place" in texts.gone(s.facts(case, undone))


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (252, "4 min 12 s"), (7500, "2 h 5 min")])
def test_long_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words
