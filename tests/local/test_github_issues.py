"""Stories about issues, comments, labels and reactions on the embedded GitHub."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.local.github_world import world


def test_two_posts_make_two_issues_and_two_comments(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            for _ in range(2):
                await w.do("alice", "POST", "/issues", {"title": "same", "body": "same"})
                await w.do("alice", "POST", "/issues/1/comments", {"body": "same"})
            assert [issue["number"] for issue in await w.do("alice", "GET", "/issues")] == [2, 1]
            assert len(await w.do("alice", "GET", "/issues/1/comments")) == 2
            assert (await w.do("alice", "GET", "/issues/1"))["comments"] == 2

    asyncio.run(story())


def test_many_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            made = await asyncio.gather(*[w.do("alice", "POST", "/issues", {"title": f"t{count}"}) for count in range(20)])
            assert sorted(issue["number"] for issue in made) == list(range(1, 21))
            sha = await w.commit({"a.txt": "1"})
            body = {"ref": "refs/heads/one", "sha": sha}
            answers = await asyncio.gather(*[w.ask("alice", "POST", "/git/refs", body) for _ in range(5)])
            assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]

    asyncio.run(story())


def test_reader_opens_and_comments_but_edits_only_own_texts(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            mine = await w.do("rita", "POST", "/issues", {"title": "mine", "labels": ["sre"]})
            other = await w.do("wendy", "POST", "/issues", {"title": "other"})
            assert mine["labels"] == [], "a reader's labels are dropped, as on GitHub"
            await w.do("rita", "PATCH", f"/issues/{mine['number']}", {"title": "mine, better"})
            assert (await w.ask("rita", "PATCH", f"/issues/{other['number']}", {"state": "closed"})).status_code == 403
            assert (await w.ask("rita", "POST", f"/issues/{mine['number']}/labels", {"labels": ["sre"]})).status_code == 403

            said = await w.do("rita", "POST", f"/issues/{other['number']}/comments", {"body": "hm"})
            heard = await w.do("wendy", "POST", f"/issues/{other['number']}/comments", {"body": "yes?"})
            await w.do("rita", "PATCH", f"/issues/comments/{said['id']}", {"body": "hm!"})
            assert (await w.ask("rita", "PATCH", f"/issues/comments/{heard['id']}", {"body": "x"})).status_code == 403
            assert (await w.ask("rita", "DELETE", f"/issues/comments/{heard['id']}")).status_code == 403
            assert (await w.ask("wendy", "DELETE", f"/issues/comments/{said['id']}")).status_code == 204
            assert [comment["body"] for comment in await w.do("rita", "GET", f"/issues/{other['number']}/comments")] == ["yes?"]

    asyncio.run(story())


def test_issue_changes_are_announced_once_each(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await w.do("alice", "POST", "/issues", {"title": "t", "body": "b", "labels": ["sre", "p1"]})
            assert await w.heard() == ["issues.opened", "issues.labeled", "issues.labeled"]
            await w.do(
                "alice", "PATCH", "/issues/1", {"title": "t2", "state": "closed", "state_reason": "not_planned", "labels": ["sre", "done"]}
            )
            assert await w.heard() == ["issues.edited", "issues.labeled", "issues.unlabeled", "issues.closed"]
            shown = await w.do("alice", "GET", "/issues/1")
            assert (shown["state"], shown["state_reason"], [label["name"] for label in shown["labels"]]) == (
                "closed",
                "not_planned",
                ["sre", "done"],
            )
            await w.do(
                "alice", "PATCH", "/issues/1", {"title": "t2", "state": "closed", "state_reason": "not_planned", "labels": ["sre", "done"]}
            )
            assert await w.heard() == []
            await w.do("alice", "PATCH", "/issues/1", {"state": "open"})
            assert await w.heard() == ["issues.reopened"]
            comment = await w.do("alice", "POST", "/issues/1/comments", {"body": "one"})
            await w.do("alice", "PATCH", f"/issues/comments/{comment['id']}", {"body": "two"})
            await w.do("alice", "DELETE", f"/issues/comments/{comment['id']}")
            assert await w.heard() == ["issue_comment.created", "issue_comment.edited", "issue_comment.deleted"]

    asyncio.run(story())


def test_comment_on_a_pull_says_so_in_its_event(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            number = (await w.pull("fix", {"a.txt": "1"}))["number"]
            await w.do("rita", "POST", f"/issues/{number}/comments", {"body": "/sre hold"})
            await w.do("alice", "POST", f"/issues/{number}/labels", ["sre:hold"])
            await w.github.settled()
            comment, labeled = w.events[-2:]
            assert comment.payload["issue"]["pull_request"]["url"].endswith(f"/pulls/{number}")
            assert (comment.payload["sender"]["login"], comment.payload["comment"]["author_association"]) == ("rita", "NONE")
            assert (labeled.name, labeled.action, labeled.payload["label"]["name"]) == ("pull_request", "labeled", "sre:hold")
            assert number in [issue["number"] for issue in await w.do("alice", "GET", "/issues?labels=sre:hold")]

    asyncio.run(story())


def test_issues_are_found_by_state_label_creator_and_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            for number, (who, labels) in enumerate([("alice", ["a"]), ("wendy", ["a", "b"]), ("alice", ["b"])], 1):
                await w.do(who, "POST", "/issues", {"title": f"issue {number}", "labels": labels})
            await w.do("alice", "PATCH", "/issues/3", {"state": "closed"})

            async def found(query: str) -> list[int]:
                return [issue["number"] for issue in await w.do("rita", "GET", f"/issues?{query}")]

            assert await found("") == [2, 1]
            assert await found("state=all&direction=asc") == [1, 2, 3]
            assert await found("state=all&labels=a,B") == [2]
            assert await found("state=all&creator=alice") == [3, 1]
            await w.do("alice", "PATCH", "/issues/1", {"body": "touched"})
            touched = (await w.do("alice", "GET", "/issues/1"))["updated_at"]
            assert await found(f"state=all&since={touched}") == [1]
            assert await found("state=all&sort=updated") == [1, 3, 2]
            assert (await w.ask("rita", "GET", "/issues?state=odd")).status_code == 422
            assert (await w.ask("rita", "GET", "/issues?assignee=alice")).status_code == 501, "no filter is ignored in silence"

    asyncio.run(story())


def test_labels_are_unique_by_name_in_any_case(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await w.do("wendy", "POST", "/labels", {"name": "sre:hold", "color": "#B60205", "description": "the bot waits"})
            again = await w.ask("wendy", "POST", "/labels", {"name": "SRE:hold", "color": "b60205"})
            assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "already_exists")
            assert (await w.ask("wendy", "POST", "/labels", {"name": "x", "color": "red"})).status_code == 422
            await w.do("alice", "POST", "/issues", {"title": "t"})
            assert [label["name"] for label in await w.do("wendy", "POST", "/issues/1/labels", {"labels": ["SRE:HOLD", "new"]})] == [
                "sre:hold",
                "new",
            ]
            assert [label["name"] for label in await w.do("wendy", "PUT", "/issues/1/labels", {"labels": ["new"]})] == ["new"]
            assert (await w.ask("wendy", "DELETE", "/issues/1/labels/sre:hold")).status_code == 404
            assert await w.do("wendy", "DELETE", "/issues/1/labels/new") == []
            assert (await w.do("rita", "GET", "/labels/sre:hold"))["color"] == "b60205"

    asyncio.run(story())


def test_reaction_of_one_kind_counts_once_for_each_person(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await w.do("alice", "POST", "/issues", {"title": "t"})
            comment = await w.do("alice", "POST", "/issues/1/comments", {"body": "c"})
            path = f"/issues/comments/{comment['id']}/reactions"
            assert (await w.ask("rita", "POST", path, {"content": "eyes"})).status_code == 201
            assert (await w.ask("rita", "POST", path, {"content": "eyes"})).status_code == 200
            assert (await w.ask("wendy", "POST", path, {"content": "eyes"})).status_code == 201
            assert (await w.ask("rita", "POST", path, {"content": "shrug"})).status_code == 422
            assert (await w.do("alice", "GET", f"/issues/comments/{comment['id']}"))["reactions"]["eyes"] == 2
            first = (await w.do("alice", "GET", f"{path}?content=eyes"))[0]
            assert (await w.ask("rita", "DELETE", f"{path}/{first['id']}")).status_code == 204
            assert [reaction["user"]["login"] for reaction in await w.do("alice", "GET", path)] == ["wendy"]
            assert (await w.ask("rita", "POST", "/issues/1/reactions", {"content": "+1"})).status_code == 201

    asyncio.run(story())


def test_text_that_is_too_long_or_of_the_wrong_kind_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            long = "x" * 65_537
            assert (await w.ask("alice", "POST", "/issues", {"title": "t", "body": long})).status_code == 422
            await w.do("alice", "POST", "/issues", {"title": "t", "body": long[1:]})
            assert (await w.ask("alice", "POST", "/issues/1/comments", {"body": long})).status_code == 422
            assert (await w.ask("alice", "PATCH", "/issues/1", {"body": long})).status_code == 422
            for body in ({}, {"title": 3}, {"title": "  "}, {"title": "t", "labels": "sre"}, {"title": "y" * 257}):
                assert (await w.ask("alice", "POST", "/issues", body)).status_code == 422, body
            assert (await w.ask("alice", "POST", "/issues/1/comments", {"body": ""})).status_code == 422
            assert (await w.ask("alice", "GET", "/issues/99")).status_code == 404
            broken = await w.client.post(
                "/api/v3/repos/alice/shop/issues", content=b"{", headers={"Authorization": f"token {w.tokens['alice']}"}
            )
            assert (broken.status_code, broken.json()["message"]) == (400, "Problems parsing JSON")
            assert len(await w.do("alice", "GET", "/issues")) == 1

    asyncio.run(story())
