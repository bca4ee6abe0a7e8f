"""Stories about single steps: checkout, composite actions, cache, Python, logs and files."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.local.actions.log import JobLog
from bot.local.actions.stepfiles import StepFileError, parse_pairs
from tests.local.actions_world import CACHE, CHECKOUT, DOWNLOAD, HEADER, PYTHON, UPLOAD, WORKFLOW, dispatched, job, pull_event, world


def test_checkout_gives_the_asked_commit_and_history_and_cannot_push_past_github(tmp_path: Path) -> None:
    content = HEADER + job(
        f"""
- uses: {CHECKOUT}
- run: echo "one $(git rev-list --count HEAD) on $(git branch --show-current)"; git status --porcelain
- run: "! git push origin HEAD:refs/heads/evil"
- uses: {CHECKOUT}
  with: {{fetch-depth: 0, path: all}}
- run: echo "all $(git -C all rev-list --count HEAD) $(git -C all rev-parse --short origin/other)"
- uses: {CHECKOUT}
  with: {{fetch-depth: 2, path: two, ref: other, persist-credentials: false}}
- run: echo "two $(git -C two rev-list --count HEAD) $(cat two/new)"
- id: gone
  continue-on-error: true
  uses: {CHECKOUT}
  with: {{ref: no-such-branch}}
- id: out
  continue-on-error: true
  uses: {CHECKOUT}
  with: {{path: ../../escape}}
- run: echo "gone ${{{{ steps.gone.outcome }}}} out ${{{{ steps.out.outcome }}}}"
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            w.repo.commit({"b": "1"})
            w.repo.commit({"c": "1"})
            other = w.repo.commit({"new": "from the other"}, "other")
            conclusion, run_id = await dispatched(w)
            log = w.log(run_id, "work")
            assert conclusion == "success", log
            assert "one 1 on main" in log and "all 3 " + other[:7] in log and "two 2 from the other" in log
            assert "gone failure out failure" in log and w.repo.resolve("evil") is None

    asyncio.run(story())


def test_a_local_composite_action_gets_inputs_and_gives_outputs(tmp_path: Path) -> None:
    action = """
name: Say
inputs: {who: {required: true}, greeting: {default: hello}}
outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: echo "said=$GREETING $WHO" >> "$GITHUB_OUTPUT"; cat "$GITHUB_ACTION_PATH/data"
      env: {GREETING: "${{ inputs.greeting }}", WHO: "${{ inputs.who }}"}
"""
    content = HEADER + job(
        f"""
- uses: {CHECKOUT}
- {{id: a, uses: ./.github/say, with: {{who: world}}}}
- run: echo "${{{{ steps.a.outputs.said }}}}!"
- {{id: missing, uses: ./.github/say, continue-on-error: true}}
- {{id: unknown, uses: ./.github/say, with: {{who: a, what: b}}, continue-on-error: true}}
- run: echo "${{{{ steps.missing.outcome }}}} ${{{{ steps.unknown.outcome }}}}"
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content, ".github/say/action.yml": action, ".github/say/data": "beside"}) as w:
            conclusion, run_id = await dispatched(w)
            log = w.log(run_id, "work")
            assert conclusion == "success" and "hello world!" in log and "beside" in log
            assert "failure failure" in log and "input 'who' is required" in log and "unknown input 'what'" in log

    asyncio.run(story())


def test_a_cache_is_saved_by_a_successful_job_restored_by_prefix_and_not_written_for_main_by_a_pull(tmp_path: Path) -> None:
    content = HEADER.replace("workflow_dispatch", "[workflow_dispatch, pull_request]") + job(
        f"""
- uses: {CHECKOUT}
- id: c
  uses: {CACHE}
  with:
    path: ~/.index
    key: index-${{{{ hashFiles('seed') }}}}
    restore-keys: index-
- run: echo "hit '${{{{ steps.c.outputs.cache-hit }}}}' has '$(cat ~/.index/x 2>/dev/null)'"; mkdir -p ~/.index; cat seed >> ~/.index/x
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content, "seed": "one "}) as w:
            head = w.repo.commit({"seed": "evil "}, "fix")
            await w.send(pull_event(w.repo, head))
            logs = [w.log(1, "work")]
            for seed in ("one ", "one ", "two "):
                w.repo.commit({"seed": seed})
                _, run_id = await dispatched(w)
                logs.append(w.log(run_id, "work"))
            found = [next(line for line in log.splitlines() if line.startswith("hit")) for log in logs]
            assert found == ["hit '' has ''", "hit '' has ''", "hit 'true' has 'one '", "hit 'false' has 'one '"]

    asyncio.run(story())


