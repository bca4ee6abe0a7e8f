"""The Forge port: one method, one or two REST calls."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bot.adapters.github import nouns
from bot.adapters.github.transport import PAGE, Transport
from bot.adapters.github.trees import file_modes
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
        return Account(nouns.at(data, "login"), data.get("type") == "Bot")

    async def default_branch(self) -> str:
        if not self._default_branch:
            self._default_branch = nouns.at(await self._http.get(self._root), "default_branch")
        return self._default_branch

    async def permission(self, login: str) -> str:
        try:
            data = await self._http.get(f"{self._root}/collaborators/{_name(login)}/permission")
        except Missing:
            return "none"
        permission = nouns.at(data, "permission")
        return PERMISSIONS.get(data.get("role_name") or permission, PERMISSIONS.get(permission, "none"))

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
        return [nouns.reaction(data) for data in found]

    async def pull(self, number: int) -> Pull:
        return nouns.pull(await self._http.get(f"{self._root}/pulls/{number}"))

    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        owner = self._repository.partition("/")[0]
        params = {"head": f"{owner}:{branch}", "state": "all", "sort": "created", "direction": "asc"}
        return [nouns.pull(data) for data in await self._http.pages(f"{self._root}/pulls", params)]

    async def recent_pulls(self) -> Sequence[Pull]:
        params: dict[str, str | int] = {"state": "all", "sort": "created", "direction": "desc", "per_page": PAGE}
        return [nouns.pull(data) for data in nouns.items(await self._http.get(f"{self._root}/pulls", params))]

    async def pull_files(self, number: int) -> Sequence[ChangedFile]:
        return [nouns.changed_file(data) for data in await self._http.pages(f"{self._root}/pulls/{number}/files")]

    async def branch_sha(self, branch: str) -> str | None:
        try:
            data = await self._http.get(f"{self._root}/git/ref/heads/{_path(branch)}")
        except Missing:
            return None
        return str(nouns.at(data, "object", "sha"))

    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        found = await self._http.pages(f"{self._root}/git/matching-refs/heads/{_path(prefix)}")
        return [(nouns.at(data, "ref").removeprefix("refs/heads/"), nouns.at(data, "object", "sha")) for data in found]

    async def commit(self, ref: str) -> Commit:
        first, files = await self._http.first_and_pages(f"{self._root}/commits/{_name(ref)}", inside="files")
        return nouns.commit({**first, "files": files})

    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        found: list[Commit] = []
        size = min(limit, PAGE)
        params: dict[str, str | int] = {"sha": branch, "per_page": size, **({"path": path} if path else {})}
        for page in range(1, -(-limit // PAGE) + 1):
            items = nouns.items(await self._http.get(f"{self._root}/commits", {**params, "page": page}))
            found += [nouns.commit(data) for data in items]
            if len(items) < size:
                break
        return found[:limit]

    async def compare(self, base: str, head: str) -> Comparison:
        path = f"{self._root}/compare/{_name(base)}...{_name(head)}"
        first, commits = await self._http.first_and_pages(path, inside="commits")
        return Comparison(nouns.at(first, "status"), tuple(nouns.commit(data) for data in commits))

    async def read_file(self, path: str, ref: str) -> str | None:
        try:
            data = await self._http.get(f"{self._root}/contents/{_path(path)}", {"ref": ref})
        except Missing:
            return None
        if not isinstance(data, dict) or data.get("type") != "file":
            raise Refused(f"{path} is not a file at {ref[:12]}: name a file")
        if nouns.at(data, "size") > FILE_LIMIT_BYTES or data.get("encoding") != "base64":
            raise Refused(f"{path} is larger than {FILE_LIMIT_BYTES} bytes: it can't be changed by a remedy")
        try:
            return base64.b64decode(nouns.at(data, "content")).decode("utf-8")
        except ValueError as problem:
            raise Refused(f"{path} is not UTF-8 text: it can't be changed by a remedy") from problem

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]:
        return [nouns.pull(data) for data in await self._http.pages(f"{self._root}/commits/{_name(sha)}/pulls")]

    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        params: dict[str, str | int] = {"per_page": PAGE}
        if head_sha:
            params["head_sha"] = head_sha
        if event:
            params["event"] = event
        try:
            data = await self._http.get(f"{self._root}/actions/workflows/{_name(workflow)}/runs", params)
        except Missing:
            return []  # the workflow file is not on the default branch (yet): it has no runs
        return [nouns.run(item) for item in nouns.items(nouns.at(data, "workflow_runs"))]

    async def check_runs(self, sha: str) -> Sequence[CheckRun]:
        found = await self._http.pages(f"{self._root}/commits/{_name(sha)}/check-runs", {"filter": "latest"}, inside="check_runs")
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
            await self._http.write("DELETE", f"{self._root}/issues/{number}/labels/{_name(label)}")
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
        base_tree = str(nouns.at(await self._http.get(f"{self._root}/git/commits/{_name(parent)}"), "tree", "sha"))
        modes = await file_modes(self._http, self._root, base_tree, changes)
        entries: list[dict[str, Any]] = []
        for path, text in sorted(changes.items()):
            mode = modes.get(path, "100644")
            if mode not in ("100644", "100755"):
                raise Refused(f"{path} is not a plain file: it can't be changed by a remedy")
            entry: dict[str, Any] = {"path": path, "mode": mode, "type": "blob", "sha": None}
            if text is not None:
                content = {"content": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
                entry["sha"] = await self._made("git/blobs", content)
            entries.append(entry)
        tree = await self._made("git/trees", {"base_tree": base_tree, "tree": entries})
        person = {"name": author_name, "email": author_email, "date": nouns.stamp(at_s)}
        fields = {"message": message, "tree": tree, "parents": [parent], "author": person, "committer": person}
        return await self._made("git/commits", fields)

    async def _made(self, kind: str, fields: Mapping[str, Any]) -> str:
        return str(nouns.at(await self._http.write("POST", f"{self._root}/{kind}", fields), "sha"))

    async def create_branch(self, branch: str, sha: str) -> None:
        await self._http.write("POST", f"{self._root}/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})

    async def create_pull(self, *, branch: str, base: str, title: str, body: str) -> Pull:
        fields = {"head": branch, "base": base, "title": title, "body": body, "maintainer_can_modify": True}
        return nouns.pull(await self._http.write("POST", f"{self._root}/pulls", fields))

    async def update_pull(self, number: int, *, body: str | None = None, state: str | None = None) -> None:
        await self._http.write("PATCH", f"{self._root}/pulls/{number}", _given({"body": body, "state": state}))

    async def merge(self, number: int, *, sha: str, title: str, message: str) -> str:
        fields = {"sha": sha, "merge_method": "squash", "commit_title": title, "commit_message": message}
        return str(nouns.at(await self._http.write("PUT", f"{self._root}/pulls/{number}/merge", fields), "sha"))

    # --- starting workflows ---

    async def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> int:
        fields = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        data = await self._http.write("POST", f"{self._root}/actions/workflows/{_name(workflow)}/dispatches", fields)
        return int(data.get("workflow_run_id") or 0) if isinstance(data, dict) else 0

    async def rerun(self, run_id: int) -> None:
        await self._http.write("POST", f"{self._root}/actions/runs/{run_id}/rerun")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _name(text: str) -> str:
    """One part of an address, whatever it holds."""
    return quote(text, safe="", errors="surrogatepass")


def _path(text: str) -> str:
    """Parts of an address with the slashes between them."""
    return quote(text, errors="surrogatepass")
