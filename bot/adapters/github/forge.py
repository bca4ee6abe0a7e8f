"""The Forge port: one method, one or two REST calls."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bot.adapters.github import nouns
from bot.adapters.github.transport import Transport
from bot.errors import Missing, Refused
from bot.forge import Account, ChangedFile, CheckRun, Comment, Commit, Comparison, Issue, Pull, Reaction, WorkflowRun

FILE_LIMIT_BYTES = 1 << 20
PERMISSIONS = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}


class GitHubForge:
    """Satisfies `bot.ports.Forge`. `bot_login`: needed where the token is a job's, which may not ask who it is."""

    def __init__(self, transport: Transport, repository: str, *, bot_login: str = "") -> None:
        self._http = transport
        self._repository = repository
        self._root = f"repos/{repository}"
        self._bot_login = bot_login
        self._default_branch = ""

    @property
    def repository(self) -> str:
        return self._repository

    # --- reading ---

    async def me(self) -> Account:
        if self._bot_login:
            return Account(self._bot_login, self._bot_login.endswith("[bot]"))
        data = await self._http.get("user")
        return Account(data["login"], data.get("type") == "Bot")

    async def default_branch(self) -> str:
        if not self._default_branch:
            self._default_branch = (await self._http.get(self._root))["default_branch"]
        return self._default_branch

    async def permission(self, login: str) -> str:
        try:
            data = await self._http.get(f"{self._root}/collaborators/{quote(login, safe='')}/permission")
        except Missing:
            return "none"
        return PERMISSIONS.get(data.get("role_name") or data["permission"], PERMISSIONS.get(data["permission"], "none"))

    async def issue(self, number: int) -> Issue:
        return nouns.issue(await self._http.get(f"{self._root}/issues/{number}"))

    async def issues(self, *, label: str, state: str = "open", since_s: float | None = None) -> Sequence[Issue]:
        params: dict[str, str | int] = {"labels": label, "state": state, "sort": "created", "direction": "asc"}
        if since_s is not None:
            params["since"] = nouns.stamp(since_s)
        found = [nouns.issue(data) for data in await self._http.pages(f"{self._root}/issues", params)]
        return [issue for issue in found if not issue.is_pull]

    async def comments(self, number: int) -> Sequence[Comment]:
        return [nouns.comment(data, number) for data in await self._http.pages(f"{self._root}/issues/{number}/comments")]

    async def reactions(self, comment_id: int) -> Sequence[Reaction]:
        found = await self._http.pages(f"{self._root}/issues/comments/{comment_id}/reactions")
        return [Reaction(data["content"], nouns.login(data.get("user"))) for data in found]

    async def pull(self, number: int) -> Pull:
        return nouns.pull(await self._http.get(f"{self._root}/pulls/{number}"))

    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        owner = self._repository.partition("/")[0]
        params = {"head": f"{owner}:{branch}", "state": "all", "sort": "created", "direction": "asc"}
        return [nouns.pull(data) for data in await self._http.pages(f"{self._root}/pulls", params)]

    async def recent_pulls(self) -> Sequence[Pull]:
        params: dict[str, str | int] = {"state": "all", "sort": "created", "direction": "desc", "per_page": 100}
        return [nouns.pull(data) for data in await self._http.get(f"{self._root}/pulls", params)]

    async def pull_files(self, number: int) -> Sequence[ChangedFile]:
        return [nouns.changed_file(data) for data in await self._http.pages(f"{self._root}/pulls/{number}/files")]

    async def branch_sha(self, branch: str) -> str | None:
        try:
            data = await self._http.get(f"{self._root}/git/ref/heads/{quote(branch)}")
        except Missing:
            return None
        return str(data["object"]["sha"])

    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        found = await self._http.pages(f"{self._root}/git/matching-refs/heads/{quote(prefix)}")
        return [(data["ref"].removeprefix("refs/heads/"), data["object"]["sha"]) for data in found]

    async def commit(self, ref: str) -> Commit:
        return nouns.commit(await self._http.get(f"{self._root}/commits/{quote(ref, safe='')}"))

    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        params: dict[str, str | int] = {"sha": branch, "per_page": min(limit, 100)}
        if path:
            params["path"] = path
        return [nouns.commit(data) for data in await self._http.get(f"{self._root}/commits", params)]

    async def compare(self, base: str, head: str) -> Comparison:
        data = await self._http.get(f"{self._root}/compare/{quote(base, safe='')}...{quote(head, safe='')}")
        return Comparison(data["status"], tuple(nouns.commit(c) for c in data["commits"]))

    async def read_file(self, path: str, ref: str) -> str | None:
        try:
            data = await self._http.get(f"{self._root}/contents/{quote(path)}", {"ref": ref})
        except Missing:
            return None
        if not isinstance(data, dict) or data.get("type") != "file":
            raise Refused(f"{path} is not a file at {ref[:12]}: name a file")
        if data["size"] > FILE_LIMIT_BYTES or data.get("encoding") != "base64":
            raise Refused(f"{path} is larger than {FILE_LIMIT_BYTES} bytes: it can't be changed by a remedy")
        try:
            return base64.b64decode(data["content"]).decode("utf-8")
        except UnicodeDecodeError as problem:
            raise Refused(f"{path} is not UTF-8 text: it can't be changed by a remedy") from problem

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]:
        return [nouns.pull(data) for data in await self._http.pages(f"{self._root}/commits/{sha}/pulls")]

    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        params: dict[str, str | int] = {"per_page": 100}
        if head_sha:
            params["head_sha"] = head_sha
        if event:
            params["event"] = event
        try:
            data = await self._http.get(f"{self._root}/actions/workflows/{quote(workflow)}/runs", params)
        except Missing:
            return []  # the workflow file is not on the default branch (yet): it has no runs
        return [nouns.run(item) for item in data["workflow_runs"]]

    async def check_runs(self, sha: str) -> Sequence[CheckRun]:
        found = await self._http.pages(f"{self._root}/commits/{sha}/check-runs", {"filter": "latest"}, inside="check_runs")
        return [nouns.check_run(data) for data in found]

    # --- writing issues ---

    async def create_issue(self, title: str, body: str, labels: Sequence[str]) -> Issue:
        data = await self._http.write("POST", f"{self._root}/issues", {"title": title, "body": body, "labels": list(labels)})
        return nouns.issue(data)

    async def update_issue(
        self, number: int, *, title: str | None = None, body: str | None = None, state: str | None = None, reason: str | None = None
    ) -> None:
        fields = {"title": title, "body": body, "state": state, "state_reason": reason}
        await self._http.write("PATCH", f"{self._root}/issues/{number}", _given(fields))

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        await self._http.write("POST", f"{self._root}/issues/{number}/labels", {"labels": list(labels)})

    async def remove_label(self, number: int, label: str) -> None:
        try:
            await self._http.write("DELETE", f"{self._root}/issues/{number}/labels/{quote(label, safe='')}")
        except Missing:
            return  # it is off already

    async def create_comment(self, number: int, body: str) -> Comment:
        return nouns.comment(await self._http.write("POST", f"{self._root}/issues/{number}/comments", {"body": body}), number)

    async def update_comment(self, comment_id: int, body: str) -> None:
        await self._http.write("PATCH", f"{self._root}/issues/comments/{comment_id}", {"body": body})

    async def delete_comment(self, comment_id: int) -> None:
        await self._http.write("DELETE", f"{self._root}/issues/comments/{comment_id}")

    async def react(self, comment_id: int, content: str) -> None:
        await self._http.write("POST", f"{self._root}/issues/comments/{comment_id}/reactions", {"content": content})

    # --- writing code ---

    async def create_commit(
        self, *, parent: str, changes: Mapping[str, str | None], message: str, author_name: str, author_email: str, at_s: float
    ) -> str:
        base = await self._http.get(f"{self._root}/git/commits/{parent}")
        tree_now = await self._http.get(f"{self._root}/git/trees/{base['tree']['sha']}", {"recursive": 1})
        modes = {item["path"]: item["mode"] for item in tree_now["tree"] if item["type"] == "blob"}
        entries: list[dict[str, Any]] = []
        for path, text in sorted(changes.items()):
            entry: dict[str, Any] = {"path": path, "mode": modes.get(path, "100644"), "type": "blob", "sha": None}
            if text is not None:
                content = {"content": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
                entry["sha"] = (await self._http.write("POST", f"{self._root}/git/blobs", content))["sha"]
            entries.append(entry)
        tree = await self._http.write("POST", f"{self._root}/git/trees", {"base_tree": base["tree"]["sha"], "tree": entries})
        person = {"name": author_name, "email": author_email, "date": nouns.stamp(at_s)}
        fields = {"message": message, "tree": tree["sha"], "parents": [parent], "author": person, "committer": person}
        return str((await self._http.write("POST", f"{self._root}/git/commits", fields))["sha"])

    async def create_branch(self, branch: str, sha: str) -> None:
        await self._http.write("POST", f"{self._root}/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})

    async def create_pull(self, *, branch: str, base: str, title: str, body: str) -> Pull:
        fields = {"head": branch, "base": base, "title": title, "body": body, "maintainer_can_modify": True}
        return nouns.pull(await self._http.write("POST", f"{self._root}/pulls", fields))

    async def update_pull(self, number: int, *, body: str | None = None, state: str | None = None) -> None:
        await self._http.write("PATCH", f"{self._root}/pulls/{number}", _given({"body": body, "state": state}))

    async def merge(self, number: int, *, sha: str, title: str, message: str) -> str:
        fields = {"sha": sha, "merge_method": "squash", "commit_title": title, "commit_message": message}
        return str((await self._http.write("PUT", f"{self._root}/pulls/{number}/merge", fields))["sha"])

    # --- starting workflows ---

    async def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> int:
        fields = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        data = await self._http.write("POST", f"{self._root}/actions/workflows/{quote(workflow)}/dispatches", fields)
        return int((data or {}).get("workflow_run_id") or 0)

    async def rerun(self, run_id: int) -> None:
        await self._http.write("POST", f"{self._root}/actions/runs/{run_id}/rerun")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
