"""The Forge contract: commits, branches, files and comparisons."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.errors import Conflict, Missing, Refused
from tests.contract.grounds import AT_S, OpenGround, branch_with, commit, on_every_forge, tip


@on_every_forge
def test_the_same_commit_made_twice_is_one_commit(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            main = await tip(g.forge)
            one = await commit(g.forge, main, {"app/new.py": "x\n", "README.md": None})
            assert await commit(g.forge, main, {"README.md": None, "app/new.py": "x\n"}) == one
            assert await commit(g.forge, main, {"app/new.py": "x\n"}) != one
            assert await commit(g.forge, main, {"app/new.py": "x\n", "README.md": None}, "another message") != one
            assert await tip(g.forge) == main, "nothing points at them"

            found = await g.forge.commit(one)
            assert (found.sha, found.message.strip(), found.parents, found.author_name) == (one, "fix", (main,), "SRE-Space")
            assert found.committed_s == AT_S
            assert [(f.path, f.status, f.additions, f.deletions) for f in found.files] == [
                ("README.md", "removed", 0, 1),
                ("app/new.py", "added", 1, 0),
            ]
            assert await g.forge.read_file("app/new.py", one) == "x\n" and await g.forge.read_file("README.md", one) is None

    asyncio.run(story())


@on_every_forge
def test_a_commit_on_nothing_or_of_nothing_is_refused(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            with pytest.raises(Missing):
                await commit(g.forge, "a" * 40, {"x": "y"})
            with pytest.raises(Refused):
                await commit(g.forge, await tip(g.forge), {"not/there.py": None})

    asyncio.run(story())


@on_every_forge
def test_a_branch_is_made_once(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            name = "sre/0123456789ab/7/1"
            assert await g.forge.branch_sha(name) is None
            sha = await branch_with(g.forge, name, {"app/new.py": "x\n"})
            assert await g.forge.branch_sha(name) == sha
            for again in (sha, await tip(g.forge)):
                with pytest.raises(Conflict):
                    await g.forge.create_branch(name, again)
            assert await g.forge.branch_sha(name) == sha, "the loser of a race moves nothing"
            with pytest.raises(Refused):
                await g.forge.create_branch("sre/other", "a" * 40)
            await g.forge.create_branch(f"{name}-undo", sha)
            assert await g.forge.branches("sre/0123456789ab/") == [(name, sha), (f"{name}-undo", sha)]
            assert await g.forge.branches("sre/ffff") == []

    asyncio.run(story())


@on_every_forge
def test_no_name_reaches_another_endpoint(open_ground: OpenGround, tmp_path: Path) -> None:
    """Names come from people and from telemetry: whatever they hold, they stay names."""

    async def story() -> None:
        async with open_ground(tmp_path) as g:
            odd = "fix/50%#1 & «ü»+a=b%2Fc"
            odd_path = "app/what? #1 100%25 ü+.txt"
            sha = await commit(g.forge, await tip(g.forge), {odd_path: "odd\n"})
            await g.forge.create_branch(odd.replace(" ", "_"), sha)
            assert await g.forge.branch_sha(odd.replace(" ", "_")) == sha
            assert (await g.forge.commit(odd.replace(" ", "_"))).sha == sha
            assert [c.sha for c in (await g.forge.compare("main", odd.replace(" ", "_"))).commits] == [sha]
            assert [branch for branch, _ in await g.forge.branches("fix/50%#")] == [odd.replace(" ", "_")]
            assert await g.forge.read_file(odd_path, sha) == "odd\n" and await g.forge.read_file("app/what", sha) is None

            for name in ("..", "../..", "../../../user", "a/../../b", "main?x=", "main#", "./main", ""):
                assert await g.forge.branch_sha(name) is None
                assert await g.forge.permission(name) == "none"
                assert list(await g.forge.runs(name)) == []
                with pytest.raises(Refused):
                    await g.forge.commit(name)
                with pytest.raises(Missing):
                    await g.forge.compare("main", name)
            for path in (
                "../README.md",
                "app/../README.md",
                "../../../../user",
                "README.md?",
                "README.md#",
                "./README.md",
                "app//quote.py",
            ):
                assert await g.forge.read_file(path, "main") is None

    asyncio.run(story())


@on_every_forge
def test_history_is_newest_first_and_can_be_narrowed(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            first = await tip(g.forge)
            one = await g.push("main", {"app/quote.py": "one\n"})
            two = await g.push("main", {"README.md": "two\n"})
            three = await g.push("main", {"app/quote.py": "three\n"})
            assert [c.sha for c in await g.forge.commits(branch="main")] == [three, two, one, first]
            assert [c.sha for c in await g.forge.commits(branch="main", limit=2)] == [three, two]
            assert [c.sha for c in await g.forge.commits(branch="main", path="app/quote.py")] == [three, one, first]
            assert [c.sha for c in await g.forge.commits(branch=one)] == [one, first]
            assert [c.parents for c in await g.forge.commits(branch="main", limit=1)] == [(two,)]
            assert (await g.forge.commit("main")).sha == three and (await g.forge.commits(branch="main"))[0].author_login == "alice"
            with pytest.raises(Missing):
                await g.forge.commits(branch="nowhere")

    asyncio.run(story())


@on_every_forge
def test_comparisons_say_who_is_ahead(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            first = await tip(g.forge)
            one = await branch_with(g.forge, "one", {"app/one.py": "1\n"})
            more = await g.push("one", {"app/more.py": "2\n"})
            other = await branch_with(g.forge, "other", {"app/other.py": "3\n"})

            async def seen(base: str, head: str) -> tuple[str, list[str]]:
                found = await g.forge.compare(base, head)
                return found.status, [c.sha for c in found.commits]

            assert await seen("main", "main") == ("identical", [])
            assert await seen("main", "one") == ("ahead", [one, more]), "oldest first"
            assert await seen(more, first) == ("behind", [])
            assert await seen("other", more) == ("diverged", [one, more]) and await seen(more, "other") == ("diverged", [other])
            with pytest.raises(Missing):
                await g.forge.compare("main", "f" * 40)

    asyncio.run(story())


@on_every_forge
def test_a_comparison_of_more_than_a_page_is_whole(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            made = await g.grow("long", 130)
            found = await g.forge.compare("main", "long")
            assert len(made) == 130 and found.status == "ahead" and [c.sha for c in found.commits] == made
            assert [c.sha for c in await g.forge.commits(branch="long", limit=120)] == made[::-1][:120]

    asyncio.run(story())


@on_every_forge
def test_files_are_text_at_a_ref_or_nothing(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            first = await tip(g.forge)
            big = "x" * ((1 << 20) + 1)
            now = await g.push("main", {"README.md": "# «shop»\r\nno newline at the end", "empty.txt": "", "big.txt": big})
            assert await g.forge.read_file("README.md", "main") == "# «shop»\r\nno newline at the end"
            assert await g.forge.read_file("README.md", first) == "# shop\n"
            assert await g.forge.read_file("empty.txt", now) == ""
            assert await g.forge.read_file("no/such.txt", "main") is None and await g.forge.read_file("README.md", "f" * 40) is None
            for what in ("big.txt", "app"):
                with pytest.raises(Refused):
                    await g.forge.read_file(what, "main")

    asyncio.run(story())
