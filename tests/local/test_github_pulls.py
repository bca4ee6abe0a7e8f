"""Stories about pull requests on the embedded GitHub: what blocks a merge, what a merge does, what follows a push."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from bot.local.contracts import CheckRunUpdate
from bot.local.github import git as git_module
from bot.local.github.git import Git
from bot.local.github.merging import three_way, trial_merge
from tests.local.github_world import SEED, world

LINES = SEED["app/quote.py"].splitlines(keepends=True)


def edited(line: int, text: str) -> str:
    """The seeded file with one line changed."""
    return "".join([*LINES[: line - 1], f"{text}\n", *LINES[line:]])


def test_pull_request_can_be_opened_once_and_only_with_commits(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            pull = await w.pull("fix", {"a.txt": "1"})
            again = await w.ask("alice", "POST", "/pulls", {"title": "t", "head": "alice:fix", "base": "main"})
            assert again.status_code == 422
            assert again.json()["errors"][0]["message"] == "A pull request already exists for alice:fix."
            await w.do("alice", "POST", "/git/refs", {"ref": "refs/heads/empty", "sha": w.first})
            empty = await w.ask("alice", "POST", "/pulls", {"title": "t", "head": "empty", "base": "main"})
            assert (empty.status_code, empty.json()["errors"][0]["message"]) == (422, "No commits between main and empty")
            missing = await w.ask("alice", "POST", "/pulls", {"title": "t", "head": "nowhere", "base": "main"})
            assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "head")
            shown = await w.do("alice", "GET", f"/pulls/{pull['number']}")
            assert (shown["mergeable"], shown["mergeable_state"], shown["merged"], shown["commits"], shown["additions"]) == (
                True,
                "clean",
                False,
                1,
                1,
            )
            assert [found["number"] for found in await w.do("alice", "GET", "/pulls?head=alice:fix&state=all")] == [pull["number"]]
            assert await w.do("alice", "GET", "/pulls?head=alice:other&state=all") == []

    asyncio.run(story())


def test_person_closes_the_pull_then_it_is_closed_and_can_be_reopened_while_its_branch_lives(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            number = (await w.pull("fix", {"a.txt": "1"}))["number"]
            await w.heard()
            await w.do("wendy", "PATCH", f"/pulls/{number}", {"state": "closed"})
            assert await w.heard() == ["pull_request.closed"]
            shown = await w.do("alice", "GET", f"/pulls/{number}")
            assert (shown["state"], shown["merged"], shown["merged_at"]) == ("closed", False, None)
            assert (await w.ask("alice", "PUT", f"/pulls/{number}/merge", {})).status_code == 405
            await w.do("wendy", "PATCH", f"/pulls/{number}", {"state": "open"})
            assert await w.heard() == ["pull_request.reopened"]
            await w.do("wendy", "DELETE", "/git/refs/heads/fix")
            assert (await w.do("alice", "GET", f"/pulls/{number}"))["state"] == "closed"
            assert (await w.ask("alice", "PATCH", f"/pulls/{number}", {"state": "open"})).status_code == 422

    asyncio.run(story())


def test_push_to_the_head_branch_moves_the_pull_and_announces_synchronize(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            pull = await w.pull("fix", {"a.txt": "1"})
            old, number = pull["head"]["sha"], pull["number"]
            new = await w.commit({"a.txt": "2"}, parent=old)
            await w.github.settled()
            w.events.clear()
            await w.do("wendy", "PATCH", "/git/refs/heads/fix", {"sha": new})
            await w.github.settled()
            assert [(event.name, event.action) for event in w.events] == [("push", None), ("pull_request", "synchronize")]
            payload = w.events[1].payload
            assert (payload["before"], payload["after"], payload["pull_request"]["head"]["sha"]) == (old, new, new)
            assert (await w.do("alice", "GET", f"/pulls/{number}"))["head"]["sha"] == new
            assert w.github.resolve(f"refs/pull/{number}/head") == new
            stale = await w.ask("alice", "PUT", f"/pulls/{number}/merge", {"sha": old})
            assert (stale.status_code, stale.json()["message"]) == (409, "Head branch was modified. Review and try the merge again.")
            assert (await w.ask("alice", "PUT", f"/pulls/{number}/merge", {"sha": new})).status_code == 200

    asyncio.run(story())


def test_required_check_that_is_not_green_blocks_the_merge_for_everybody(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            w.github.protect("main", required_checks=["guardrail"])
            pull = await w.pull("fix", {"a.txt": "1"})
            head, number = pull["head"]["sha"], pull["number"]
            assert pull["mergeable_state"] == "blocked"
            unseen = await w.ask("alice", "PUT", f"/pulls/{number}/merge", {"sha": head})
            assert (unseen.status_code, unseen.json()["message"]) == (405, 'Required status check "guardrail" is expected.')

            w.github.report_check_run(None, CheckRunUpdate("other", head, "completed", "success"))
            latest = w.github.report_check_run(None, CheckRunUpdate("guardrail", head, "completed", "success"))
            for conclusion in ("failure", "neutral", "skipped", "cancelled", None):
                state = "completed" if conclusion else "in_progress"
                latest = w.github.report_check_run(None, CheckRunUpdate("guardrail", head, state, conclusion))
                for who in ("alice", "wendy", "sre-space[bot]"):
                    assert (await w.ask(who, "PUT", f"/pulls/{number}/merge", {"sha": head})).status_code == 405, (who, conclusion)
            assert await w.tip() == w.first

            w.github.report_check_run(latest, CheckRunUpdate("guardrail", head, "completed", "success"))
            assert (await w.do("alice", "GET", f"/pulls/{number}"))["mergeable_state"] == "clean"
            assert (await w.ask("sre-space[bot]", "PUT", f"/pulls/{number}/merge", {"sha": head})).status_code == 200

    asyncio.run(story())


def test_check_on_an_older_head_does_not_count(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            w.github.protect("main", required_checks=["guardrail"])
            pull = await w.pull("fix", {"a.txt": "1"})
            w.github.report_check_run(None, CheckRunUpdate("guardrail", pull["head"]["sha"], "completed", "success"))
            new = await w.commit({"a.txt": "2"}, parent=pull["head"]["sha"])
            await w.do("alice", "PATCH", "/git/refs/heads/fix", {"sha": new})
            assert (await w.ask("alice", "PUT", f"/pulls/{pull['number']}/merge", {"sha": new})).status_code == 405

    asyncio.run(story())


def test_merge_makes_a_merge_commit_and_announces_push_and_closed(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            pull = await w.pull("fix", {"a.txt": "1"})
            number, head = pull["number"], pull["head"]["sha"]
            await w.github.settled()
            w.events.clear()
            merged = await w.do("wendy", "PUT", f"/pulls/{number}/merge", {"sha": head, "commit_title": "Heal it"})
            await w.github.settled()
            assert merged["merged"] is True and await w.tip() == merged["sha"]
            commit = await w.do("alice", "GET", f"/git/commits/{merged['sha']}")
            assert ([parent["sha"] for parent in commit["parents"]], commit["message"].split("\n")[0]) == ([w.first, head], "Heal it")
            push, closed = w.events
            assert (push.name, push.payload["before"], push.payload["after"]) == ("push", w.first, merged["sha"])
            assert [sorted(entry["added"]) for entry in push.payload["commits"]] == [["a.txt"], ["a.txt"]]
            assert (closed.action, closed.payload["pull_request"]["merged_at"] is not None) == ("closed", True)
            assert closed.payload["pull_request"]["merge_commit_sha"] == merged["sha"] and closed.payload["pull_request"]["merged"] is True
            shown = await w.do("alice", "GET", f"/pulls/{number}")
            assert (shown["merged"], shown["merged_by"]["login"], shown["merge_commit_sha"], shown["commits"]) == (
                True,
                "wendy",
                merged["sha"],
                1,
            )
            assert (await w.ask("alice", "PUT", f"/pulls/{number}/merge", {})).status_code == 405
            for sha in (merged["sha"], head):
                assert [found["number"] for found in await w.do("alice", "GET", f"/commits/{sha}/pulls")] == [number]
            assert await w.tip("fix") == head, "the head branch is left alone"

    asyncio.run(story())


@pytest.mark.parametrize(("method", "parents"), [("squash", 1), ("rebase", 1), ("merge", 2)])
def test_two_branches_meet_and_both_changes_stay(tmp_path: Path, method: str, parents: int) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            first = await w.pull("one", {"app/quote.py": edited(2, "one")})
            second = await w.pull("two", {"app/quote.py": edited(18, "two")}, message="second change")
            await w.do("alice", "PUT", f"/pulls/{first['number']}/merge", {"merge_method": method})
            await w.do("alice", "PUT", f"/pulls/{second['number']}/merge", {"merge_method": method})
            text = w.github.read_file(await w.tip(), "app/quote.py")
            assert text == "".join([LINES[0], "one\n", *LINES[2:17], "two\n", *LINES[18:]]).encode()
            commit = await w.do("alice", "GET", f"/git/commits/{await w.tip()}")
            assert len(commit["parents"]) == parents
            assert (commit["message"] == "second change") == (method == "rebase")

    asyncio.run(story())


def test_conflicting_pull_is_not_mergeable(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            first = await w.pull("one", {"app/quote.py": edited(2, "one")})
            second = await w.pull("two", {"app/quote.py": edited(2, "two")})
            await w.do("alice", "PUT", f"/pulls/{first['number']}/merge", {})
            shown = await w.do("alice", "GET", f"/pulls/{second['number']}")
            assert (shown["mergeable"], shown["mergeable_state"]) == (False, "dirty")
            refused = await w.ask("alice", "PUT", f"/pulls/{second['number']}/merge", {})
            assert (refused.status_code, refused.json()["message"]) == (405, "Pull Request is not mergeable")
            assert (await w.ask("alice", "PUT", f"/pulls/{second['number']}/update-branch", {})).status_code == 422

    asyncio.run(story())


def test_update_branch_brings_the_base_into_the_head(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            first = await w.pull("one", {"app/quote.py": edited(2, "one")})
            second = await w.pull("two", {"b.txt": "2"})
            await w.do("alice", "PUT", f"/pulls/{first['number']}/merge", {})
            await w.heard()
            answer = await w.ask("alice", "PUT", f"/pulls/{second['number']}/update-branch", {"expected_head_sha": second["head"]["sha"]})
            assert answer.status_code == 202
            assert await w.heard() == ["push", "pull_request.synchronize"]
            assert [file["filename"] for file in await w.do("alice", "GET", f"/pulls/{second['number']}/files")] == ["b.txt"]
            assert (await w.do("alice", "GET", "/compare/main...two"))["behind_by"] == 0

    asyncio.run(story())


def test_closing_keyword_closes_the_issue_on_merge_and_a_reference_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            named = (await w.do("alice", "POST", "/issues", {"title": "named in the body"}))["number"]
            by_commit = (await w.do("alice", "POST", "/issues", {"title": "named by a commit"}))["number"]
            referred = (await w.do("alice", "POST", "/issues", {"title": "only referred to"}))["number"]
            pull = await w.pull(
                "fix", {"a.txt": "1"}, body=f"Closes #{named}. Refs #{referred}", message=f"x\n\nfixes #{by_commit}, refs #{referred}"
            )
            await w.do("alice", "PUT", f"/pulls/{pull['number']}/merge", {})
            states = {number: (await w.do("alice", "GET", f"/issues/{number}"))["state"] for number in (named, by_commit, referred)}
            assert states == {named: "closed", by_commit: "closed", referred: "open"}

    asyncio.run(story())


def test_pull_whose_head_reached_main_otherwise_counts_as_merged(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            pull = await w.pull("fix", {"a.txt": "1"})
            await w.do("alice", "PATCH", "/git/refs/heads/main", {"sha": pull["head"]["sha"]})
            shown = await w.do("alice", "GET", f"/pulls/{pull['number']}")
            assert (shown["state"], shown["merged"]) == ("closed", True)

    asyncio.run(story())


def test_older_git_without_merge_tree_gives_the_same_trees(tmp_path: Path) -> None:
    """The plain three-way merge agrees with git's own on a clean merge, a conflict, and a file added on both sides."""

    async def story() -> None:
        async with world(tmp_path) as w:
            ours = await w.branch("one", {"app/quote.py": edited(2, "one"), "same.txt": "s\n", "README.md": None})
            clean = await w.branch("two", {"app/quote.py": edited(18, "two"), "same.txt": "s\n"})
            dirty = await w.branch("three", {"app/quote.py": edited(2, "three")})
            git = Git(w.github.git_dir)
            try:
                assert trial_merge(git, ours, clean).tree is not None
                assert three_way(git, w.first, ours, clean) == trial_merge(git, ours, clean)
                assert three_way(git, w.first, ours, dirty).tree is None and trial_merge(git, ours, dirty).tree is None
            finally:
                git.close()

    asyncio.run(story())


def test_trial_merge_falls_back_when_git_is_too_old(tmp_path: Path) -> None:
    """A git that knows no `merge-tree --write-tree`, as before 2.38."""
    old = tmp_path / "old-git"
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    old.write_text(
        f'#!/bin/sh\nif [ "$1" = merge-tree ]; then echo "usage: git merge-tree <base> <one> <two>" >&2; exit 129; fi\nexec {real} "$@"\n'
    )
    old.chmod(0o755)

    async def story() -> None:
        async with world(tmp_path) as w:
            ours, theirs = await w.branch("one", {"app/quote.py": edited(2, "one")}), await w.branch("two", {"b.txt": "2"})
            new, aged = Git(w.github.git_dir), git_module.Git(w.github.git_dir, str(old))
            try:
                assert trial_merge(aged, ours, theirs) == trial_merge(new, ours, theirs)
            finally:
                new.close()
                aged.close()

    asyncio.run(story())