def test_setup_python_says_which_python_runs_and_missing_artifacts_are_told_apart(tmp_path: Path) -> None:
    content = HEADER + job(
        f"""
- uses: {PYTHON}
  with: {{python-version: "3.99"}}
- {{uses: {UPLOAD}, with: {{path: nothing}}}}
- {{id: e, continue-on-error: true, uses: {UPLOAD}, with: {{path: nothing, if-no-files-found: error}}}}
- {{id: d, continue-on-error: true, uses: {DOWNLOAD}, with: {{name: nothing}}}}
- {{id: out, continue-on-error: true, uses: {UPLOAD}, with: {{name: x, path: /etc}}}}
- run: echo "${{{{ steps.e.outcome }}}} ${{{{ steps.d.outcome }}}} ${{{{ steps.out.outcome }}}}"
"""
    )

    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: content}) as w:
            conclusion, run_id = await dispatched(w)
            log = w.log(run_id, "work")
            assert conclusion == "success" and "failure failure failure" in log and "::warning::no files were found" in log
            assert "the runner's Python 3." in log and "(the workflow asked for 3.99)" in log

    asyncio.run(story())


def test_an_empty_job_ends_within_150_ms_of_its_event(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, {WORKFLOW: HEADER + job("- run: 'true'")}) as w:
            took: list[float] = []
            for _ in range(5):
                began = time.perf_counter()
                await dispatched(w)
                took.append(time.perf_counter() - began)
            print(f"median {statistics.median(took) * 1000:.0f} ms")
            assert min(took) < 0.15

    asyncio.run(story())


def test_a_log_is_bounded_in_memory_and_keeps_its_end(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "a.log")
    for number in range(30_000):
        log.write(f"{number:060d}")
    assert len(log.text()) < 1024 * 1024 + 100 and log.text().startswith("[") and log.text().endswith("29999\n")
    log.close()
    assert log.text().endswith("29999\n") and len(log.text()) < 1024 * 1024 + 100


@pytest.mark.parametrize("text", ["a<<END\nb", "no pair", "=x"])
def test_a_malformed_output_file_is_an_error(text: str) -> None:
    with pytest.raises(StepFileError):
        parse_pairs("GITHUB_OUTPUT", text)


def install(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    script = folder / ".github" / "install.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text((Path(__file__).parents[2] / ".github" / "install.py").read_text())
    return subprocess.run([sys.executable, str(script), *arguments], env=env, capture_output=True, text=True, check=False)


def test_install_skips_exactly_the_lock_that_the_image_has(tmp_path: Path) -> None:
    lock = tmp_path / "requirements" / "gate.lock"
    lock.parent.mkdir()
    lock.write_text("# nothing to install\n")
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    assert "already in this runner's image" in install(tmp_path, "gate", SRE_INSTALLED_LOCKS=f"other {digest}").stdout
    missing = install(tmp_path, "other")
    assert missing.returncode == 2 and "there is no lock file requirements/other.lock; there are: gate" in missing.stderr
    assert install(tmp_path, "../gate").returncode == 2
    lock.write_text("-r changed-and-missing.txt\n")
    assert install(tmp_path, "gate", SRE_INSTALLED_LOCKS=digest).returncode != 0, "a changed lock is installed, not skipped"
