"""Stories about what the embedded GitHub enforces: tokens, permissions, loopback, limits, conditional requests."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tests.local.github_world import World, world

API = "/api/v3"


def test_without_a_token_with_a_bad_one_and_without_read_right(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            bad = await w.ask("ghp_nobody", "GET", "")
            assert (bad.status_code, bad.json()["message"]) == (401, "Bad credentials")
            assert (await w.ask("", "GET", f"{API}/user")).status_code == 401
            for path in ("", "/issues", "/git/ref/heads/main", "/hooks"):
                assert (await w.ask("", "GET", path)).status_code == 404, "a private repository is not there"
                assert (await w.ask("nadia", "GET", path)).status_code == 404
            assert (await w.ask("alice", "GET", f"{API}/repos/alice/other")).status_code == 404
            assert (await w.do("rita", "GET", f"{API}/user"))["login"] == "rita"
            basic = base64.b64encode(f"x:{w.tokens['rita']}".encode()).decode()
            assert (await w.ask("", "GET", "", Authorization=f"Basic {basic}")).status_code == 200

    asyncio.run(story())


def test_permission_of_a_person_bounds_that_persons_token(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            assert (await w.ask("rita", "POST", "/git/refs", {"ref": "refs/heads/x", "sha": w.first})).status_code == 403
            assert (await w.ask("rita", "POST", "/pulls", {"title": "t", "head": "x", "base": "main"})).status_code == 403
            assert (await w.ask("wendy", "GET", "/hooks")).status_code == 403
            assert (await w.ask("alice", "GET", "/hooks")).status_code == 200
            seen = {login: (await w.do("rita", "GET", f"/collaborators/{login}/permission"))["permission"] for login in w.tokens}
            assert seen == {"alice": "admin", "wendy": "write", "rita": "read", "nadia": "none", "sre-space[bot]": "write"}
            assert (await w.ask("rita", "GET", "/collaborators/stranger/permission")).status_code == 404

    asyncio.run(story())


def job_writes(head_sha: str) -> list[tuple[str, str, str, dict[str, str]]]:
    """The permission that each of these needs."""
    return [
        ("contents", "POST", "/git/blobs", {"content": "x"}),
        ("issues", "POST", "/issues", {"title": "t"}),
        ("issues", "POST", "/issues/1/comments", {"body": "c"}),
        ("pull-requests", "POST", "/pulls", {"title": "t", "head": "topic", "base": "main"}),
        ("checks", "POST", "/check-runs", {"name": "c", "head_sha": head_sha}),
        ("contents", "PUT", "/pulls/2/merge", {}),
        ("actions", "POST", "/actions/runs/1/rerun", {}),
    ]


async def job_world(w: World) -> None:
    """Issue 1, pull request 2, and a branch that has no pull request."""
    await w.do("alice", "POST", "/issues", {"title": "t"})
    await w.pull("fix", {"a.txt": "1"})
    await w.branch("topic", {"b.txt": "1"})


def test_job_token_can_only_what_its_permissions_say(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await job_world(w)
            for scope, method, path, body in job_writes(w.first):
                for permissions in ({}, {scope: "read"}, {scope: "none"}, {"packages": "write"}):
                    token = w.github.issue_job_token(permissions, 1)
                    refused = await w.ask(token, method, path, body)
                    assert refused.status_code == 403, (scope, path, permissions)
                    assert refused.json()["message"] == "Resource not accessible by integration"
                allowed = await w.ask(w.github.issue_job_token({scope: "write"}, 1), method, path, body)
                assert allowed.is_success or (scope == "actions" and allowed.status_code == 404), allowed.text

    asyncio.run(story())


def test_job_token_reads_only_what_it_was_given_and_ends_with_its_job(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await job_world(w)
            token = w.github.issue_job_token({"contents": "read", "pull-requests": "read"}, 7)
            assert (await w.ask(token, "GET", "/git/ref/heads/main")).status_code == 200
            assert (await w.ask(token, "GET", "/collaborators/alice/permission")).status_code == 200, "metadata can always be read"
            assert (await w.ask(token, "GET", "/issues/2")).status_code == 200, "the conversation of a pull request"
            assert (await w.ask(token, "GET", "/issues/1")).status_code == 403
            assert (await w.ask(token, "GET", "/hooks")).status_code == 403
            assert (await w.ask(token, "GET", f"{API}/user")).status_code == 403
            w.github.revoke_token(token)
            assert (await w.ask(token, "GET", "/git/ref/heads/main")).status_code == 401
            with pytest.raises(ValueError, match="administration"):
                w.github.issue_job_token({"administration": "write"}, 7)

    asyncio.run(story())


def test_nothing_done_with_a_job_token_starts_a_workflow_but_a_dispatch(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            scopes = dict.fromkeys(("contents", "issues", "pull-requests", "checks"), "write")
            token = w.github.issue_job_token(scopes, 1)
            await w.pull("by-job", {"a.txt": "1"}, who=token)
            await w.do(token, "PUT", "/pulls/1/merge", {})
            await w.do(token, "POST", "/issues/1/comments", {"body": "/sre help"})
            await w.do(token, "POST", "/check-runs", {"name": "c", "head_sha": w.first, "conclusion": "success"})
            await w.github.settled()
            assert {event.name for event in w.events} >= {"push", "pull_request", "issue_comment", "check_run"}
            assert {(event.sender, event.starts_workflows) for event in w.events} == {("github-actions[bot]", False)}
            w.events.clear()
            await w.do(token, "POST", "/dispatches", {"event_type": "look"})
            await w.pull("by-app", {"b.txt": "1"}, who="sre-space[bot]")
            await w.github.settled()
            assert {event.starts_workflows for event in w.events} == {True}

    asyncio.run(story())


def test_check_runs_are_made_by_apps_and_jobs_never_by_persons(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            body = {"name": "guardrail", "head_sha": w.first, "status": "in_progress"}
            for who in ("alice", "wendy"):
                assert (await w.ask(who, "POST", "/check-runs", body)).status_code == 403
            made = await w.do("sre-space[bot]", "POST", "/check-runs", body)
            assert (made["app"]["slug"], made["status"], made["conclusion"]) == ("sre-space", "in_progress", None)
            job = w.github.issue_job_token({"checks": "write"}, 1)
            assert (await w.ask(job, "PATCH", f"/check-runs/{made['id']}", {"conclusion": "success"})).status_code == 403, "another app's"
            assert (await w.ask("sre-space[bot]", "PATCH", f"/check-runs/{made['id']}", {"status": "completed"})).status_code == 422
            output = {
                "title": "allow",
                "summary": "because",
                "annotations": [{"path": "a", "start_line": 1, "end_line": 1, "message": "m"}],
            }
            done = await w.do("sre-space[bot]", "PATCH", f"/check-runs/{made['id']}", {"conclusion": "success", "output": output})
            assert (done["status"], done["output"]["title"], done["output"]["annotations_count"]) == ("completed", "allow", 1)
            second = await w.do("sre-space[bot]", "POST", "/check-runs", {**body, "status": "queued"})
            latest = await w.do("rita", "GET", "/commits/main/check-runs?check_name=guardrail")
            assert (latest["total_count"], latest["check_runs"][0]["id"]) == (1, second["id"])
            assert (await w.do("rita", "GET", f"/commits/{w.first}/check-runs?filter=all"))["total_count"] == 2
            assert await w.heard() == ["check_run.created", "check_run.completed", "check_run.created"]

    asyncio.run(story())


def test_only_this_machines_own_names_are_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            for host, status in {
                "localhost:80": 200,
                "127.0.0.1": 200,
                "[::1]:9": 200,
                "[::1]": 200,
                "evil.example:80": 403,
                "": 403,
            }.items():
                assert (await w.client.get("/alice/shop", headers={"Host": host})).status_code == status, host
                assert (await w.ask("alice", "GET", "", Host=host)).status_code == status, host

    asyncio.run(story())


def test_unchanged_answer_costs_nothing_and_the_limit_is_enforced(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path, rate_limit=4) as w:
            first = await w.ask("rita", "GET", "/git/ref/heads/main")
            assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("4", "3")
            for _ in range(5):
                same = await w.ask("rita", "GET", "/git/ref/heads/main", If_None_Match=first.headers["etag"])
                assert (same.status_code, same.content, same.headers["x-ratelimit-remaining"]) == (304, b"", "3")
            for _ in range(3):
                await w.ask("rita", "GET", "")
            over = await w.ask("rita", "GET", "")
            assert (over.status_code, over.headers["x-ratelimit-remaining"]) == (403, "0")
            assert (await w.ask("alice", "GET", "")).status_code == 200, "each has a limit of one's own"

    asyncio.run(story())


def test_unknown_route_says_what_is_missing(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            answer = await w.ask("alice", "GET", "/milestones")
            assert answer.status_code == 404 and "no GET" in answer.json()["message"] and "documentation_url" in answer.json()

    asyncio.run(story())
