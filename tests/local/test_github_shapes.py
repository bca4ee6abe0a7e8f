"""The embedded GitHub's answers against GitHub's own OpenAPI description, and one whole story told with the real client, githubkit.

`github_openapi/responses.json` is cut from the npm package @octokit/openapi 23.0.2 (MIT, see LICENSE there): for the operations that the
embedded GitHub has, the schemas of the answers that succeed, without texts and examples.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import RequestFailed

from bot.local.contracts import CheckRunUpdate
from tests.local.github_world import World, encoded, world

DESCRIPTION = Path(__file__).parent / "github_openapi" / "responses.json"
# Answered by whatever runs the workflows; its own tests look at these shapes.
LEFT_OUT = {
    "get /repos/{owner}/{repo}/actions/runs",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
    "post /repos/{owner}/{repo}/actions/runs/{run_id}/rerun",
}


def translated(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: translated(part) for key, part in schema.items()}
    if changed.pop("nullable", False) is not True:
        return changed
    if "enum" in changed:
        changed["enum"] = [*changed["enum"], None]
    return {"anyOf": [changed, {"type": "null"}]}


class Description:
    def __init__(self) -> None:
        whole = translated(json.loads(DESCRIPTION.read_text()))
        self.components = whole["components"]
        self.operations: dict[str, dict[str, Any]] = {
            f"{method} {path}": answers for path, methods in whole["paths"].items() for method, answers in methods.items()
        }
        self._patterns = sorted(
            ((re.compile(self._pattern(name)), name) for name in self.operations), key=lambda pair: (pair[1].count("{"), -len(pair[1]))
        )

    @staticmethod
    def _pattern(name: str) -> str:
        greedy = re.sub(r"\\\{(?:path|ref|basehead|branch)\\\}", "(.+)", re.escape(name))
        return "^" + re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", greedy) + "$"

    def operation(self, method: str, path: str) -> str | None:
        asked = f"{method.lower()} {path.removeprefix('/api/v3')}"
        return next((name for pattern, name in self._patterns if pattern.match(asked)), None)

    def faults(self, name: str, status: int, body: Any) -> list[str]:
        answers = self.operations[name]
        if str(status) not in answers:
            return [f"{name}: status {status} is not one of GitHub's"]
        schema = answers[str(status)]
        if schema is None:
            return []
        found = jsonschema.Draft7Validator({**schema, "components": self.components}).iter_errors(body)
        return [f"{name} {status}: /{'/'.join(map(str, fault.absolute_path))}: {fault.message[:200]}" for fault in found]


async def ask_everything(w: World) -> None:
    """One call at least of every operation that GitHub describes and this server has."""
    w.github.protect("main", required_checks=["guardrail"])
    one = await w.pull("one", {"a.txt": "1", "README.md": None}, body="Refs #2")
    head, number = one["head"]["sha"], one["number"]
    await w.do("rita", "POST", "/issues", {"title": "t", "body": "b"})
    made = await w.do(
        "sre-space[bot]", "POST", "/check-runs", {"name": "guardrail", "head_sha": head, "output": {"title": "t", "summary": "s"}}
    )
    await w.do("sre-space[bot]", "PATCH", f"/check-runs/{made['id']}", {"conclusion": "success"})
    w.github.report_check_run(None, CheckRunUpdate("job", head, "completed", "success", 1.0, 2.0, "t", "s", "http://127.0.0.1/x", "1"))
    hook = await w.do(
        "alice", "POST", "/hooks", {"config": {"url": "http://127.0.0.1:1/", "content_type": "json", "secret": "s"}, "events": ["*"]}
    )
    comment = await w.do("rita", "POST", "/issues/2/comments", {"body": "c"})
    for _ in range(2):
        await w.do("rita", "POST", f"/issues/comments/{comment['id']}/reactions", {"content": "eyes"})
        await w.do("rita", "POST", "/issues/2/reactions", {"content": "+1"})
    await w.do("wendy", "POST", "/labels", {"name": "sre", "color": "b60205", "description": "d"})
    await w.do("wendy", "POST", "/issues/2/labels", {"labels": ["sre"]})
    await w.do("wendy", "PUT", "/issues/2/labels", {"labels": ["sre", "x"]})
    await w.do("wendy", "PATCH", "/issues/2", {"state": "closed"})
    await w.do("wendy", "POST", "/dispatches", {"event_type": "look"})
    await w.do("wendy", "PATCH", f"/pulls/{number}", {"title": "better"})
    await w.do("wendy", "PATCH", f"/issues/comments/{comment['id']}", {"body": "c2"})
    blob = await w.do("wendy", "POST", "/git/blobs", {"content": "x"})
    await w.branch("two", {"b.txt": "1"})
    put = await w.do("wendy", "PUT", "/contents/c.txt", {"message": "m", "content": encoded("c"), "branch": "two"})
    put = await w.do(
        "wendy", "PUT", "/contents/c.txt", {"message": "m", "content": encoded("d"), "branch": "two", "sha": put["content"]["sha"]}
    )
    await w.do("wendy", "DELETE", "/contents/c.txt", {"message": "m", "branch": "two", "sha": put["content"]["sha"]})
    await w.do("wendy", "PATCH", "/git/refs/heads/two", {"sha": w.first, "force": True})
    await w.github.settled()
    deliveries = await w.do("alice", "GET", f"/hooks/{hook['id']}/deliveries")
    reads = [
        "",
        *(
            f"/{name}"
            for name in ("branches", "branches/main", "branches/main/protection", "commits", "contents/app", "contents/app/quote.py")
        ),
        *(f"/{name}" for name in ("collaborators/rita/permission", "compare/main...one", "git/ref/heads/main", "git/matching-refs/heads/")),
        *(f"/commits/{name}" for name in (head, "one/check-runs", "one/check-suites", "one/status")),
        *(f"/git/{name}" for name in (f"blobs/{blob['sha']}", f"commits/{head}", "trees/main?recursive=1")),
        *(f"/hooks{name}" for name in ("", f"/{hook['id']}", f"/{hook['id']}/deliveries/{deliveries[0]['id']}")),
        *(f"/issues{name}" for name in ("?state=all", "/2", f"/{number}", "/2/comments", "/2/labels", "/2/reactions")),
        *(f"/issues/comments/{comment['id']}{name}" for name in ("", "/reactions")),
        *(f"/pulls{name}" for name in ("", f"/{number}", f"/{number}/commits", f"/{number}/files", f"/{number}/reviews")),
        *("/labels", f"/check-runs/{made['id']}", "/api/v3/user"),
    ]
    for path in reads:
        await w.do("alice", "GET", path)
    await w.do("alice", "PATCH", f"/hooks/{hook['id']}", {"active": False})
    await w.do("alice", "POST", f"/hooks/{hook['id']}/pings")
    await w.do("alice", "DELETE", f"/hooks/{hook['id']}")
    await w.do("alice", "PUT", f"/pulls/{number}/merge", {"sha": head})
    await w.do("alice", "GET", f"/pulls/{number}")
    await w.do("alice", "GET", f"/pulls/{number}/merge")
    behind = await w.pull("three", {"d.txt": "1"})
    await w.do("alice", "GET", "/compare/one...three")
    older = await w.commit({"e.txt": "1"}, parent=w.first)
    await w.do("alice", "PATCH", "/git/refs/heads/three", {"sha": older, "force": True})
    await w.do("alice", "PUT", f"/pulls/{behind['number']}/update-branch", {})
    await w.do("alice", "DELETE", f"/issues/{behind['number']}/labels")
    await w.do("alice", "DELETE", f"/issues/comments/{comment['id']}")
    await w.do("alice", "DELETE", "/git/refs/heads/two")


def test_every_answer_has_the_shape_that_github_describes(tmp_path: Path) -> None:
    description = Description()
    asked: set[str] = set()
    faults: list[str] = []

    async def look(response: httpx.Response) -> None:
        await response.aread()
        name = description.operation(response.request.method, response.request.url.path)
        if name is not None and response.is_success:
            asked.add(name)
            faults.extend(description.faults(name, response.status_code, response.json() if response.content else None))

    async def story() -> None:
        async with world(tmp_path) as w:
            w.client.event_hooks["response"] = [look]
            await ask_everything(w)

    asyncio.run(story())
    assert sorted(set(faults)) == []
    assert sorted(set(description.operations) - asked - LEFT_OUT) == [], "operations that GitHub describes and nobody asked"


def test_description_notices_a_missing_field() -> None:
    description = Description()
    assert description.faults("get /repos/{owner}/{repo}/git/ref/{ref}", 200, {"ref": "refs/heads/main"}) != []


def test_whole_change_is_made_with_the_real_client(tmp_path: Path) -> None:
    """What the bot's Forge does, with the client that it uses: issue, branch, commit, pull request, refused merge, check, merge."""

    async def story() -> None:
        async with world(tmp_path) as w:
            w.github.protect("main", required_checks=["guardrail"])
            auth = TokenAuthStrategy(w.tokens["alice"])
            async with GitHub(auth, base_url=f"{w.github.api_url}/", auto_retry=False, trust_env=False) as client:

                async def do(method: str, path: str, body: Any = None) -> Any:
                    answer = await client.arequest(method, f"/repos/alice/shop{path}", json=body)
                    return answer.json() if answer.content else None

                issue = await do("POST", "/issues", {"title": "quotes are slow", "body": "p99", "labels": ["sre"]})
                tip = (await do("GET", "/git/ref/heads/main"))["object"]["sha"]
                base = (await do("GET", f"/git/commits/{tip}"))["tree"]["sha"]
                entry = {"path": "app/timeout.yaml", "mode": "100644", "type": "blob", "content": "timeout_s: 2\n"}
                tree = await do("POST", "/git/trees", {"base_tree": base, "tree": [entry]})
                commit = await do("POST", "/git/commits", {"message": "time out", "tree": tree["sha"], "parents": [tip]})
                await do("POST", "/git/refs", {"ref": "refs/heads/sre/fix", "sha": commit["sha"]})
                pull = await do("POST", "/pulls", {"title": "Heal", "body": f"Refs #{issue['number']}", "head": "sre/fix", "base": "main"})
                with pytest.raises(RequestFailed) as refused:
                    await do("PUT", f"/pulls/{pull['number']}/merge", {"sha": commit["sha"]})
                assert refused.value.response.status_code == 405
                w.github.report_check_run(None, CheckRunUpdate("guardrail", commit["sha"], "completed", "success"))
                merged = await do("PUT", f"/pulls/{pull['number']}/merge", {"sha": commit["sha"]})
                assert w.github.read_file(merged["sha"], "app/timeout.yaml") == b"timeout_s: 2\n"
                first, again = await do("GET", f"/pulls/{pull['number']}"), await do("GET", f"/pulls/{pull['number']}")
                assert first == again and first["merged"] is True, "the second read is a 304 from the client's cache"
                assert (await do("GET", f"/issues/{issue['number']}"))["state"] == "open"

    asyncio.run(story())
