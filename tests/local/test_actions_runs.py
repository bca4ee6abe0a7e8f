"""Stories about what starts a run, which commit's code it runs and what GitHub then says about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.local.contracts import DispatchRefused, RepoEvent, RunNotFound
from tests.local.actions_world import CHECKOUT, pull_event, world

DISPATCHED = f"""
name: diagnose
run-name: Diagnose incident ${{{{ inputs.incident }}}}
on:
  workflow_dispatch:
    inputs:
      incident: {{type: number, required: true}}
      dry: {{type: boolean, default: false}}
permissions: {{contents: read}}
jobs:
  think:
    runs-on: ubuntu-24.04
    steps:
      - uses: {CHECKOUT}
      - run: |
          cat README.md
          echo "incident $INCIDENT dry $DRY" >> "$GITHUB_STEP_SUMMARY"
        env:
          INCIDENT: ${{{{ inputs.incident }}}}
          DRY: ${{{{ inputs.dry }}}}
"""

GUARDRAIL = f"""
name: guardrail
on:
  pull_request_target:
    types: [opened, synchronize]
permissions:
  contents: read
  checks: write
jobs:
  guardrail:
    runs-on: ubuntu-latest
    steps:
      - uses: {CHECKOUT}
      - run: python -m gate
        env:
          HEAD: ${{{{ github.event.pull_request.head.sha }}}}
