"""Stories about the routes below /actions: they pass on to whatever runs the workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bot.local.contracts import DispatchRefused, Json, RunNotFound
from tests.local.github_world import page_text, world


class FewRuns:
    """A small `WorkflowRuns`: remembers what it was asked to dispatch."""

    def __init__(self) -> None:
        self.runs: dict[int, Json] = {}

    async def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str], actor: str) -> int:
        if workflow != "diagnose.yml":
            raise RunNotFound(workflow)
        if "incident" not in inputs:
            raise DispatchRefused("Required input 'incident' not provided")
        number = len(self.runs) + 1
        self.runs[number] = {
            "id": number,
            "name": "diagnose",
            "path": f".github/workflows/{workflow}",
            "event": "workflow_dispatch",
            "head_branch": ref,
            "head_sha": "a" * 40,
            "status": "completed",
            "conclusion": "success",
            "run_attempt": 1,
            "display_title": f"look at {inputs['incident']} for {actor} <b>",
            "created_at": "2026-11-23T09:00:00Z",
        }
        return number

    def list_runs(self, *, workflow: str | None, head_sha: str | None, event: str | None, branch: str | None) -> list[Json]:
        runs = list(self.runs.values())
        return [
            run
            for run in runs
            if (workflow is None or run["path"].endswith(workflow))
            and head_sha in (None, run["head_sha"])
            and event in (None, run["event"])
            and branch in (None, run["head_branch"])
        ]

    def get_run(self, run_id: int) -> Json:
        if run_id not in self.runs:
            raise RunNotFound(str(run_id))
        return self.runs[run_id]

    async def rerun(self, run_id: int, actor: str) -> None:
        self.get_run(run_id)["run_attempt"] += 1

    def list_jobs(self, run_id: int) -> list[Json]:
        self.get_run(run_id)
        return [{"id": 70 + run_id, "run_id": run_id, "name": "think", "status": "completed", "conclusion": "success"}]

    def job_log(self, job_id: int) -> str:
        if job_id < 70:
            raise RunNotFound(str(job_id))
        return "said <script>alert(1)</script>\n"


def test_dispatch_runs_and_logs_reach_the_runner(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            assert (await w.ask("alice", "GET", "/actions/runs")).status_code == 404, "a repository without Actions"
            runs = FewRuns()
            w.github.set_actions(runs)
            path = "/actions/workflows/diagnose.yml/dispatches"
            silent = await w.ask("wendy", "POST", path, {"ref": "main", "inputs": {"incident": 3, "again": True}})
            assert (silent.status_code, silent.content) == (204, b"")
            told = await w.do("sre-space[bot]", "POST", path, {"ref": "main", "inputs": {"incident": "4"}, "return_run_details": True})
            assert (told["workflow_run_id"], told["run_url"].rpartition("/")[2], "/api/" in told["html_url"]) == (2, "2", False)
            assert (await w.ask("alice", "POST", path, {"ref": "main"})).status_code == 422
            assert (await w.ask("alice", "POST", path, {"ref": "nowhere", "inputs": {"incident": "1"}})).status_code == 422
            assert (await w.ask("alice", "POST", path.replace("diagnose", "no"), {"ref": "main"})).status_code == 404
            assert (await w.ask("rita", "POST", path, {"ref": "main", "inputs": {"incident": "1"}})).status_code == 403

            for query, count in (
                ("", 2),
                ("?event=push", 0),
                ("?status=success", 2),
                ("?status=failure", 0),
                (f"?head_sha={'a' * 40}", 2),
                ("?branch=x", 0),
            ):
                for listing in (f"/actions/runs{query}", f"/actions/workflows/diagnose.yml/runs{query}"):
                    assert (await w.do("rita", "GET", listing))["total_count"] == count, listing
            assert (await w.ask("alice", "POST", "/actions/runs/2/rerun")).status_code == 201
            assert (await w.do("rita", "GET", "/actions/runs/2"))["run_attempt"] == 2
            assert (await w.ask("rita", "GET", "/actions/runs/9")).status_code == 404
            assert (await w.do("rita", "GET", "/actions/runs/2/jobs"))["jobs"][0]["id"] == 72

            log = await w.ask("rita", "GET", "/actions/jobs/72/logs")
            assert log.status_code == 302
            assert (await w.client.get(log.headers["location"])).text == "said <script>alert(1)</script>\n"
            shown = page_text(await w.client.get("/alice/shop/actions/runs/2"))
            assert "look at 4 for sre-space[bot] &lt;b&gt;" in shown and "<script" not in shown
            assert "diagnose" in page_text(await w.client.get("/alice/shop/actions"))
            assert (await w.client.get("/alice/shop/actions/runs/9")).status_code == 404

    asyncio.run(story())
