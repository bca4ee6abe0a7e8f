"""The Forge contract: pull requests, from their opening to a merge of exactly what was judged, and the checks beside them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.errors import Conflict, Refused
from bot.forge import Pull
from bot.ports import Forge
from tests.contract.grounds import BOT, CHECK, OpenGround, branch_with, commit, on_every_forge, tip


async def opened(forge: Forge, branch: str = "fix", text: str = "fixed\n") -> Pull:
    await branch_with(forge, branch, {"app/quote.py": text})
    return await forge.create_pull(branch=branch, base="main", title=f"Fix by {branch}", body="Refs #1")


@on_every_forge
def test_a_pull_request_is_opened_once_for_a_branch(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            pull = await opened(g.forge)
            assert (pull.author, pull.branch, pull.base_branch, pull.state, pull.merge_sha) == (BOT, "fix", "main", "open", "")
            assert (pull.title, pull.body, pull.head_sha) == ("Fix by fix", "Refs #1", await tip(g.forge, "fix"))
            assert (await g.forge.pull(pull.number)).mergeable is True
            with pytest.raises(Conflict):
                await g.forge.create_pull(branch="fix", base="main", title="again", body="")
            assert [p.number for p in await g.forge.pulls(branch="fix")] == [pull.number]
            with pytest.raises(Refused):
                await g.forge.create_pull(branch="nowhere", base="main", title="t", body="")
            await g.forge.create_branch("empty", await tip(g.forge))
            with pytest.raises(Refused):
                await g.forge.create_pull(branch="empty", base="main", title="t", body="")
            assert [(f.path, f.status) for f in await g.forge.pull_files(pull.number)] == [("app/quote.py", "modified")]
            assert [p.number for p in await g.forge.pulls_of_commit(pull.head_sha)] == [pull.number]

    asyncio.run(story())


@on_every_forge
def test_pull_requests_of_a_branch_are_found_in_any_state(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            closed = await opened(g.forge, "fix")
            await g.forge.update_pull(closed.number, body="no longer", state="closed")
            again = await g.forge.create_pull(branch="fix", base="main", title="second", body="")
            merged = await opened(g.forge, "sre/fix", "other\n")
            await g.forge.merge(merged.number, sha=merged.head_sha, title="t", message="m")
            assert [(p.number, p.state, p.body) for p in await g.forge.pulls(branch="fix")] == [
                (closed.number, "closed", "no longer"),
                (again.number, "open", ""),
            ]
            assert [(p.number, p.state) for p in await g.forge.pulls(branch="sre/fix")] == [(merged.number, "merged")]
            assert await g.forge.pulls(branch="sre") == [] and await g.forge.pulls(branch="ix") == []
            assert [p.number for p in await g.forge.recent_pulls()] == [merged.number, again.number, closed.number]

    asyncio.run(story())


@on_every_forge
def test_a_closed_pull_request_can_be_reopened_and_a_merged_one_cannot(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            pull = await opened(g.forge)
            await g.forge.update_pull(pull.number, state="closed")
            closed = await g.forge.pull(pull.number)
            assert closed.state == "closed" and closed.closed_s is not None and closed.merge_sha == ""
            with pytest.raises(Conflict):
                await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            await g.forge.update_pull(pull.number, state="open")
            assert ((await g.forge.pull(pull.number)).state, (await g.forge.pull(pull.number)).closed_s) == ("open", None)
            await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            with pytest.raises(Refused):
                await g.forge.update_pull(pull.number, state="open")

    asyncio.run(story())


@on_every_forge
def test_a_merge_is_one_commit_on_main_with_the_words_that_were_given(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            pull = await opened(g.forge)
            await g.push("main", {"README.md": "moved on\n"})
            before = await tip(g.forge)
            sha = await g.forge.merge(pull.number, sha=pull.head_sha, title="Bound it (#2)", message="Refs #1")
            merged = await g.forge.pull(pull.number)
            assert (merged.state, merged.merge_sha, merged.merged_by) == ("merged", sha, BOT) and merged.closed_s is not None
            made = await g.forge.commit(sha)
            assert (await tip(g.forge), made.parents, made.message.strip()) == (sha, (before,), "Bound it (#2)\n\nRefs #1")
            assert [f.path for f in made.files] == ["app/quote.py"] and await g.forge.read_file("README.md", sha) == "moved on\n"
            assert [p.number for p in await g.forge.pulls_of_commit(sha)] == [pull.number]
            assert [f.path for f in await g.forge.pull_files(pull.number)] == ["app/quote.py"], "as it was"
            with pytest.raises(Conflict):
                await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            assert await tip(g.forge) == sha

    asyncio.run(story())


@on_every_forge
def test_a_person_pushes_and_what_was_judged_is_not_merged(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            pull, main = await opened(g.forge), await tip(g.forge)
            head = await g.push("fix", {"app/quote.py": "something else\n"})
            with pytest.raises(Conflict):
                await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            now = await g.forge.pull(pull.number)
            assert (now.state, now.head_sha, await tip(g.forge)) == ("open", head, main)

    asyncio.run(story())


@on_every_forge
def test_what_conflicts_with_main_is_not_merged(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            pull = await opened(g.forge)
            main = await g.push("main", {"app/quote.py": "somebody was quicker\n"})
            assert (await g.forge.pull(pull.number)).mergeable is False
            with pytest.raises(Conflict):
                await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            assert await tip(g.forge) == main

    asyncio.run(story())


@on_every_forge
def test_only_a_green_required_check_opens_the_way(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            await g.require_check()
            pull, main = await opened(g.forge), await tip(g.forge)
            alice = await g.as_user("alice")
            assert list(await g.forge.check_runs(pull.head_sha)) == []
            for forge in (g.forge, alice):
                with pytest.raises(Conflict):
                    await forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            await g.report_check(pull.head_sha, "failure")
            with pytest.raises(Conflict):
                await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            assert await tip(g.forge) == main
            await g.report_check(pull.head_sha, "success")
            (check,) = await g.forge.check_runs(pull.head_sha)
            told = (check.name, check.head_sha, check.status, check.conclusion, check.app)
            assert told == (CHECK, pull.head_sha, "completed", "success", "github-actions"), "the latest of that name"
            sha = await g.forge.merge(pull.number, sha=pull.head_sha, title="t", message="m")
            assert await tip(g.forge) == sha

    asyncio.run(story())


@on_every_forge
def test_files_of_a_pull_request_say_what_happened_to_each(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            quote = await g.forge.read_file("app/quote.py", "main")
            files = {f"app/f{n:03}.py": f"{n}\n" for n in range(101)}
            await branch_with(g.forge, "many", {**files, "README.md": None, "app/quote.py": None, "app/price.py": quote})
            pull = await g.forge.create_pull(branch="many", base="main", title="many", body="")
            found = {f.path: f for f in await g.forge.pull_files(pull.number)}
            assert len(found) == 103
            assert (found["README.md"].status, found["README.md"].deletions) == ("removed", 1)
            renamed = found["app/price.py"]
            assert (renamed.status, renamed.previous_path, renamed.additions) == ("renamed", "app/quote.py", 0)
            assert {found[path].status for path in files} == {"added"}
            assert len((await g.forge.commit(pull.head_sha)).files) == 103

    asyncio.run(story())


@on_every_forge
def test_the_youngest_hundred_pull_requests_are_recent(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            branches = [f"fix/{n}" for n in range(102)]
            await g.branches(branches, await commit(g.forge, await tip(g.forge), {"app/quote.py": "fixed\n"}))
            numbers = [(await g.forge.create_pull(branch=name, base="main", title=name, body="")).number for name in branches]
            assert [p.number for p in await g.forge.recent_pulls()] == numbers[:1:-1]

    asyncio.run(story())
