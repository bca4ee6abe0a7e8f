"""Stories about the git data API of the embedded GitHub: refs, trees, commits, files, comparisons, protected branches."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from pathlib import Path

import pytest

from tests.local.github_world import SEED, World, encoded, world


def git(git_dir: Path, *arguments: str) -> str:
    """The real git on the bare repository, as anybody else would see it."""
    done = subprocess.run(["git", f"--git-dir={git_dir}", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_seeded_tree_is_a_real_commit_on_main(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            assert git(w.github.git_dir, "rev-parse", "refs/heads/main") == w.first
            assert git(w.github.git_dir, "log", "-1", "--format=%an %s", "main") == "alice first commit"
            assert sorted(w.github.list_files(w.first, "")) == sorted(SEED)
            assert w.github.list_files(w.first, "app") == ["app/quote.py", "app/text with space.txt"]
            assert w.github.read_file(w.first, "README.md") == b"# shop\n"
            assert w.github.read_file(w.first, "app") is None
            assert w.github.resolve("no-such-branch") is None
            git(w.github.git_dir, "fsck", "--strict")

    asyncio.run(story())


def test_commit_made_by_the_api_is_what_git_says_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            base = await w.do("alice", "GET", f"/git/commits/{w.first}")
            changes = [
                {"path": "app/quote.py", "mode": "100644", "type": "blob", "content": "new\n"},
                {"path": "README.md", "mode": "100644", "type": "blob", "sha": None},
                {"path": "deep/er/file.txt", "mode": "100755", "type": "blob", "content": "x"},
            ]
            tree = await w.do("alice", "POST", "/git/trees", {"base_tree": base["tree"]["sha"], "tree": changes})
            author = {"name": "Ada", "email": "ada@example.com", "date": "2026-03-01T10:00:00+02:00"}
            body = {"message": "a change\n\nwhy", "tree": tree["sha"], "parents": [w.first], "author": author}
            made = await w.do("alice", "POST", "/git/commits", body)
            again = await w.do("alice", "POST", "/git/commits", body)

            assert made["sha"] == again["sha"], "the same commit with the same dates has the same name"
            assert made["author"] == {"name": "Ada", "email": "ada@example.com", "date": "2026-03-01T08:00:00Z"}
            assert git(w.github.git_dir, "log", "-1", "--format=%an|%ae|%at|%B", made["sha"]).startswith(
                "Ada|ada@example.com|1772352000|a change"
            )
            listing = await w.do("alice", "GET", f"/git/trees/{made['sha']}?recursive=1")
            assert {entry["path"]: entry["mode"] for entry in listing["tree"]} == {
                "app": "040000",
                "app/quote.py": "100644",
                "app/text with space.txt": "100644",
                "deep": "040000",
                "deep/er": "040000",
                "deep/er/file.txt": "100755",
            }
            assert sorted(w.github.changed_paths(w.first, made["sha"])) == ["README.md", "app/quote.py", "deep/er/file.txt"]

    asyncio.run(story())


def test_tree_with_a_bad_path_or_object_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            base = (await w.do("alice", "GET", f"/git/commits/{w.first}"))["tree"]["sha"]
            for path in ("../out", ".git/config", "a//b", "/abs", "", "a\nb"):
                entry = {"path": path, "mode": "100644", "type": "blob", "content": "x"}
                assert (await w.ask("alice", "POST", "/git/trees", {"base_tree": base, "tree": [entry]})).status_code == 422, path
            wrong = {"path": "x", "mode": "100644", "type": "blob", "sha": "1" * 40}
            answer = await w.ask("alice", "POST", "/git/trees", {"base_tree": base, "tree": [wrong]})
            assert answer.status_code == 422 and "is not a valid blob" in answer.json()["message"]
            gone = {"path": "not/there", "mode": "100644", "type": "blob", "sha": None}
            assert (await w.ask("alice", "POST", "/git/trees", {"base_tree": base, "tree": [gone]})).status_code == 422

    asyncio.run(story())


def test_ref_exists_once_and_moves_only_forward_without_force(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            one = await w.branch("topic", {"a.txt": "1"})
            again = await w.ask("alice", "POST", "/git/refs", {"ref": "refs/heads/topic", "sha": one})
            assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
            unknown = await w.ask("alice", "POST", "/git/refs", {"ref": "refs/heads/x", "sha": "2" * 40})
            assert (unknown.status_code, unknown.json()["message"]) == (422, "Object does not exist")
            for name in ("topic", "refs/heads", "refs/heads/a..b", "refs/pull/9/head", "refs/heads/topic/below", "refs/heads/-x y"):
                assert (await w.ask("alice", "POST", "/git/refs", {"ref": name, "sha": one})).status_code == 422, name

            two = await w.commit({"a.txt": "2"}, parent=one)
            await w.do("alice", "PATCH", "/git/refs/heads/topic", {"sha": two})
            back = await w.ask("alice", "PATCH", "/git/refs/heads/topic", {"sha": one})
            assert (back.status_code, back.json()["message"]) == (422, "Update is not a fast forward")
            assert await w.tip("topic") == two
            await w.do("alice", "PATCH", "/git/refs/heads/topic", {"sha": one, "force": True})
            assert await w.tip("topic") == one

            names = [ref["ref"] for ref in await w.do("alice", "GET", "/git/matching-refs/heads/to")]
            assert names == ["refs/heads/topic"]
            assert (await w.ask("alice", "DELETE", "/git/refs/heads/topic")).status_code == 204
            assert (await w.ask("alice", "GET", "/git/ref/heads/topic")).status_code == 404
            assert (await w.ask("alice", "DELETE", "/git/refs/heads/topic")).status_code == 422

    asyncio.run(story())


def test_protected_branch_changes_by_pull_request_only_for_everybody(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            w.github.protect("main", required_checks=["guardrail"])
            forward = await w.commit({"a.txt": "1"})
            aside = await w.do("alice", "POST", "/git/commits", {"message": "x", "tree": (await tree_of(w, forward)), "parents": []})
            for who in ("alice", "wendy", "sre-space[bot]"):
                direct = await w.ask(who, "PATCH", "/git/refs/heads/main", {"sha": forward})
                assert (direct.status_code, direct.json()["message"]) == (422, "Changes must be made through a pull request.")
                forced = await w.ask(who, "PATCH", "/git/refs/heads/main", {"sha": aside["sha"], "force": True})
                assert (forced.status_code, forced.json()["message"]) == (422, "Cannot force-push to this branch")
                assert (await w.ask(who, "DELETE", "/git/refs/heads/main")).status_code == 422
                put = await w.ask(who, "PUT", "/contents/new.txt", {"message": "m", "content": encoded("x")})
                assert put.status_code == 409 and "Changes must be made through a pull request" in put.json()["message"]
            assert await w.tip() == w.first
            protection = await w.do("alice", "GET", "/branches/main/protection")
            assert protection["required_status_checks"]["contexts"] == ["guardrail"]
            assert protection["enforce_admins"]["enabled"] is True
            assert (await w.do("alice", "GET", "/branches/main"))["protected"] is True

    async def tree_of(w: World, sha: str) -> str:
        return str((await w.do("alice", "GET", f"/git/commits/{sha}"))["tree"]["sha"])

    asyncio.run(story())


def test_contents_are_read_as_json_raw_and_folder_and_written_with_the_known_blob(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            shown = await w.do("rita", "GET", "/contents/app/text%20with%20space.txt")
            assert base64.b64decode(shown["content"]) == b"hello\n"
            raw = await w.ask("rita", "GET", "/contents/README.md", Accept="application/vnd.github.raw+json")
            assert raw.content == b"# shop\n"
            assert [entry["name"] for entry in await w.do("rita", "GET", "/contents/app")] == ["quote.py", "text with space.txt"]
            assert [entry["type"] for entry in await w.do("rita", "GET", "/contents")] == ["file", "dir"]
            assert (await w.ask("rita", "GET", "/contents/../secret")).status_code == 404

            made = await w.ask("wendy", "PUT", "/contents/docs/a.md", {"message": "add", "content": encoded("one")})
            assert made.status_code == 201
            blob = made.json()["content"]["sha"]
            unnamed = await w.ask("wendy", "PUT", "/contents/docs/a.md", {"message": "m", "content": encoded("two")})
            assert unnamed.status_code == 422
            stale = await w.ask("wendy", "PUT", "/contents/docs/a.md", {"message": "m", "content": encoded("two"), "sha": "3" * 40})
            assert stale.status_code == 409
            changed = await w.ask("wendy", "PUT", "/contents/docs/a.md", {"message": "m", "content": encoded("two"), "sha": blob})
            assert changed.status_code == 200
            assert w.github.read_file(await w.tip(), "docs/a.md") == b"two"
            gone = await w.ask("wendy", "DELETE", "/contents/docs/a.md", {"message": "rm", "sha": changed.json()["content"]["sha"]})
            assert gone.status_code == 200 and gone.json()["content"] is None
            assert w.github.read_file(await w.tip(), "docs/a.md") is None

    asyncio.run(story())


def test_compare_tells_ahead_behind_identical_and_diverged(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            one = await w.branch("one", {"app/quote.py": "changed\n", "app/text with space.txt": None, "moved.txt": "hello\n"})
            await w.branch("two", {"b.txt": "2"})
            ahead = await w.do("rita", "GET", "/compare/main...one")
            assert (ahead["status"], ahead["ahead_by"], ahead["behind_by"], ahead["merge_base_commit"]["sha"]) == ("ahead", 1, 0, w.first)
            files = {file["filename"]: file for file in ahead["files"]}
            assert files["moved.txt"]["status"] == "renamed" and files["moved.txt"]["previous_filename"] == "app/text with space.txt"
            assert files["app/quote.py"]["patch"].startswith("@@ -1,20 +1 @@\n-line 1\n")
            assert (files["app/quote.py"]["additions"], files["app/quote.py"]["deletions"]) == (1, 20)
            assert (await w.do("rita", "GET", "/compare/one...main"))["status"] == "behind"
            assert (await w.do("rita", "GET", "/compare/main...main"))["status"] == "identical"
            assert (await w.do("rita", "GET", f"/compare/{one}...two"))["status"] == "diverged"
            assert (await w.ask("rita", "GET", "/compare/main...nowhere")).status_code == 404

    asyncio.run(story())


def test_commits_are_listed_by_path_time_and_page(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            for number in range(3):
                await w.do("alice", "PUT", f"/contents/f{number}.txt", {"message": f"add {number}", "content": encoded("x")})
            page = await w.ask("rita", "GET", "/commits?per_page=2")
            assert [entry["commit"]["message"] for entry in page.json()] == ["add 2", "add 1"]
            assert page.links["next"]["url"].endswith("per_page=2&page=2") and page.links["last"]["url"].endswith("page=2")
            rest = await w.ask(w.tokens["rita"], "GET", "/commits?per_page=2&page=2")
            assert [entry["commit"]["message"] for entry in rest.json()] == ["add 0", "first commit"]
            assert set(rest.links) == {"prev", "first"}
            touched = await w.do("rita", "GET", "/commits?path=f1.txt")
            assert [entry["commit"]["message"] for entry in touched] == ["add 1"]
            since = touched[0]["commit"]["committer"]["date"]
            assert [entry["commit"]["message"] for entry in await w.do("rita", "GET", f"/commits?since={since}")] == ["add 2", "add 1"]
            whole = await w.do("rita", "GET", f"/commits/{touched[0]['sha']}")
            assert (whole["stats"]["additions"], whole["files"][0]["filename"], whole["author"]["login"]) == (1, "f1.txt", "alice")
            assert (await w.ask("rita", "GET", "/commits/nowhere")).status_code == 422

    asyncio.run(story())


def test_no_identity_and_no_machine_configuration_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose git configuration would break every commit: the embedded GitHub does not read it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = true\n[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def story() -> None:
        async with world(tmp_path) as w:
            sha = await w.branch("topic", {"a.txt": "1\r\n"})
            assert w.github.read_file(sha, "a.txt") == b"1\r\n"

    asyncio.run(story())
