"""CAG: the same kind of cause again, answered from memory with the confidence that the memory earned."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.agents.cag import answer, obstacle
from bot.agents.curator import post_mortem
from bot.diagnosis.localise import localise, signature_of
from bot.journal import DiagnosisRecord, OutcomeRecord
from bot.model import Measurement, OutcomeKind, PostMortem, Remedy, Use, UseResult
from tests.diagnosis import cases
from tests.diagnosis.cases import bad_case, bad_changes, bad_evidence, error_group, hang_case, hang_evidence, remembered

HANG = signature_of(hang_case(), localise(hang_case()).candidates[0])
BREAK = signature_of(bad_case(), localise(bad_case()).candidates[0])
HEALED, FAILED = OutcomeKind.HEALED, OutcomeKind.FAILED


def failed(issue: int) -> PostMortem:
    return remembered(issue, HANG, FAILED)


def confidence(*past: PostMortem) -> float | None:
    found = answer(hang_case(), past, cases.policies())
    return found.confidence if found is not None else None


def test_a_depot_hung_and_was_healed_then_another_one_hangs_and_memory_answers_for_that_one() -> None:
    case = hang_case(hang_evidence("depot-south", normal_ms=150))
    found = answer(case, [remembered(7, HANG, HEALED)], cases.policies())
    assert found is not None and found.answered_by == "cag" and found.verdict == "culprit"
    assert found.confidence > 0.90 and found.recalled == (7,) and found.signature == HANG
    assert found.remedy is not None and found.remedy.dependency == "depot-south"
    assert dict(found.remedy.parameters)["timeout_s"] == "0.6"
    assert all(claim.holds for claim in found.claims)


def test_the_bad_change_is_landed_again_then_its_new_commit_is_reverted() -> None:
    past = remembered(7, BREAK, HEALED, Remedy("revert", commit=cases.BAD))
    guilty = bad_changes()[0]
    again = replace(guilty, commit=replace(guilty.commit, sha=cases.sha(9)))
    found = answer(bad_case(changes=(again,)), [past], cases.policies())
    assert found is not None and found.remedy is not None
    assert found.remedy.commit == cases.sha(9) and found.confidence > 0.90


def test_one_success_and_one_failure_are_not_enough_to_act_alone() -> None:
    once, mixed = confidence(remembered(7, HANG, HEALED)), confidence(failed(6), remembered(7, HANG, HEALED))
    assert once is not None and mixed is not None
    assert once > 0.90 >= mixed


def test_each_failure_lowers_the_confidence_and_weighs_more_than_a_success_wins() -> None:
    always = confidence(*(remembered(i, HANG, HEALED) for i in range(10, 16)))
    once_not = confidence(*(remembered(i, HANG, HEALED) for i in range(10, 15)), failed(20), remembered(21, HANG, HEALED))
    twice_not = confidence(*(remembered(i, HANG, HEALED) for i in range(10, 15)), failed(20), failed(21), remembered(22, HANG, HEALED))
    assert always is not None and once_not is not None and twice_not is not None
    assert always > 0.99 > once_not > twice_not and twice_not < 0.90


def test_a_fix_that_did_not_heal_last_time_is_not_used_however_often_it_healed_before() -> None:
    healed = [remembered(i, HANG, HEALED) for i in range(1, 30)]
    assert confidence(*healed) is not None
    for result in (UseResult.FAILED, UseResult.REFUSED, UseResult.REVERTED, UseResult.CORRECTED):
        against = replace(remembered(40, HANG, HEALED), uses=(Use(1, HANG, "bound-dependency", result, cases.NOW_S),))
        assert confidence(*healed, against) is None, result
    unmeasured = remembered(40, HANG, OutcomeKind.INCONCLUSIVE)
    assert confidence(*healed, unmeasured) == confidence(*healed), "what could not be measured says nothing"


def test_an_attempt_that_failed_before_another_one_healed_is_remembered_as_a_failure_of_its_own() -> None:
    uses = (Use(1, HANG, "bound-dependency", UseResult.FAILED, cases.NOW_S - 50), Use(2, BREAK, "revert", UseResult.HEALED, cases.NOW_S))
    assert confidence(remembered(7, HANG, HEALED), replace(remembered(8, BREAK, HEALED), uses=uses)) is None


def test_more_successes_earn_more_confidence() -> None:
    one, three = confidence(remembered(7, HANG, HEALED)), confidence(*(remembered(i, HANG, HEALED) for i in (7, 8, 9)))
    assert one is not None and three is not None and three > one


def test_the_same_issue_told_twice_counts_once() -> None:
    assert confidence(remembered(7, HANG, HEALED), remembered(7, HANG, HEALED)) == confidence(remembered(7, HANG, HEALED))


def test_memory_has_no_answer_then_it_says_nothing() -> None:
    assert confidence() is None
    assert confidence(remembered(7, HANG, FAILED)) is None
    assert confidence(remembered(7, HANG, HEALED), remembered(8, HANG, FAILED), remembered(9, HANG, FAILED)) is None
    assert confidence(remembered(7, BREAK, HEALED)) is None
    assert confidence(remembered(7, HANG, HEALED, Remedy("revert", commit=cases.BAD))) is None
    assert confidence(remembered(7, HANG, OutcomeKind.INCONCLUSIVE)) is None


def test_the_remedy_no_longer_applies_then_memory_says_nothing() -> None:
    assert answer(hang_case(manifest=None), [remembered(7, HANG, HEALED)], cases.policies()) is None


def test_memory_does_not_make_up_for_a_missing_deploy_match() -> None:
    case = bad_case(replace(bad_evidence(), deploys=(), errors=(error_group(ran=""),)), bad_changes(()))
    past = [remembered(issue, BREAK, HEALED, Remedy("revert", commit=cases.BAD)) for issue in range(1, 41)]
    found = answer(case, past, cases.policies())
    assert found is None, "Brain takes its time, and looks again"


def test_what_the_curator_writes_is_what_memory_matches() -> None:
    case = hang_case()
    first = answer(case, [remembered(7, HANG, HEALED)], cases.policies())
    assert first is not None
    after = Measurement(cases.NOW_S, cases.NOW_S + 9, 40, 0, 0, 100, 310)
    outcome = OutcomeRecord(1, HEALED, "p99 is 310 ms again", cases.NOW_S + 30, after=after)
    record = DiagnosisRecord(1, first, case.base_sha)
    written = post_mortem(case.incident, record, outcome, issue=12, title="Orders are slow", opened_s=cases.NOW_S)
    assert (written.issue, written.signature, written.outcome, written.healed_s) == (12, HANG, HEALED, cases.NOW_S + 30)
    assert "POST /orders of shop: p99 6.1 s, before p99 300 ms" in written.text and "p99 310 ms afterwards" in written.text
    assert answer(hang_case(hang_evidence("depot-west"), cases.MANIFEST.replace("south", "west")), [written], cases.policies()) is not None


def test_a_post_mortem_has_no_commit_in_its_text_and_none_without_a_diagnosis() -> None:
    case = bad_case()
    found = answer(case, [remembered(7, BREAK, HEALED, Remedy("revert", commit=cases.BAD))], cases.policies())
    assert found is not None
    outcome = OutcomeRecord(1, FAILED, "still failing", cases.NOW_S + 30)
    written = post_mortem(case.incident, DiagnosisRecord(1, found, case.base_sha), outcome, issue=12, title="t", opened_s=0)
    assert cases.BAD[:7] not in written.text and written.healed_s is None
    assert "75 % errors, before 0 % errors" in written.text
    bare = post_mortem(case.incident, None, outcome, issue=12, title="t", opened_s=0)
    assert (bare.signature, bare.remedy, bare.answered_by) == ("", None, "")


def test_a_remembered_fix_that_means_nothing_on_todays_tree_has_an_obstacle() -> None:
    found = answer(hang_case(), [remembered(7, HANG, HEALED)], cases.policies())
    assert found is not None and found.remedy is not None
    today, moved = "1" * 40, "2" * 40
    tree = cases.Repository({today: {"deploy/hub.yaml": cases.MANIFEST}, moved: {"deploy/hub.yml": cases.MANIFEST}})
    assert asyncio.run(obstacle(tree, cases.policies(), found.remedy, today)) == ""
    assert "does not exist" in asyncio.run(obstacle(tree, cases.policies(), found.remedy, moved))
