"""Stories about what happens inside a job: its steps, secrets, files, limits, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import psutil

from bot.local.actions.process import Children
from tests.local.actions_world import DOWNLOAD, HEADER, UPLOAD, WORKFLOW, dispatched, job, pull_event, world


def alive(pid_file: Path) -> bool:
    text = pid_file.read_text().strip()
    if not text:
        return False  # its shell was killed between opening the file and writing to it, and the child is in the same group
    try:
        return psutil.Process(int(text)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_outputs_and_artifacts_go_from_one_job_to_the_next(tmp_path: Path) -> None:
    content = (
        HEADER
        + job(
            f"""
- id: think
  run: |
    mkdir -p out/deep && echo '{{"fix": 1}}' > out/proposal.json && echo x > out/deep/note.txt
    echo "answer=revert" >> "$GITHUB_OUTPUT"
    printf 'text<<END\\nline 1\\nline 2\\nEND\\n' >> "$GITHUB_OUTPUT"
- uses: {UPLOAD}
  with: {{name: proposal, path: out, if-no-files-found: error}}
""",
            "diagnose",
            "outputs: {answer: '${{ steps.think.outputs.answer }}', text: '${{ steps.think.outputs.text }}'}",
        )
        + job(
            f"""
- uses: {DOWNLOAD}
  with: {{name: proposal, path: got}}
- run: cat got/proposal.json got/deep/note.txt; echo "$TEXT"
  env: {{TEXT: "${{{{ needs.diagnose.outputs.text }}}}"}}
""",
            "apply",
            "needs: diagnose\nif: needs.diagnose.outputs.answer == 'revert'",
        )
        + job("- run: echo never", "other", "needs: [diagnose]\nif: needs.diagnose.outputs.answer != 'revert'")
        + job("- run: echo neither", "after", "needs: other")
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            conclusion, run_id = await dispatched(w)
            log = w.log(run_id, "apply")
            assert conclusion == "success" and '{"fix": 1}' in log and "line 1\nline 2" in log
            assert {job["name"]: job["conclusion"] for job in w.actions.list_jobs(run_id)} == {
                "diagnose": "success",
                "apply": "success",
                "other": "skipped",
                "after": "skipped",
            }
            assert w.repo.check("other").conclusion == "skipped"

    asyncio.run(story())


def test_a_failed_job_skips_its_followers_but_not_one_that_waits_for_failure(tmp_path: Path) -> None:
    content = (
        HEADER
        + job("- {name: Judge the pull, run: exit 3}\n- run: echo skipped\n- {if: failure(), run: echo said why}", "gate")
        + job("- run: echo no", "merge", "needs: gate")
        + job("- run: echo '${{ needs.merge.result }}'", "call", "needs: merge\nif: failure()")
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            conclusion, run_id = await dispatched(w)
            assert conclusion == "failure" and w.repo.check("gate").title == "Judge the pull"
            assert [job["conclusion"] for job in w.actions.list_jobs(run_id)] == ["failure", "skipped", "success"]
            assert [s["conclusion"] for s in w.actions.list_jobs(run_id)[0]["steps"]] == ["failure", "skipped", "success"]
            assert "exit code 3" in w.log(run_id, "gate") and "skipped" in w.log(run_id, "call")

    asyncio.run(story())


def test_job_permissions_replace_the_workflows_and_the_token_ends_with_the_job(tmp_path: Path) -> None:
    content = HEADER.replace("jobs:", "permissions: {contents: read, issues: write}\njobs:") + (
        job("- run: '[ -z \"${GITHUB_TOKEN-}\" ]'", "inherits")
        + job("- {run: echo, env: {T: '${{ github.token }}'}}", "own", "permissions: {checks: write, issues: none}\nneeds: inherits")
        + job("- run: 'true'", "nothing", "permissions: {}\nneeds: own")
        + job("- run: 'true'", "all", "permissions: read-all\nneeds: nothing")
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            assert (await dispatched(w))[0] == "success"
            given = list(w.repo.tokens.values())
            assert given[:3] == [{"contents": "read", "issues": "write"}, {"checks": "write"}, {}]
            assert set(given[3].values()) == {"read"} and given[3]["pull-requests"] == "read"
            assert w.repo.revoked == set(w.repo.tokens)

    asyncio.run(story())


def test_without_permissions_a_job_may_only_read(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: HEADER + job("- run: 'true'")}) as w:
            await dispatched(w)
            assert list(w.repo.tokens.values()) == [{"contents": "read", "packages": "read"}]

    asyncio.run(story())


def test_secrets_reach_only_where_they_are_put_and_no_log_or_summary_shows_them(tmp_path: Path) -> None:
    content = HEADER + (
        job(
            """
