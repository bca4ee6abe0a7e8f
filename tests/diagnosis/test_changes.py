"""What changed near the onset: deploys, commits, manifests and flags; who wrote the line; and that nothing changed is an answer too."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.diagnosis.blame import blame
from bot.diagnosis.case import Case, Change, gather
from bot.diagnosis.joins import nearness
from bot.diagnosis.localise import localise
from bot.diagnosis.patch import came_from, moved
from bot.evidence import ConfigChange, DeployMark
from bot.forge import ChangedFile
from bot.model import SignalKind
from tests.diagnosis import cases
from tests.diagnosis.cases import (
    BAD,
    FIRST_BAD_S,
    LATER_PATCH,
    SAME_FILE,
    TEXT_ONLY,
    Repository,
    bad_case,
    bad_changes,
    bad_evidence,
    commit,
    edge,
    error_group,
    hang_case,
    hang_evidence,
    incident,
    measured,
)
from tests.diagnosis.test_localise import diagnose

STALE = cases.sha(9)


def gathered(evidence_marks: tuple[DeployMark, ...], ran: str, history: Repository) -> list[str]:
    evidence = replace(bad_evidence(), deploys=evidence_marks, errors=(error_group(ran=ran),))
    case = asyncio.run(gather(history, cases.policies(), bad_case(evidence).incident, evidence))
    return [change.commit.sha for change in case.changes]


def history() -> Repository:
    """The bad commit, then two that are on main and not deployed yet."""
    return Repository({SAME_FILE: {}}, [commit(STALE), *(change.commit for change in bad_changes())])


def test_what_is_on_main_and_not_deployed_is_no_suspect() -> None:
    first_seen = (DeployMark("d1", "pricing", BAD, "", FIRST_BAD_S - 20),)
    assert gathered(first_seen, BAD, history()) == [STALE, BAD]
    assert gathered((), "", history()) == [STALE, BAD, TEXT_ONLY, SAME_FILE]  # nobody says what runs


def test_between_two_deploys_only_what_the_later_one_brought() -> None:
    marks = (DeployMark("d1", "pricing", TEXT_ONLY, BAD, FIRST_BAD_S - 20),)
    assert gathered(marks, TEXT_ONLY, history()) == [TEXT_ONLY]


def test_a_commit_that_touches_no_file_of_the_failing_service_is_doubted() -> None:
    own = diagnose(bad_case())
    elsewhere = diagnose(bad_case(changes=tuple(replace(change, services=("hub",)) for change in bad_changes())))
    features = {feature.name: feature for feature in elsewhere.features}
    assert elsewhere.confidence < own.confidence and "touches no file of pricing" in features["deploy_match"].why


def test_the_longer_it_took_the_less_it_was_the_deploy() -> None:
    values = [nearness(gap_s) for gap_s in (0, 10, 120, 600, 3600)]
    assert values[0] == 1.0 and values == sorted(values, reverse=True) and values[-1] < 0.05


# --- manifests and flags


def retuned(peer: str, *, service: str = "hub") -> Change:
    patch = f"@@ -3,2 +3,2 @@\n   {peer}:\n-    timeout_s: 30\n+    timeout_s: 0.01"
    files = (ChangedFile("deploy/hub.yaml", "modified", 1, 1, patch=patch),)
    return Change(commit(BAD, *files), ("d1",), (service,), (service,))


def failing_hub(change: Change) -> Case:
    """The hub gives up on depot-north after ten milliseconds, since the deploy."""
    group = replace(error_group(), service="hub", type="TimeoutError", frames=("app/hub/client.py:call:9",), commit=BAD)
    edges = (edge(1, "shop", "hub", 200, 40, errors=30), edge(2, "hub", "depot-north", 180, 10, errors=30, kinds=("TimeoutError",)))
    evidence = replace(bad_evidence(), edges=edges, errors=(group,), deploys=(DeployMark("d1", "hub", BAD, "0" * 40, FIRST_BAD_S - 3),))
    return bad_case(evidence, (change,))


def test_a_manifest_that_was_changed_where_it_speaks_of_the_failing_call_is_named_as_such() -> None:
    about = next(c for c in localise(failing_hub(retuned("depot-north"))).candidates if c.suspect.kind == "change")
    other = next(c for c in localise(failing_hub(retuned("depot-south"))).candidates if c.suspect.kind == "change")
    assert f"Commit {BAD[:7]} changed the manifest of hub" in about.cause
    assert about.suspect.score > 2 * other.suspect.score > 0


def test_the_dependency_is_blamed_less_when_its_caller_was_just_told_to_treat_it_otherwise() -> None:
    def blamed(change: Change) -> float:
        return next(c.suspect.score for c in localise(failing_hub(change)).candidates if c.suspect.kind == "dependency")

    assert blamed(retuned("depot-north")) < blamed(retuned("depot-south"))


def switched(at_s: float = FIRST_BAD_S - 4, service: str = "pricing", deployed_s: float = FIRST_BAD_S - 900) -> Case:
    marks = (DeployMark("d1", "pricing", SAME_FILE, "0" * 40, deployed_s),)
    flag = ConfigChange("c1", service, "feature.new_rates", "on", "off", at_s)
    return bad_case(replace(bad_evidence(), deploys=marks, changes=(flag,), errors=(error_group(first_seen_s=FIRST_BAD_S),)), ())


def test_a_flag_that_was_switched_right_before_is_the_culprit_and_a_person_has_to_switch_it_back() -> None:
    diagnosis = diagnose(switched())
    assert [(s.kind, s.name, s.at) for s in diagnosis.suspects[:1]] == [("setting", "feature.new_rates", "pricing")]
    assert diagnosis.cause.endswith("feature.new_rates of pricing was set from off to on, and pricing fails since.")
    assert diagnosis.remedy is None and diagnosis.confidence <= 0.90 and all(claim.holds for claim in diagnosis.claims)


@pytest.mark.parametrize(
    "case",
    [switched(at_s=FIRST_BAD_S + 60), switched(service="hub"), switched(deployed_s=FIRST_BAD_S - 4)],
    ids=["switched later", "of a service that is well", "came with a deploy"],
)
def test_a_flag_that_does_not_fit_is_no_suspect(case: Case) -> None:
    assert all(candidate.suspect.kind != "setting" for candidate in localise(case).candidates)


# --- who wrote the line


def test_blame_follows_a_line_back_through_what_came_later() -> None:
    changes = bad_changes()
    moved_by_later = moved(42, LATER_PATCH)
    found = blame(changes, "app/pricing/rates.py", moved_by_later)
    assert found is not None and found.commit.sha == BAD
    assert blame(changes, "app/pricing/rates.py", 2) == changes[2]
    assert blame(changes, "app/pricing/rates.py", 90) is None
    assert blame(changes, "app/pricing/rates.py", 2, ran=BAD) is None  # the later one was not running


@given(st.integers(1, 200))
def test_where_a_line_came_from_is_where_it_moved_to(line: int) -> None:
    assert came_from(moved(line, LATER_PATCH), LATER_PATCH) == line


# --- nobody to blame


def test_no_culprit_is_an_answer_that_says_what_was_compared_and_what_changed() -> None:
    calm = replace(hang_evidence(), edges=(edge(1, "shop", "pricing", 200, 205), edge(2, "pricing", "hub", 180, 180)))
    before, now = replace(measured(300), start_s=0.0, end_s=100.0), replace(measured(2_000, requests=300), start_s=0.0, end_s=100.0)
    record = incident(SignalKind.LATENCY, calm, before, now)
    diagnosis = diagnose(replace(hang_case(calm), incident=record))
    assert (diagnosis.verdict, diagnosis.suspects, diagnosis.remedy) == ("no-culprit", (), None)
    assert diagnosis.cause == (
        "POST /orders of shop got worse, but I see no cause: none of the 2 calls between services explains it, and nothing that I know of"
        " was deployed or switched shortly before. It gets 3.0 times as many requests as before, which may be all there is to it."
    )


def test_slowness_under_three_times_the_traffic_is_blamed_on_nobody_alone() -> None:
    case = hang_case()
    signal = case.incident.signal
    busy = replace(signal, before=replace(signal.before, start_s=0, end_s=100.0), now=replace(signal.now, start_s=0, end_s=25.0))
    assert diagnose(replace(case, incident=replace(case.incident, signal=busy))).confidence < 0.9 < diagnose(case).confidence


def test_when_all_third_parties_are_slow_it_is_none_of_them() -> None:
    evidence = hang_evidence()
    edges = tuple(replace(e, now_p99_ms=(e.before_p99_ms or 0) * 8) if e.peer.startswith("depot") else e for e in evidence.edges)
    assert diagnose(hang_case(replace(evidence, edges=edges))).confidence <= 0.90


@pytest.mark.parametrize(("apart_s", "sure"), [(0.6, True), (40.0, False)])
def test_a_release_that_was_replaced_before_it_could_fail_is_not_cleared_by_that(apart_s: float, sure: bool) -> None:
    """Three releases of pricing; the first failure comes when the second one answers. Only a first one that served for a while without a
    failure speaks for itself."""
    seconds = (FIRST_BAD_S - 0.3 - apart_s, FIRST_BAD_S - 0.3, FIRST_BAD_S + 30)
    commits = (BAD, TEXT_ONLY, SAME_FILE)
    marks = tuple(DeployMark(f"d{i}", "pricing", commits[i], "0" * 40, at_s) for i, at_s in enumerate(seconds))
    evidence = replace(bad_evidence(), deploys=marks, errors=(error_group(ran=TEXT_ONLY),))
    changes = tuple(replace(change, deploys=(mark.id,)) for change, mark in zip(bad_changes(), marks, strict=True))
    diagnosis = diagnose(bad_case(evidence, changes))
    assert diagnosis.suspects[0].name == BAD
    assert (diagnosis.confidence > 0.9) is sure
