"""Lists in GitHub's pages come whole, and unchanged ones are asked for conditionally."""

from __future__ import annotations

import json

import httpx
import pytest

from bot.adapters.github.transport import PAGES_LIMIT
from bot.errors import Refused, Retry
from tests.contract.recorded_github import GitHub, answer, play, recorded


def test_lists_are_followed_to_their_end() -> None:
    async def story(g: GitHub) -> None:
        comments = [recorded("comment", id=n) for n in range(1, 251)]
        route = g.pages("/issues/12/comments", comments[:100], comments[100:200], comments[200:])
        assert [c.id for c in await g.forge.comments(12)] == list(range(1, 251))
        assert [call.request.url.params["page"] for call in route.calls] == ["1", "2", "3"]

    play(story)


def test_a_short_page_with_a_next_one_is_not_the_end() -> None:
    async def story(g: GitHub) -> None:
        g.pages("/issues/12/comments", [recorded("comment", id=1)], [recorded("comment", id=2)])
        assert [c.id for c in await g.forge.comments(12)] == [1, 2]

    play(story)


def test_a_full_page_that_has_not_changed_may_have_a_successor_now() -> None:
    async def story(g: GitHub) -> None:
        full = httpx.Response(200, json=[recorded("comment", id=n) for n in range(100)], headers={"etag": '"full"'})
        newest = httpx.Response(200, json=[recorded("comment", id=100)])
        g.says("GET", "/issues/12/comments", full, httpx.Response(200, json=[]), httpx.Response(304), newest)
        assert len(await g.forge.comments(12)) == 100
        assert (await g.forge.comments(12))[-1].id == 100

    play(story)


def test_a_list_that_knows_no_pages_is_not_read_twice() -> None:
    async def story(g: GitHub) -> None:
        refs = [{"ref": f"refs/heads/sre/{n}", "object": {"sha": f"{n:040}", "type": "commit"}} for n in range(100)]
        g.says("GET", "/git/matching-refs/heads/sre/", *[httpx.Response(200, json=refs)] * 2)
        assert len(await g.forge.branches("sre/")) == 100

    play(story)


def test_a_list_without_an_end_is_refused_rather_than_cut() -> None:
    async def story(g: GitHub) -> None:
        endless = [httpx.Response(200, json=[recorded("comment", id=n)], headers={"Link": '<x>; rel="next"'}) for n in range(PAGES_LIMIT)]
        g.says("GET", "/issues/12/comments", *endless)
        with pytest.raises(Refused, match="more than 10000 items"):
            await g.forge.comments(12)

    play(story)


def test_large_comparisons_and_commits_come_whole() -> None:
    async def story(g: GitHub) -> None:
        commits = [recorded("commit", sha=f"{n:040}") for n in range(620)]
        compare = {"status": "diverged", "ahead_by": 620, "behind_by": 3, "total_commits": 620, "files": []}
        g.pages("/compare/main...head%2Fx", *[{**compare, "commits": commits[i : i + 250]} for i in (0, 250, 500)])
        found = await g.forge.compare("main", "head/x")
        assert found.status == "diverged" and [c.sha for c in found.commits] == [f"{n:040}" for n in range(620)]

        files = [{"filename": f"f{n}", "status": "changed" if n else "renamed", "previous_filename": "old"} for n in range(650)]
        g.pages("/commits/main", *[recorded("commit", files=files[i : i + 300]) for i in (0, 300, 600)])
        commit = await g.forge.commit("main")
        assert [f.path for f in commit.files] == [f"f{n}" for n in range(650)]
        assert (commit.files[0].status, commit.files[1].status, commit.files[1].additions) == ("renamed", "modified", 0)

    play(story)


def test_a_tree_too_large_to_come_at_once_is_walked_for_the_modes() -> None:
    async def story(g: GitHub) -> None:
        def tree(*items: tuple[str, str, str], truncated: bool = False) -> httpx.Response:
            return httpx.Response(200, json={"truncated": truncated, "tree": [{"path": p, "mode": m, "sha": s} for p, m, s in items]})

        g.says("GET", "/git/commits/base", httpx.Response(200, json={"tree": {"sha": "top"}}))
        whole = tree(("README.md", "100644", "r"), truncated=True)
        g.says("GET", "/git/trees/top", whole, *[tree(("bin", "040000", "bin"), ("README.md", "100644", "r"))] * 4)
        g.says("GET", "/git/trees/bin", *[tree(("run.sh", "100755", "x"))] * 4)
        for kind in ("blobs", "trees", "commits"):
            g.says("POST", f"/git/{kind}", *[httpx.Response(201, json={"sha": kind})] * 4)
        changes = {"bin/run.sh": "#!/bin/sh\n", "bin/new.sh": "x", "none/new.sh": "y"}
        made = await g.forge.create_commit(parent="base", changes=changes, message="m", author_name="n", author_email="e", at_s=1.0)
        assert made == "commits"
        (sent,) = [json.loads(call.request.content) for call in g.router.calls if call.request.url.path.endswith("/git/trees")]
        assert {entry["path"]: entry["mode"] for entry in sent["tree"]} == {
            "bin/run.sh": "100755", "bin/new.sh": "100644", "none/new.sh": "100644",
        }  # fmt: skip

    play(story)


def test_an_unchanged_answer_is_asked_for_by_its_etag_and_remembered() -> None:
    async def story(g: GitHub) -> None:
        tag = {"etag": 'W/"one"'}
        changed = httpx.Response(200, json=recorded("issue", title="changed"), headers={"etag": 'W/"two"'})
        first = httpx.Response(200, json=recorded("issue"), headers=tag)
        route = g.says("GET", "/issues/12", first, httpx.Response(304, headers=tag), changed, answer("bad gateway"), httpx.Response(304))
        titles = [(await g.forge.issue(12)).title for _ in range(3)]
        assert titles == ["POST /quotes is slow", "POST /quotes is slow", "changed"]
        with pytest.raises(Retry):
            await g.forge.issue(12)
        assert (await g.forge.issue(12)).title == "changed", "a failure forgets nothing"
        assert [call.request.headers.get("if-none-match") for call in route.calls] == [None, *['W/"one"'] * 2, *['W/"two"'] * 2]

    play(story)