- run: env | sort; cat "$GITHUB_EVENT_PATH"
- run: |
    echo "key $KEY, repo $REPO, token $TOKEN"; echo "key $KEY" >> "$GITHUB_STEP_SUMMARY"
    printf '%s' "$KEY" | tr a-z A-Z; echo; echo "::add-mask::shadow"; echo "in the shadow"
    echo "leak=$KEY" >> "$GITHUB_OUTPUT"
  id: show
  env: {KEY: "${{ secrets.OPENAI_API_KEY }}", REPO: "${{ secrets.REPO_SECRET }}", TOKEN: "${{ secrets.GITHUB_TOKEN }}"}
""",
            "inside",
            "environment: {name: sre, url: 'http://127.0.0.1'}\noutputs: {leak: '${{ steps.show.outputs.leak }}'}",
        )
        + job("- run: echo \"key '${{ secrets.OPENAI_API_KEY }}' leak '${{ needs.inside.outputs.leak }}'\"", "outside", "needs: inside")
    )
    secrets = {"": {"REPO_SECRET": "repo-s3cret"}, "sre": {"OPENAI_API_KEY": "sk-abc"}}

    async def story() -> None:
        os.environ["PARENT_ONLY"] = "of the parent"
        try:
            async with world(tmp_path, {WORKFLOW: content}, secrets=secrets) as w:
                conclusion, run_id = await dispatched(w)
                log = w.log(run_id, "inside")
                assert conclusion == "success" and "key ***, repo ***, token ***" in log and "in the ***" in log
                assert "SK-ABC" in log, "the job had the real value"
                assert w.repo.check("inside").summary.strip() == "key ***"
                assert "key '' leak ''" in w.log(run_id, "outside")
                everything = log + "".join(path.read_text() for path in (tmp_path / "runner").rglob("*.log"))
                for hidden in ("sk-abc", "repo-s3cret", "of the parent", *w.repo.tokens):
                    assert hidden not in everything
        finally:
            del os.environ["PARENT_ONLY"]

    asyncio.run(story())


def test_an_environments_secrets_are_for_the_default_branch_only(tmp_path: Path) -> None:
    content = HEADER.replace("workflow_dispatch", "pull_request") + job("- run: echo got in", more="environment: sre")

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}, secrets={"sre": {"KEY": "k-1"}}) as w:
            head = w.repo.commit({"a": "b"}, "fix")
            await w.send(pull_event(w.repo, head))
            check = w.repo.check("work")
            assert check.conclusion == "failure" and "not allowed to deploy to sre" in check.title and not w.repo.tokens

    asyncio.run(story())


def test_a_hostile_title_reaches_the_shell_as_data_through_the_environment(tmp_path: Path) -> None:
    content = HEADER.replace("workflow_dispatch", "pull_request_target") + job(
        """
- run: echo "title is $TITLE" && ls
  env: {TITLE: "${{ github.event.pull_request.title }}"}
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            head = w.repo.commit({"a": "b"}, "fix")
            title = "$(touch pwned) `touch pwned` ${{ secrets.GITHUB_TOKEN }} '; touch pwned"
            await w.send(pull_event(w.repo, head, title=title))
            log = w.log(1, "work")
            assert f"title is {title}" in log and "\npwned" not in log
            assert not list(tmp_path.rglob("pwned"))

    asyncio.run(story())


