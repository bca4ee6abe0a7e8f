"""What GitHub's answers mean to us: its own shapes, ghosts, forks, missing and unknown fields."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bot.errors import Refused, SreError
from bot.forge import Issue
from tests.contract.recorded_github import TOKEN, GitHub, answer, play, recorded


def test_no_request_leaves_the_machine_and_each_carries_the_token() -> None:
    async def story(g: GitHub) -> None:
        route = g.says("GET", "/issues/12", httpx.Response(200, json=recorded("issue")))
        await g.forge.issue(12)
        request = route.calls.last.request
        assert request.headers["authorization"] == f"token {TOKEN}" and "sre-space" in request.headers["user-agent"]
        with pytest.raises(SreError):
            await g.forge.issue(13)  # api.github.test does not exist: only the router could have answered

    play(story)


def test_an_issue_is_read_as_github_shows_it() -> None:
    async def story(g: GitHub) -> None:
        ghost = recorded(
            "issue", user=None, body=None, labels=["plain", {"name": "p1"}], state="open", closed_at=None, state_reason="reopened"
        )
        ghost |= {"pull_request": {"url": "x"}, "a_field_of_tomorrow": {"x": [1]}}
        g.says("GET", "/issues/12", httpx.Response(200, json=recorded("issue")), httpx.Response(200, json=ghost))
        issue = await g.forge.issue(12)
        assert issue == Issue(
            12, "POST /quotes is slow", "p99 is 2 s", "sre-space[bot]", "closed", ("sre:incident", "p1"), 1795424400.0, 1795424999.0,
            updated_s=1795425000.0,
        )  # fmt: skip
        odd = await g.forge.issue(12)
        assert odd == replace(issue, body="", author="", labels=("plain", "p1"), state="open", closed_s=None, is_pull=True, reopened=True)

    play(story)


def test_a_ghosts_comment_has_no_author_and_an_edit_shows() -> None:
    async def story(g: GitHub) -> None:
        ghost = recorded("comment", id=2, user=None, body=None, updated_at="2026-11-23T09:01:00.5Z")
        g.pages("/issues/12/comments", [recorded("comment"), ghost])
        whole, odd = await g.forge.comments(12)
        assert (whole.author, whole.author_is_bot, whole.body, whole.issue) == ("ann", False, "/sre hold", 12)
        assert (odd.author, odd.body, odd.updated_s - odd.created_s) == ("", "", 0.5), "nobody's login is the bot's"

    play(story)


def test_a_merged_pull_request_and_one_from_a_fork_are_told_apart() -> None:
    async def story(g: GitHub) -> None:
        fork = recorded("pull", merged_at=None, merged_by=None, state="open", mergeable=True)
        fork["head"] |= {"label": "mallory:sre/0123456789ab/12/1", "repo": {"id": 666, "full_name": "mallory/shop"}}
        gone = recorded("pull", merged_at=None, user=None, body=None, labels=[])
        gone["head"] |= {"label": "mallory:sre/0123456789ab/12/1", "repo": None}
        for number, body in ((13, recorded("pull")), (14, fork), (15, gone)):
            g.says("GET", f"/pulls/{number}", httpx.Response(200, json=body))
        ours, theirs, deleted = [await g.forge.pull(number) for number in (13, 14, 15)]
        assert (ours.state, ours.merge_sha, ours.merged_by, ours.branch) == ("merged", "c" * 40, "ann", "sre/0123456789ab/12/1")
        assert (ours.labels, ours.closed_s, ours.head_sha) == (("sre:hold",), 1795424760.0, "b" * 40)
        assert (theirs.state, theirs.branch, theirs.mergeable) == ("open", "mallory:sre/0123456789ab/12/1", True)
        assert theirs.merge_sha == "", "an open one's trial merge is no merge"
        assert (deleted.branch, deleted.author, deleted.state) == ("mallory:sre/0123456789ab/12/1", "", "closed")

    play(story)


def test_runs_checks_and_commits_are_read_as_github_shows_them() -> None:
    async def story(g: GitHub) -> None:
        queued = recorded("run", status=None, conclusion=None, run_started_at=None)
        listed = {"total_count": 2, "workflow_runs": [recorded("run"), queued]}
        g.says("GET", "/actions/workflows/guardrail.yml/runs", httpx.Response(200, json=listed), answer("not found"))
        done, waiting = await g.forge.runs("guardrail.yml", head_sha="b" * 40, event="pull_request_target")
        assert (done.path, done.attempt, done.conclusion, done.created_s) == (
            ".github/workflows/guardrail.yml",
            2,
            "success",
            1795424700.25,
        )
        assert (waiting.status, waiting.conclusion, waiting.created_s) == ("", "", 1795424642.0)
        asked = g.router.calls.last.request.url.params
        assert (asked["head_sha"], asked["event"], asked["per_page"]) == ("b" * 40, "pull_request_target", "100")
        assert await g.forge.runs("guardrail.yml") == []

        nobody = recorded("check_run", conclusion=None, status="queued", app=None, html_url=None, details_url=None)
        g.pages(f"/commits/{'b' * 40}/check-runs", {"total_count": 2, "check_runs": [recorded("check_run"), nobody]})
        check, other = await g.forge.check_runs("b" * 40)
        assert (check.name, check.conclusion, check.app) == ("guardrail", "success", "github-actions")
        assert (other.conclusion, other.app, other.url) == ("", "", "")

        bare = recorded("commit", author=None, files=None)
        bare["commit"] |= {"author": None, "committer": None}
        g.says("GET", "/commits/main", httpx.Response(200, json=recorded("commit")))
        g.says("GET", "/commits/old", httpx.Response(200, json=bare))
        commit, old = await g.forge.commit("main"), await g.forge.commit("old")
        assert (commit.author_login, commit.author_name, commit.committed_s) == ("ann", "Ann Author", 1795423860.0)
        assert [(f.path, f.status, f.patch) for f in commit.files] == [("app/rates.py", "modified", "@@ -1 +1 @@\n-b = 2\n+b = 0")]
        assert (old.author_login, old.author_name, old.committed_s, old.files) == ("", "", 0.0, ())

    play(story)


def test_permissions_of_every_kind_become_four() -> None:
    async def story(g: GitHub) -> None:
        for role, permission, wanted in (
            ("maintain", "write", "write"),
            ("triage", "read", "read"),
            ("admin", "admin", "admin"),
            ("release-manager", "write", "write"),
            (None, "read", "read"),
            ("none", "none", "none"),
        ):
            g.says(
                "GET",
                "/collaborators/ann/permission",
                httpx.Response(200, json={"permission": permission, "role_name": role, "user": None}),
            )
            assert await g.forge.permission("ann") == wanted

    play(story)


def test_a_file_of_a_megabyte_comes_without_its_content_and_is_refused() -> None:
    async def story(g: GitHub) -> None:
        for odd in (
            {"type": "file", "size": 1_048_000, "encoding": "none", "content": ""},
            {"type": "symlink", "size": 5, "target": "/etc/passwd"},
            {"type": "submodule", "size": 0},
            [{"type": "file"}],
            {"type": "file", "size": 3, "encoding": "base64", "content": "not base64"},
        ):
            g.says("GET", "/contents/a.txt", httpx.Response(200, json=odd))
            with pytest.raises(Refused):
                await g.forge.read_file("a.txt", "main")

    play(story)


@pytest.mark.parametrize("body", [{}, [], "text", None, {"number": 1}, {"message": "Moved Permanently"}])
def test_an_answer_of_another_form_is_told_and_crashes_nothing(body: Any) -> None:
    async def story(g: GitHub) -> None:
        g.router.route().mock(return_value=httpx.Response(200, content=json.dumps(body).encode()))
        forge = g.forge
        for asked in (
            forge.me(),
            forge.default_branch(),
            forge.permission("ann"),
            forge.issue(1),
            forge.issues(label="x"),
            forge.comments(1),
            forge.pull(1),
            forge.pulls(branch="x"),
            forge.recent_pulls(),
            forge.pull_files(1),
            forge.branch_sha("x"),
            forge.branches("x"),
            forge.commit("x"),
            forge.commits(branch="x"),
            forge.compare("x", "y"),
            forge.read_file("x", "y"),
            forge.runs("x"),
            forge.check_runs("x"),
            forge.create_issue("t", "b", []),
            forge.create_comment(1, "b"),
            forge.create_pull(branch="x", base="y", title="t", body="b"),
            forge.merge(1, sha="x", title="t", message="m"),
            forge.create_commit(parent="x", changes={"a": "b"}, message="m", author_name="n", author_email="e", at_s=1.0),
            forge.dispatch("x", ref="y", inputs={}),
        ):
            try:
                found = await asked
            except Refused:
                continue
            assert not found, "nothing was made out of nothing"

    play(story)
