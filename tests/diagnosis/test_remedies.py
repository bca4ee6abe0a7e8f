"""Remedies: when they apply, and the exact change of files they mean on today's base."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diagnosis.case import gather
from bot.diagnosis.localise import localise
from bot.diagnosis.manifest_edit import set_scalars
from bot.diagnosis.remedies import bounded_timeout_s, build_proposal, propose_remedy
from bot.errors import Refused
from bot.forge import ChangedFile, Commit
from bot.model import Proposal, Remedy
from bot.policy.strict_yaml import FAST_LOADER
from tests.diagnosis import cases
from tests.diagnosis.cases import MANIFEST, Repository, hang_case, hang_evidence

BOUND = Remedy(
    "bound-dependency",
    service="hub",
    dependency="depot-north",
    parameters=(("timeout_s", "0.85"), ("breaker.enabled", "true"), ("fallback", "omit")),
)
PARENT, GUILTY, BASE = cases.sha(1), cases.sha(2), cases.sha(3)
CODE = "".join(f"line {i}\n" for i in range(30))


def build(repository: Repository, remedy: Remedy, base: str = BASE) -> Proposal:
    return asyncio.run(build_proposal(repository, cases.policies(), remedy, base))


def manifest_repository(text: str) -> Repository:
    return Repository({BASE: {"deploy/hub.yaml": text}})


def history(parent: dict[str, str], guilty: dict[str, str], base: dict[str, str], *files: ChangedFile) -> Repository:
    commit = Commit(GUILTY, "Release", "dev", "Dev", cases.NOW_S, (PARENT,), files)
    return Repository({PARENT: parent, GUILTY: guilty, BASE: base}, [commit])


def test_the_manifest_changes_in_three_lines_and_every_comment_stays() -> None:
    proposal = build(manifest_repository(MANIFEST), BOUND)
    head, tail = MANIFEST.split("  depot-south:")
    after = (
        head.replace("timeout_s: 30", "timeout_s: 0.85")
        .replace("enabled: false", "enabled: true")
        .replace("fallback: none", "fallback: omit")
    )
    assert proposal.changes[0].after == f"{after}  depot-south:{tail}"
    assert (proposal.added_lines, proposal.removed_lines, proposal.services) == (3, 3, ("hub",))


def test_the_same_remedy_on_the_same_base_is_the_same_proposal() -> None:
    assert build(manifest_repository(MANIFEST), BOUND) == build(manifest_repository(MANIFEST), BOUND)


def test_a_remedy_that_is_in_place_already_is_refused() -> None:
    after = build(manifest_repository(MANIFEST), BOUND).changes[0].after
    assert after is not None
    with pytest.raises(Refused, match="nothing to change"):
        build(manifest_repository(after), BOUND)


@pytest.mark.parametrize(
    "parameters",
    [(("timeout_s", "0"),), (("timeout_s", "1\nevil: true"),), (("fallback", "none"),), (("image", "evil"),), (("timeout_s", "yes"),)],
)
def test_a_remedy_that_the_policy_does_not_know_is_refused(parameters: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Refused):
        build(manifest_repository(MANIFEST), replace(BOUND, parameters=parameters))


def test_a_dependency_that_the_manifest_does_not_list_is_refused() -> None:
    with pytest.raises(Refused, match="no settings"):
        build(manifest_repository(MANIFEST), replace(BOUND, dependency="depot-moon"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n  x:\n    b: 1 # one\n\n# end\n", "a:\n  x:\n    b: 1 # one\n    t: 0.5\n\n# end\n"),
        ("a:\n  x: {b: 1}\n", "a:\n  x: {b: 1, t: 0.5}\n"),
        ("a:\n  x:\n    t:\n", "a:\n  x:\n    t: 0.5\n"),
        ("a: {x: {t: 30}}", "a: {x: {t: 0.5}}"),
        ("a:\n    x:\n        t: '30' # quoted\n", "a:\n    x:\n        t: 0.5 # quoted\n"),
    ],
)
def test_a_value_is_set_or_added_in_the_style_of_the_file(text: str, expected: str) -> None:
    assert set_scalars(text, [(("a", "x", "t"), "0.5")]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {t: 30}\nb: *x\n",
        "d: &d {t: 30}\na:\n  x: *d\n",
        "a: [1]\n",
        "- a\n",
        "a: {",
        "a:\n  x: [1]\n",
        "a:\n  x:\n    t: 1\n    t: 2\n",
        "a: {x: {t: 1}}\nb: " + "[" * 900 + "]" * 900 + "\n",
        "[" * 5000,
        "a: \ud800",
    ],
)
def test_yaml_that_cannot_be_edited_safely_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        set_scalars(text, [(("a", "x", "t"), "0.5")] if "&x" not in text else [(("a", "t"), "0.5")])


names = st.text("abcdefgh-_", min_size=1, max_size=6).filter(lambda name: name[0].isalpha())
documents = st.dictionaries(
    names, st.dictionaries(names, st.one_of(st.integers(0, 99), st.booleans(), st.text("xyz ", max_size=4)), min_size=1), min_size=1
)


@settings(max_examples=80)
@given(documents, st.data(), st.booleans())
def test_an_edit_changes_that_value_and_no_other_line(document: dict[str, dict[str, object]], data: st.DataObject, flow: bool) -> None:
    text = yaml.safe_dump(document, default_flow_style=None if flow else False)
    key = data.draw(st.sampled_from(sorted(document)))
    field = data.draw(st.one_of(names, st.sampled_from(sorted(document[key]))))
    after = set_scalars(text, [((key, field), "0.25")])
    assert yaml.load(after, FAST_LOADER) == {**document, key: {**document[key], field: 0.25}}
    changed = set(after.splitlines()) ^ set(text.splitlines())
    assert len(changed) <= 2


def test_the_time_out_follows_the_normal_time_within_the_objective() -> None:
    edge = hang_evidence().edges[2]
    policies = cases.policies()
    assert bounded_timeout_s(replace(edge, before_p99_ms=100), 1500, policies) == 0.4
    assert bounded_timeout_s(replace(edge, before_p99_ms=500), 1500, policies) == 0.9
    assert bounded_timeout_s(replace(edge, before_p99_ms=5), 1500, policies) == 0.1
    assert bounded_timeout_s(replace(edge, before_p99_ms=950), 1500, policies) is None
    assert bounded_timeout_s(replace(edge, before_p99_ms=None), 1500, policies) is None


def test_a_tighter_time_out_that_is_there_stays_and_only_the_rest_is_set() -> None:
    case = hang_case(manifest=MANIFEST.replace("timeout_s: 30", "timeout_s: 0.5"))
    remedy = propose_remedy(case, localise(case).candidates[0].suspect, cases.policies())
    assert remedy is not None and remedy.parameters == (("breaker.enabled", "true"), ("fallback", "omit"))


def test_a_dependency_that_is_bounded_already_has_no_remedy() -> None:
    case = hang_case(manifest=build(manifest_repository(MANIFEST), BOUND).changes[0].after)
    assert propose_remedy(case, localise(case).candidates[0].suspect, cases.policies()) is None


def test_the_guilty_commit_goes_and_what_came_later_stays() -> None:
    guilty = CODE.replace("line 10\n", "raise KeyError\n")
    later = guilty.replace("line 25\n", "line 25 # harmless\n")
    repository = history({"a.py": CODE}, {"a.py": guilty}, {"a.py": later, "b.py": "x"}, ChangedFile("a.py", "modified", 1, 1))
    proposal = build(repository, Remedy("revert", commit=GUILTY))
    assert [(c.path, c.after) for c in proposal.changes] == [("a.py", CODE.replace("line 25\n", "line 25 # harmless\n"))]
    assert (proposal.added_lines, proposal.removed_lines) == (1, 1)


def test_added_files_go_removed_ones_come_back_and_renamed_ones_return() -> None:
    parent, guilty = {"gone.py": "g", "old.py": "o"}, {"new.py": "n", "moved.py": "o"}
    files = (
        ChangedFile("gone.py", "removed", 0, 1),
        ChangedFile("moved.py", "renamed", 0, 0, "old.py"),
        ChangedFile("new.py", "added", 1, 0),
    )
    proposal = build(history(parent, guilty, guilty, *files), Remedy("revert", commit=GUILTY))
    assert {c.path: c.after for c in proposal.changes} == {"gone.py": "g", "old.py": "o", "new.py": None, "moved.py": None}


@pytest.mark.parametrize(
    ("base", "file"),
    [
        ({"a.py": "theirs"}, ChangedFile("a.py", "modified", 1, 1)),
        ({}, ChangedFile("a.py", "modified", 1, 1)),
        ({"a.py": "changed since"}, ChangedFile("a.py", "added", 1, 0)),
        ({"a.py": "x", "old.py": "back with other content"}, ChangedFile("a.py", "renamed", 0, 0, "old.py")),
    ],
)
def test_a_revert_that_conflicts_with_later_changes_is_refused(base: dict[str, str], file: ChangedFile) -> None:
    parent = {} if file.status == "added" else {file.previous_path or "a.py": "parent"}
    with pytest.raises(Refused, match="revert by hand"):
        build(history(parent, {"a.py": "guilty"}, base, file), Remedy("revert", commit=GUILTY))


def test_a_commit_that_is_reverted_already_is_refused() -> None:
    repository = history({"a.py": CODE}, {"a.py": "bad"}, {"a.py": CODE}, ChangedFile("a.py", "modified", 1, 1))
    with pytest.raises(Refused, match="reverted already"):
        build(repository, Remedy("revert", commit=GUILTY))


def test_the_undo_of_our_own_fix_gives_back_what_was_before() -> None:
    after = build(manifest_repository(MANIFEST), BOUND).changes[0].after
    assert after is not None
    path = "deploy/hub.yaml"
    repository = history({path: MANIFEST}, {path: after}, {path: after}, ChangedFile(path, "modified", 3, 3))
    assert build(repository, Remedy("revert", commit=GUILTY)).changes[0].after == MANIFEST


def test_gathering_reads_the_range_of_the_deploy_and_the_manifests_of_those_concerned() -> None:
    log = [cases.commit(cases.sha(9))] + [change.commit for change in cases.bad_changes()]
    evidence = cases.bad_evidence()
    evidence = replace(evidence, deploys=tuple(replace(mark, previous_commit=cases.sha(9)) for mark in evidence.deploys))
    repository = Repository({log[-1].sha: {"deploy/hub.yaml": MANIFEST}}, log)
    record = cases.bad_case(evidence).incident
    case = asyncio.run(gather(repository, cases.policies(), record, evidence))
    assert [change.commit.sha for change in case.changes] == [commit.sha for commit in log[1:]]
    assert case.changes[0].deploys == ("d1", "d2", "d3") and case.changes[0].services == ("pricing",)
    assert (case.base_sha, case.manifests) == (log[-1].sha, ())
    assert repository.asked == [commit.sha for commit in log[1:]]


def test_gathering_without_deploys_takes_the_recent_commits_with_no_deploy_to_their_name() -> None:
    log = [replace(cases.commit(cases.sha(9)), committed_s=cases.NOW_S - 9000), cases.commit(cases.BAD)]
    repository = Repository({cases.BAD: {"deploy/hub.yaml": MANIFEST}}, log)
    evidence = replace(hang_evidence(), deploys=())
    case = asyncio.run(gather(repository, cases.policies(), hang_case(evidence).incident, evidence))
    assert [(change.commit.sha, change.deploys) for change in case.changes] == [(cases.BAD, ())]
    assert case.manifest("hub") == MANIFEST