def test_the_environment_is_minimal_and_says_what_github_says(tmp_path: Path) -> None:
    content = HEADER + job(
        """
- shell: python
  run: |
    import json, os, sys
    print("ENV " + json.dumps(dict(os.environ)))
    print("EXE " + sys.executable)
    open(os.environ["GITHUB_ENV"], "a").write("LATER=from before\\n")
    open(os.environ["GITHUB_PATH"], "a").write("/opt/tool\\n")
- run: echo "$LATER $PATH by $GITHUB_ACTOR" && echo 'GITHUB_SHA=forged' >> "$GITHUB_ENV"
  env: {GITHUB_ACTOR: forged}
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}, installed_locks=("aa", "bb"), variables={"V": "1"}) as w:
            _, run_id = await dispatched(w)
            log = w.log(run_id, "work")
            env = json_of(log, "ENV ")
            assert not {name for name in env if not name.startswith(("GITHUB_", "RUNNER_"))} - {
                "PATH", "HOME", "LANG", "CI", "SRE_INSTALLED_LOCKS", "PWD", "SHLVL", "_", "LC_CTYPE",
            }  # fmt: skip
            assert Path(env["PATH"].split(":")[0]) == Path(sys.executable).parent and f"EXE {sys.executable}" in log
            assert (env["GITHUB_ACTIONS"], env["GITHUB_REPOSITORY"], env["GITHUB_REPOSITORY_OWNER"]) == ("true", "acme/shop", "acme")
            assert (env["GITHUB_REF"], env["GITHUB_SHA"], env["GITHUB_ACTOR"]) == ("refs/heads/main", w.repo.resolve("main"), "alice")
            assert env["GITHUB_WORKFLOW_REF"] == f"acme/shop/{WORKFLOW}@refs/heads/main" and env["SRE_INSTALLED_LOCKS"] == "aa bb"
            assert "by alice\n" in log, "the workflow cannot replace what the runner says"
            assert "from before /opt/tool:" in log and "GITHUB_SHA belongs to the runner" in log
            assert not Path(env["HOME"]).exists(), "a job's folders go with it"

    asyncio.run(story())


def json_of(log: str, prefix: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(next(line for line in log.splitlines() if line.startswith(prefix)).removeprefix(prefix))
    return found


def test_a_time_out_ends_the_whole_process_group(tmp_path: Path) -> None:
    content = HEADER + job(f"- run: (trap '' TERM; sleep 60) & echo $! > {tmp_path}/pid; wait\n- {{if: always(), run: echo cleaned}}")

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}, job_timeout_s=0.8) as w:
            conclusion, run_id = await dispatched(w)
            assert (conclusion, w.repo.check("work").conclusion) == ("timed_out", "timed_out")
            assert w.repo.check("work").title == "Timed out after 0.8 s" and "cleaned" in w.log(run_id, "work")
            await w.until(lambda: not alive(tmp_path / "pid"))

    asyncio.run(story())


def test_a_steps_own_time_out_fails_the_step_and_continue_on_error_goes_on(tmp_path: Path) -> None:
    content = HEADER + job(
        """
- {id: slow, run: sleep 60, timeout-minutes: 0.003, continue-on-error: true}
- run: echo "${{ steps.slow.outcome }} ${{ steps.slow.conclusion }} ${{ job.status }}"
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            conclusion, run_id = await dispatched(w)
            assert conclusion == "success" and "failure success success" in w.log(run_id, "work")

    asyncio.run(story())


def test_what_a_step_left_in_the_background_ends_with_the_job(tmp_path: Path) -> None:
    content = HEADER + job(f"- run: sleep 60 & echo $! > {tmp_path}/pid\n- run: kill -0 $(cat {tmp_path}/pid)")

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            began = time.monotonic()
            assert (await dispatched(w))[0] == "success", "it lives as long as the job"
            assert time.monotonic() - began < 5, "the job does not wait for it"
            await w.until(lambda: not alive(tmp_path / "pid"))

    asyncio.run(story())


def test_stop_leaves_no_process_and_no_token_behind(tmp_path: Path) -> None:
    content = HEADER + job(f"- run: (trap '' TERM; sleep 60) & echo $! > {tmp_path}/pid; sleep 60")

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            await w.actions.dispatch("sample.yml", "main", {}, "alice")
            await w.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
            await w.actions.stop()
            await w.until(lambda: not alive(tmp_path / "pid"))
            assert w.repo.revoked == set(w.repo.tokens) != set()
            assert w.repo.check("work").conclusion == "cancelled" and not list((tmp_path / "runner" / "jobs").iterdir())

    asyncio.run(story())


def test_a_cancel_at_any_moment_of_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        children = Children()
        for turns in range(12):
            script = f"(trap '' TERM; sleep 60) & echo $! > {tmp_path}/{turns}; wait"
            task = asyncio.create_task(children.run(("sh", "-c", script), cwd=tmp_path, env={"PATH": os.environ["PATH"]}, line=print))
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(0.03)  # the child goes on while our loop stands still
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
        await children.close()
        began = list(tmp_path.iterdir())
        end = time.monotonic() + 2
        while any(alive(pid) for pid in began) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert began and not any(alive(pid) for pid in began)

    asyncio.run(story())
