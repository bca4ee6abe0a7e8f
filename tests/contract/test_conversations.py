"""The Forge contract: issues, comments, labels, reactions and who may what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import Missing, Refused
from bot.forge import Account, Reaction
from tests.contract.grounds import BOT, OpenGround, branch_with, on_every_forge


@on_every_forge
def test_the_forge_says_where_it_is_and_who_asks(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            assert (g.forge.repository, await g.forge.default_branch()) == ("alice/shop", "main")
            assert await g.forge.me() == Account(BOT, is_bot=True)
            assert await (await g.as_user("wendy")).me() == Account("wendy", is_bot=False)

    asyncio.run(story())


@on_every_forge
def test_permissions_are_told_and_strangers_have_none(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            wanted = {
                "alice": "admin",
                "wendy": "write",
                "rita": "read",
                "nadia": "none",
                "nobody-at-all": "none",
                "": "none",
                "..": "none",
            }
            assert {login: await g.forge.permission(login) for login in wanted} == wanted

    asyncio.run(story())


@on_every_forge
def test_an_issue_is_opened_edited_and_closed(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            made = await g.forge.create_issue("Quotes are slow", "p99 is **2 s** — «ü»", ["sre:incident", "p1"])
            assert (made.author, made.state, made.is_pull, made.closed_s) == (BOT, "open", False, None)
            assert sorted(made.labels) == ["p1", "sre:incident"] and await g.forge.issue(made.number) == made
            await g.forge.update_issue(made.number, title="Quotes were slow", body="healed")
            edited = await g.forge.issue(made.number)
            assert (edited.title, edited.body, edited.state) == ("Quotes were slow", "healed", "open")
            await g.forge.update_issue(made.number, state="closed", reason="completed")
            closed = await g.forge.issue(made.number)
            assert closed.state == "closed" and (closed.closed_s or 0.0) >= closed.created_s and not closed.reopened
            await g.forge.update_issue(made.number, state="open", reason="reopened")
            again = await g.forge.issue(made.number)
            assert (again.state, again.closed_s, again.reopened) == ("open", None, True)

    asyncio.run(story())


@on_every_forge
def test_what_is_not_there_is_missing(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            for asked in (
                g.forge.issue(99),
                g.forge.comments(99),
                g.forge.reactions(99),
                g.forge.pull(99),
                g.forge.pull_files(99),
                g.forge.create_comment(99, "hello"),
                g.forge.update_comment(99, "hello"),
                g.forge.delete_comment(99),
                g.forge.update_issue(99, title="x"),
                g.forge.add_labels(99, ["x"]),
                g.forge.react(99, "eyes"),
                g.forge.update_pull(99, body="x"),
                g.forge.merge(99, sha="a" * 40, title="t", message="m"),
                g.forge.rerun(99),
            ):
                with pytest.raises(Missing):
                    await asked

    asyncio.run(story())


@on_every_forge
def test_issues_are_listed_by_label_without_pull_requests_oldest_first(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            one = await g.forge.create_issue("one", "", ["sre:incident"])
            await g.forge.create_issue("other", "", ["bug"])
            await branch_with(g.forge, "fix", {"app/new.py": "x\n"})
            pull = await g.forge.create_pull(branch="fix", base="main", title="a fix", body="")
            await g.forge.add_labels(pull.number, ["sre:incident"])
            two = await g.forge.create_issue("two", "", ["sre:incident"])
            await g.forge.update_issue(one.number, state="closed")

            async def numbers(state: str) -> list[int]:
                return [issue.number for issue in await g.forge.issues(label="sre:incident", state=state)]

            assert await numbers("open") == [two.number] and await numbers("closed") == [one.number]
            assert await numbers("all") == [one.number, two.number]
            assert "sre:incident" in (await g.forge.pull(pull.number)).labels and (await g.forge.issue(pull.number)).is_pull
            assert await g.forge.issues(label="nothing has it") == []

    asyncio.run(story())


@on_every_forge
def test_what_is_said_under_an_issue_or_a_pull_request_shows_in_lists(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            quiet, loud = [await g.forge.create_issue(title, "", ["sre:incident"]) for title in ("quiet", "loud")]
            await branch_with(g.forge, "fix", {"app/new.py": "x\n"})
            pull = await g.forge.create_pull(branch="fix", base="main", title="a fix", body="")
            await g.forge.update_issue(quiet.number, state="closed")
            await g.forge.update_issue(loud.number, state="closed")
            shown = [p.updated_s for p in await g.forge.recent_pulls()]
            for number in (loud.number, pull.number):
                said = await (await g.as_user("rita")).create_comment(number, "hello")
                listed = await g.forge.issues(label="sre:incident", state="closed", since_s=said.created_s)
                shown += [p.updated_s for p in await g.forge.recent_pulls()]
                assert [issue.number for issue in listed] == ([loud.number] if number == loud.number else [])
            assert shown[0] == shown[1] < said.created_s <= shown[2]

    asyncio.run(story())


@on_every_forge
def test_more_than_a_page_of_issues_and_comments_comes_whole(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            made = [(await g.forge.create_issue(f"issue {n}", "", ["sre:incident"])).number for n in range(103)]
            assert [issue.number for issue in await g.forge.issues(label="sre:incident")] == made
            for n in range(100):
                await g.forge.create_comment(made[0], f"comment {n}")
            assert len(await g.forge.comments(made[0])) == 100
            await g.forge.create_comment(made[0], "comment 100")
            assert [c.body for c in await g.forge.comments(made[0])] == [f"comment {n}" for n in range(101)], (
                "seen though page one is the same"
            )

    asyncio.run(story())


@on_every_forge
def test_comments_are_told_apart_by_author_and_edits(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            number = (await g.forge.create_issue("slow", "", [])).number
            ours = await g.forge.create_comment(number, "I am on it")
            theirs = await (await g.as_user("rita")).create_comment(number, "/sre help\r\nplease")
            assert [(c.author, c.author_is_bot, c.issue, c.id) for c in await g.forge.comments(number)] == [
                (BOT, True, number, ours.id),
                ("rita", False, number, theirs.id),
            ]
            assert theirs.updated_s == theirs.created_s and theirs.body == "/sre help\r\nplease"
            await g.forge.update_comment(ours.id, "I was on it")
            edited = (await g.forge.comments(number))[0]
            assert edited.body == "I was on it" and edited.updated_s > edited.created_s
            await g.forge.delete_comment(ours.id)
            assert [c.id for c in await g.forge.comments(number)] == [theirs.id]
            with pytest.raises(Missing):
                await g.forge.delete_comment(ours.id)
            with pytest.raises(Refused):
                await g.forge.create_comment(number, "   ")

    asyncio.run(story())


@on_every_forge
def test_labels_and_reactions_may_be_given_and_taken_twice(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            number = (await g.forge.create_issue("slow", "", ["a"])).number
            for _ in range(2):
                await g.forge.add_labels(number, ["sre:hold", "needs: a human?"])
            assert sorted((await g.forge.issue(number)).labels) == ["a", "needs: a human?", "sre:hold"]
            for _ in range(2):
                await g.forge.remove_label(number, "needs: a human?")
            assert sorted((await g.forge.issue(number)).labels) == ["a", "sre:hold"]

            comment = await (await g.as_user("wendy")).create_comment(number, "/sre help")
            for _ in range(2):
                await g.forge.react(comment.id, "eyes")
            await (await g.as_user("rita")).react(comment.id, "eyes")
            assert set(await g.forge.reactions(comment.id)) == {Reaction("eyes", BOT), Reaction("eyes", "rita")}
            assert len(await g.forge.reactions(comment.id)) == 2
            with pytest.raises(Refused):
                await g.forge.react(comment.id, "thumbs-sideways")

    asyncio.run(story())


@on_every_forge
def test_a_reader_may_talk_and_nothing_else(open_ground: OpenGround, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_ground(tmp_path) as g:
            ours = await g.forge.create_issue("slow", "", ["sre:incident"])
            comment = await g.forge.create_comment(ours.number, "ours")
            sha = await branch_with(g.forge, "fix", {"app/new.py": "x\n"})
            pull = await g.forge.create_pull(branch="fix", base="main", title="a fix", body="")
            rita = await g.as_user("rita")
            theirs = await rita.create_issue("mine", "", ["sre:incident"])
            assert theirs.labels == (), "a reader's labels are ignored, as on GitHub"
            for refused in (
                rita.update_issue(ours.number, body="forged"),
                rita.add_labels(ours.number, ["x"]),
                rita.remove_label(ours.number, "sre:incident"),
                rita.update_comment(comment.id, "forged"),
                rita.delete_comment(comment.id),
                rita.create_branch("theirs", sha),
                rita.update_pull(pull.number, state="closed"),
                rita.merge(pull.number, sha=sha, title="t", message="m"),
                rita.dispatch("diagnose.yml", ref="main", inputs={"issue": "1"}),
            ):
                with pytest.raises(Refused):
                    await refused
            now = await g.forge.issue(ours.number)
            assert replace(now, updated_s=ours.updated_s) == ours and (await g.forge.pull(pull.number)).state == "open"

    asyncio.run(story())