"""


def test_dispatch_runs_the_workflow_and_reports_its_job_as_a_check(tmp_path: Path) -> None:
    async def story() -> None:
        files = {".github/workflows/diagnose.yml": DISPATCHED, "README.md": "the shop"}
        async with world(tmp_path, files) as w:
            run_id = await w.actions.dispatch("diagnose.yml", "main", {"incident": "12"}, "alice")
            assert w.actions.get_run(run_id)["status"] == "queued"
            await w.actions.idle()
            run = w.actions.get_run(run_id)
            assert (run["status"], run["conclusion"], run["event"]) == ("completed", "success", "workflow_dispatch")
            assert run["display_title"] == "Diagnose incident 12" and run["head_sha"] == w.repo.resolve("main")
            check = w.repo.check("think")
            assert (check.status, check.conclusion, check.summary.strip()) == ("completed", "success", "incident 12 dry false")
            assert check.title.startswith("Successful in ") and check.details_url.endswith(f"/acme/shop/actions/runs/{run_id}")
            assert "the shop" in w.log(run_id, "think")
            told = [event.action for event in w.repo.announced if event.name == "workflow_run"]
            assert told == ["requested", "completed"]

    asyncio.run(story())


def test_a_pull_request_is_judged_by_the_base_while_its_own_workflow_and_code_are_never_run(tmp_path: Path) -> None:
    async def story() -> None:
        files = {".github/workflows/guardrail.yml": GUARDRAIL, "gate.py": "import os; print('base judges', os.environ['HEAD'])"}
        async with world(tmp_path, files) as w:
            base = w.repo.resolve("main")
            evil = GUARDRAIL.replace("python -m gate", "touch pwned; echo allowed by myself")
            head = w.repo.commit({".github/workflows/guardrail.yml": evil, "gate.py": "print('head judges itself')"}, "fix")
            await w.send(pull_event(w.repo, head))
            [run] = w.runs()
            assert (run["event"], run["conclusion"], run["path"]) == ("pull_request_target", "success", ".github/workflows/guardrail.yml")
            assert (run["head_sha"], run["head_branch"], run["pull_requests"][0]["number"]) == (head, "fix", 7)
            log = w.log(run["id"], "guardrail")
            assert f"base judges {head}" in log and "itself" not in log and "myself" not in log
            assert w.repo.check("guardrail").head_sha == head and base != head
            assert list(w.repo.tokens.values()) == [{"contents": "read", "checks": "write"}]
            assert w.repo.revoked == set(w.repo.tokens)

    asyncio.run(story())


def one_job(on: str, script: str = "true", more: str = "") -> str:
    """A workflow with one job `work` of one step."""
    return f"name: sample\non: {on}\n{more}\njobs:\n  work:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {script}\n"


WORKFLOW = ".github/workflows/sample.yml"


def test_pull_request_runs_the_heads_own_file_and_default_types_leave_other_actions_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: one_job("pull_request", "echo from the base")}) as w:
            head = w.repo.commit({WORKFLOW: one_job("pull_request", "echo from the head $GITHUB_REF $GITHUB_HEAD_REF")}, "fix")
            await w.send(pull_event(w.repo, head, action="labeled"))
            assert w.runs() == []
            await w.send(pull_event(w.repo, head, action="synchronize", title="Bound the carrier's time-out"))
            [run] = w.runs()
            assert (run["head_sha"], run["display_title"]) == (head, "Bound the carrier's time-out")
            assert "from the head refs/pull/7/merge fix" in w.log(run["id"], "work")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("on", "path", "starts"),
    [
        ("push", "docs/a.md", True),
        ("{push: {branches: [main]}}", "docs/a.md", True),
        ("{push: {branches: ['release/**']}}", "docs/a.md", False),
        ("{push: {paths: ['userplane/**']}}", "docs/a.md", False),
        ("{push: {paths: ['userplane/**']}}", "userplane/web/app.py", True),
        ("{push: {paths: ['**', '!docs/**']}}", "docs/a.md", False),
        ("{push: {paths-ignore: ['docs/**']}}", "docs/a.md", False),
        ("{push: {paths-ignore: ['*.md']}}", "docs/a.md", True),
        ("[issues, workflow_dispatch]", "docs/a.md", False),
    ],
)
def test_push_filters(tmp_path: Path, on: str, path: str, starts: bool) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: one_job(on)}) as w:
            sha = await w.pushed({path: "new"})
            assert [run["head_sha"] for run in w.runs()] == ([sha] if starts else [])

    asyncio.run(story())


def test_issue_and_comment_events_run_the_default_branch_but_never_for_what_a_job_token_did(tmp_path: Path) -> None:
    async def story() -> None:
        on = "{issues: {types: [closed]}, issue_comment: {types: [created]}}"
        async with world(
            tmp_path, {WORKFLOW: one_job(on, "echo $GITHUB_EVENT_NAME $GITHUB_SHA", "run-name: '#${{ github.event.issue.number }}'")}
        ) as w:
            payload = {"issue": {"number": 3, "title": "Quotes fail"}}
            await w.send(RepoEvent("issues", "closed", payload, "github-actions[bot]", starts_workflows=False))
            await w.send(RepoEvent("issues", "opened", payload, "alice"))
            assert w.runs() == []
            await w.send(RepoEvent("issues", "closed", payload, "alice"))
            await w.send(RepoEvent("issue_comment", "created", payload, "alice"))
            main = w.repo.resolve("main")
            assert [(run["event"], run["head_sha"], run["display_title"], run["run_number"]) for run in w.runs()] == [
                ("issue_comment", main, "#3", 2),
                ("issues", main, "#3", 1),
            ]
            assert f"issue_comment {main}" in w.log(2, "work")

    asyncio.run(story())


def test_merge_group_is_checked_at_its_own_head(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: one_job("merge_group")}) as w:
            head = w.repo.commit({"a": "b"}, "queued")
            group = {"head_sha": head, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7", "base_ref": "refs/heads/main"}
            await w.send(RepoEvent("merge_group", "checks_requested", {"merge_group": group}, "alice"))
            assert w.repo.check("work").head_sha == head and w.repo.check("work").conclusion == "success"

    asyncio.run(story())


def test_dispatch_refuses_what_github_refuses(tmp_path: Path) -> None:
    async def story() -> None:
        choice = "{workflow_dispatch: {inputs: {fault: {type: choice, options: [a, b], required: true}, n: {type: number}}}}"
        files = {
            WORKFLOW: one_job(choice),
            ".github/workflows/push.yml": one_job("push"),
            ".github/workflows/cron.yml": one_job("{schedule: [{cron: '0 4 * * *'}]}"),
        }
        async with world(tmp_path, files) as w:
            for workflow, ref, inputs, message in (
                ("sample.yml", "main", {}, "'fault' not provided"),
                ("sample.yml", "main", {"fault": "c"}, "allowed values"),
                ("sample.yml", "main", {"fault": "a", "n": "x"}, "must be a number"),
                ("sample.yml", "main", {"fault": "a", "other": "x"}, "Unexpected inputs"),
                ("sample.yml", "gone", {"fault": "a"}, "No ref found"),
                ("push.yml", "main", {}, "'workflow_dispatch' trigger"),
            ):
                with pytest.raises(DispatchRefused, match=message):
                    await w.actions.dispatch(workflow, ref, inputs, "alice")
            with pytest.raises(RunNotFound):
                await w.actions.dispatch("nosuch.yml", "main", {}, "alice")
            for ask in (w.actions.get_run, w.actions.list_jobs, w.actions.job_log):
                with pytest.raises(RunNotFound):
                    ask(99)
            assert w.runs() == []
            assert w.actions.get_run(await w.actions.dispatch("cron.yml", "main", {}, "alice"))["event"] == "schedule"
            await w.actions.idle()

    asyncio.run(story())


def test_rerun_keeps_the_id_and_judges_the_same_event_again_although_main_has_moved(tmp_path: Path) -> None:
    async def story() -> None:
        files = {".github/workflows/guardrail.yml": GUARDRAIL, "gate.py": "print('old gate'); raise SystemExit(1)"}
        async with world(tmp_path, files) as w:
            head = w.repo.commit({"fix": "1"}, "fix")
            await w.send(pull_event(w.repo, head))
            w.repo.commit({"gate.py": "print('new gate')"})
            before = w.actions.get_run(1)
            await w.actions.rerun(1, "bob")
            with pytest.raises(DispatchRefused, match="queued"):
                await w.actions.rerun(1, "bob")
            await w.actions.idle()
            after = w.actions.get_run(1)
            assert (before["run_attempt"], after["run_attempt"], len(w.runs())) == (1, 2, 1)
            assert (after["conclusion"], after["head_sha"], after["triggering_actor"]["login"]) == ("failure", head, "bob")
            assert "old gate" in w.log(1, "guardrail")
            assert [check.title for check in w.repo.checks().values()] == ["Run python -m gate"] * 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (one_job("push").replace("    steps:", "    strategy: {matrix: {os: [a]}}\n    steps:"), "jobs.work: unsupported key 'strategy'"),
        (
            one_job("push").replace("- run: true", "- uses: actions/checkout@v4"),
            "jobs.work.steps[0].uses: 'actions/checkout@v4' is not pinned",
        ),
        (one_job("push").replace("- run: true", f"- uses: evil/tool@{'a' * 40}"), "action 'evil/tool' is not supported"),
        (one_job("push").replace("- run: true", f"- {{uses: {CHECKOUT}, with: {{lfs: true}}}}"), "unsupported input 'lfs'"),
        (one_job("push", "echo ${{ matrix.os }}"), "jobs.work.steps[0].run: unknown context 'matrix'"),
        (one_job("push", "echo ${{ system('x') }}"), "unknown function 'system'"),
        (one_job("push", more="permissions: {content: read}"), "permissions: unsupported key 'content'"),
        (one_job("push").replace("ubuntu-latest", "windows-latest"), "jobs.work.runs-on"),
        (one_job("{push: {tags: [v1]}}"), "on.push: unsupported key 'tags'"),
        (one_job("{push: , release: }"), "event 'release' is not supported"),
        ("on: push\njobs: {a: [}", "is not valid YAML"),
        ("on: push\non: push\njobs: {}", "'on' stands twice"),
        (one_job("push").replace("    steps:", "    needs: other\n    steps:"), "jobs.work.needs: there is no job 'other'"),
    ],
)
def test_what_cannot_run_is_a_failing_check_that_names_file_place_and_key(tmp_path: Path, content: str, place: str) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            sha = await w.pushed({WORKFLOW: content})
            [run] = w.runs()
            check = w.repo.check(WORKFLOW)
            assert (run["conclusion"], check.conclusion, check.head_sha) == ("failure", "failure", sha)
            assert check.title == "Unsupported workflow syntax"
            assert check.summary.startswith(f"{WORKFLOW}: ") and place in check.summary
            assert place in w.log(run["id"], WORKFLOW)

    asyncio.run(story())


def test_a_broken_filter_fails_on_its_own_event_instead_of_never_running(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: one_job("{pull_request_target: {paths: [a]}}")}) as w:
            head = w.repo.commit({"a": "b"}, "fix")
            await w.send(pull_event(w.repo, head))
            assert "unsupported key 'paths'" in w.repo.check(WORKFLOW).summary and w.repo.check(WORKFLOW).head_sha == head

    asyncio.run(story())


def test_a_group_keeps_one_running_and_one_pending_and_cancels_the_older_pending(tmp_path: Path) -> None:
    async def story() -> None:
        script = "'while [ ! -e \"$GO\" ]; do sleep 0.02; done'"
        more = f"concurrency: sre-${{{{ github.ref }}}}\nenv: {{GO: '{tmp_path / 'go'}'}}"
        async with world(tmp_path, {WORKFLOW: one_job("workflow_dispatch", script, more)}) as w:
            ids = [await w.actions.dispatch("sample.yml", "main", {}, "alice") for _ in range(3)]
            await w.until(lambda: w.actions.get_run(ids[1])["status"] == "completed")
            assert [w.actions.get_run(run)["status"] for run in ids] == ["in_progress", "completed", "pending"]
            (tmp_path / "go").touch()
            await w.actions.idle()
            assert [w.actions.get_run(run)["conclusion"] for run in ids] == ["success", "cancelled", "success"]

    asyncio.run(story())


def test_cancel_in_progress_ends_the_running_one_and_its_always_step_still_runs(tmp_path: Path) -> None:
    async def story() -> None:
        more = "concurrency: {group: g, cancel-in-progress: true}"
        content = one_job("workflow_dispatch", f"'touch {tmp_path}/$GITHUB_RUN_ID; [ $GITHUB_RUN_ID = 2 ] || sleep 60'", more)
        content += "      - {if: always(), run: echo cleaned up}\n      - {if: success(), run: echo not this}\n"
        async with world(tmp_path, {WORKFLOW: content}) as w:
            first = await w.actions.dispatch("sample.yml", "main", {}, "alice")
            await w.until((tmp_path / str(first)).exists)
            second = await w.actions.dispatch("sample.yml", "main", {}, "alice")
            await w.actions.idle()
            assert [w.actions.get_run(run)["conclusion"] for run in (first, second)] == ["cancelled", "success"]
            log = w.log(first, "work")
            assert "cleaned up" in log and "not this" not in log
            assert [step["conclusion"] for step in w.actions.list_jobs(first)[0]["steps"]] == ["cancelled", "success", "skipped"]

    asyncio.run(story())


def test_runs_are_found_by_workflow_sha_event_and_branch(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: one_job("[push, workflow_dispatch]")}) as w:
            sha = await w.pushed({"a": "1"})
            await w.actions.dispatch(WORKFLOW, "refs/heads/main", {}, "alice")
            await w.actions.idle()

            def ids(**given: str) -> list[int]:
                filters = {"workflow": None, "head_sha": None, "event": None, "branch": None} | given
                return [run["id"] for run in w.actions.list_runs(**filters)]

            assert ids() == ids(workflow="sample.yml") == ids(workflow=WORKFLOW) == ids(workflow="1") == ids(head_sha=sha) == [2, 1]
            assert ids(event="push") == [1] and ids(branch="main") == [2, 1] and ids(workflow="x.yml") == ids(branch="x") == []

    asyncio.run(story())
