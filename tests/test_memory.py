"""Memory on GitHub: rebuilt from closed issues, changed by people, offered back to them, and found by the next job on another runner."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.agents.offer import KNOWN, offers, with_fix
from bot.codec import from_json, to_json
from bot.errors import Refused
from bot.journal import AttemptRecord, CommandRecord, DiagnosisRecord, NoticeRecord, OutcomeRecord
from bot.model import OutcomeKind, PostMortem
from bot.names import OFFER_PREFIX, REVERTED_NOTICE
from bot.policy.load import load_directory
from bot.policy.schema import KnownFix
from bot.signature import Signature
from tests.diagnosis.cases import remembered
from tests.job_world import BOT, INCIDENT, STARTED_S, Jobs, jobs
from tests.local.actions_world import World, world

ROOT = Path(__file__).parents[1]
SIGNATURE = str(Signature("change-breaks", "shop", "POST /orders", ("shop", "KeyError", "app/shop/rates.py:price"), ("KeyError",)))


async def learnt(j: Jobs, number: int) -> None:
    """The incident was healed, closed and curated."""
    if not await j.records(number, DiagnosisRecord):
        await j.record(number, DiagnosisRecord(1, replace(j.revert(), signature=SIGNATURE), j.base))
    await j.record(number, OutcomeRecord(1, OutcomeKind.HEALED, "well again", time.time()))
    await j.world.do(BOT, "PATCH", f"/issues/{number}", {"state": "closed"})
    assert await j.run("curate", "--issue", str(number)) == 0


async def another(j: Jobs) -> int:
    number = await j.open_incident(replace(INCIDENT, fingerprint=f"{time.time_ns() & 0xFFFFFFFFFFFF:012x}"))
    await j.record(number, AttemptRecord(1, STARTED_S))
    return number


async def shown(j: Jobs, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    capsys.readouterr()
    assert await j.run("memory", "show", "--json") == 0
    fixes: list[Any] = json.loads(capsys.readouterr().out)["fixes"]
    return fixes


def test_a_lost_index_is_rebuilt_from_github_and_a_person_who_corrects_the_cause_is_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            await learnt(j, j.number)
            (fix,) = await shown(j, capsys)
            assert (fix["signature"], fix["healed"], fix["would_be_used"]) == (SIGNATURE, [j.number], True)
            before = await j.state()
            assert await j.run("memory", "rebuild", "--json", SRE_CHROMA_PATH=str(tmp_path / "new")) == 0
            assert json.loads(capsys.readouterr().out) == {"incidents": 1} and await j.state() == before

            await j.record(j.number, CommandRecord(77, "correct", "alice", True, argument="cause=postgres it ran out of connections"))
            (fix,) = await shown(j, capsys)
            assert not fix["would_be_used"] and fix["failed_times"] == 1

    asyncio.run(story())


def test_a_fix_that_people_revert_is_noted_in_its_incident_once_and_not_used_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            assert await j.apply(j.diagnosis(replace(j.revert(), signature=SIGNATURE))) == 0
            (pull,) = await j.pulls()
            merged = await j.world.do(BOT, "PUT", f"/pulls/{pull['number']}/merge", {"sha": pull["head"]["sha"], "merge_method": "squash"})
            await learnt(j, j.number)
            assert await j.run("curate", "--reverts") == 0 and await j.records(j.number, NoticeRecord) == []

            await j.push_main({"app/shop/rates.py": "a = 1\nb = 0\n"}, f'Revert "it"\n\nThis reverts commit {merged["sha"]}.')
            (fix,) = await shown(j, capsys)
            assert not fix["would_be_used"], "seen in the newest commits"
            assert await j.run("curate", "--reverts") == 0
            assert await j.records(j.number, NoticeRecord) == [NoticeRecord(REVERTED_NOTICE, pull["number"])], "and written down"
            before = await j.state()
            assert await j.run("curate", "--reverts") == 0 and await j.state() == before

    asyncio.run(story())


# --- what is offered to people


def proven(times: int) -> list[PostMortem]:
    return [remembered(n, SIGNATURE, OutcomeKind.HEALED) for n in range(1, times + 1)]


def test_a_fix_is_offered_once_it_healed_often_enough_in_a_row_and_people_have_not_taken_it_yet() -> None:
    policies = load_directory(ROOT / "policies")
    assert policies.offer_after == 3
    assert offers(proven(2), policies) == ()
    (offer,) = offers(proven(4), policies)
    assert (offer.fix.signature, offer.fix.healed, offer.issues) == (SIGNATURE, 4, (1, 2, 3, 4))
    assert not offer.branch.startswith("sre/") and offer.branch.startswith(OFFER_PREFIX)
    failed = [*proven(4), remembered(9, SIGNATURE, OutcomeKind.FAILED)]
    assert offers(failed, policies) == ()
    assert offers(proven(4), replace(policies, known_fixes=(offer.fix,))) == ()


def test_the_offered_file_says_what_it_said_and_one_fix_more(tmp_path: Path) -> None:
    text = (ROOT / KNOWN).read_text(encoding="utf-8")
    first = KnownFix(SIGNATURE, "revert", 3, "healed #1, #2, #3")
    second = KnownFix(str(Signature("dependency-hangs", "shop", "GET /", ("hub",))), "bound-dependency", 5, "healed #4")
    for file in (ROOT / "policies").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    written = with_fix(with_fix(text, first), second)
    assert written.startswith(text.rstrip("\n"))
    (tmp_path / "known.yaml").write_text(written, encoding="utf-8")
    assert set(load_directory(tmp_path).known_fixes) == {first, second}
    assert replace(load_directory(tmp_path), known_fixes=(), sha="") == replace(load_directory(ROOT / "policies"), sha="")
    with pytest.raises(Refused, match="one entry a line"):
        with_fix(text + "fixes: []\n", first)


def test_the_offer_is_a_pull_request_that_is_made_once_and_that_a_no_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with jobs(tmp_path) as j:
            await j.push_main({KNOWN: (ROOT / KNOWN).read_text(encoding="utf-8")}, "policies")
            for number in (j.number, await another(j), await another(j)):
                assert await j.pulls() == []
                await learnt(j, number)
            (pull,) = await j.pulls()
            assert pull["head"]["ref"].startswith(OFFER_PREFIX) and SIGNATURE in pull["body"] and pull["state"] == "open"
            files = await j.world.do("alice", "GET", f"/pulls/{pull['number']}/files")
            assert [(file["filename"], file["deletions"]) for file in files] == [(KNOWN, 0)]
            assert await j.run("curate", "--issue", str(j.number)) == 0 and len(await j.pulls()) == 1
            await j.world.do("alice", "PATCH", f"/pulls/{pull['number']}", {"state": "closed"})
            assert await j.run("curate", "--issue", str(j.number)) == 0
            assert [p["state"] for p in await j.pulls()] == ["closed"]

    asyncio.run(story())


# --- from one job to the next


def cache_step(workflow: str) -> dict[str, Any]:
    document = yaml.safe_load((ROOT / ".github/workflows" / workflow).read_text(encoding="utf-8"))
    steps = [step for job in document["jobs"].values() for step in job["steps"] if step.get("uses", "").startswith("actions/cache@")]
    assert len(steps) == 1
    return dict(steps[0])


async def ran(w: World, workflow: str) -> tuple[str, int]:
    run_id = await w.actions.dispatch(workflow, "main", {}, "alice")
    await w.actions.idle()
    return str(w.actions.get_run(run_id)["conclusion"]), run_id


REMEMBER = """
import json, sys
from pathlib import Path
from bot.codec import from_json, to_json
from bot.model import PostMortem
from bot.settings import Settings
from bot.wiring_think import build_memory
memory = build_memory(Settings.from_env({"SRE_MARKER_KEY": "k", "SRE_REPOSITORY": "acme/shop"}))
"""


def test_what_one_job_learnt_the_next_job_on_another_runner_finds(tmp_path: Path) -> None:
    lesson = json.dumps(to_json(remembered(4, SIGNATURE, OutcomeKind.HEALED, text="a depot hangs and hub waits")))
    assert from_json(PostMortem, json.loads(lesson)).issue == 4
    curate = f"{REMEMBER}memory.sync([from_json(PostMortem, json.loads(Path('lesson.json').read_text()))])"
    think = f"{REMEMBER}print('recalled', [one.issue for one, _ in memory.recall('a depot hangs', 3)])"

    def workflow(step: dict[str, Any], script: str) -> str:
        run = f"PYTHONPATH={ROOT} {sys.executable} {script}"
        steps = [{"uses": f"actions/checkout@{'a' * 40}"}, step, {"run": run}]
        job = {"name": "work", "runs-on": "ubuntu-latest", "steps": steps}
        return yaml.safe_dump({"name": script, "on": {"workflow_dispatch": {}}, "jobs": {"work": job}}, sort_keys=False).replace(
            "'on':", "on:"
        )

    files = {
        ".github/workflows/curator.yml": workflow(cache_step("curator.yml"), "curate.py"),
        ".github/workflows/diagnose.yml": workflow(cache_step("diagnose.yml"), "think.py"),
        "curate.py": curate, "think.py": think, "lesson.json": lesson,
    }  # fmt: skip

    async def story() -> None:
        async with world(tmp_path, files) as w:
            for file, expected in (("curator.yml", "cache: saved"), ("diagnose.yml", "recalled [4]")):
                conclusion, run_id = await ran(w, file)
                assert conclusion == "success" and expected in w.log(run_id, "work"), w.log(run_id, "work")

    asyncio.run(story())
