"""The whole Forge port over a `Hub`, as one account sees it: reading, writing issues, writing code, starting workflows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.errors import Missing, Refused
from bot.forge import Comment, Issue, Pull, Reaction
from bot.local.memory.hub import Tables
from bot.local.memory.reader import MemoryReader

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_RUN_NAME = re.compile(r"^run-name:\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
_INPUT = re.compile(r"\$\{\{\s*inputs\.([A-Za-z_]\w*)[^}]*\}\}")


class MemoryForge(MemoryReader):
    """Satisfies `bot.ports.Forge`."""

    def as_user(self, login: str) -> MemoryForge:
        """The same repository, seen and written by another account."""
        return MemoryForge(self.hub, login, self._lists)

    def with_lists(self, tables: Tables) -> MemoryForge:
        """The same, with lists that show older tables."""
        return MemoryForge(self.hub, self.login, tables)

    # --- issues

    async def create_issue(self, title: str, body: str, labels: Sequence[str]) -> Issue:
        self.hub.require(self.login, "read")
        if not title.strip():
            raise Refused("422: title is missing")
        return self.hub.open_issue(self.login, title, body, labels)

    async def update_issue(
        self, number: int, *, title: str | None = None, body: str | None = None, state: str | None = None, reason: str | None = None
    ) -> None:
        if self.hub.issue(number).author != self.login:
            self.hub.require(self.login, "write")
        if title is not None or body is not None:
            self.hub.edit_issue(number, title=title, body=body)
        if state is not None:
            change = self.hub.set_pull_state if self.hub.issue(number).is_pull else self.hub.set_issue_state
            change(number, state)

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        self.hub.require(self.login, "write")
        self.hub.set_labels(number, (*self.hub.issue(number).labels, *labels))

    async def remove_label(self, number: int, label: str) -> None:
        self.hub.require(self.login, "write")
        issue = self.hub.tables.issues.get(number)
        if issue is not None:
            self.hub.set_labels(number, [name for name in issue.labels if name != label])

    async def create_comment(self, number: int, body: str) -> Comment:
        self.hub.require(self.login, "read")
        return self.hub.add_comment(self.login, number, body)

    async def update_comment(self, comment_id: int, body: str) -> None:
        self.hub.edit_comment(self.login, comment_id, body)

    async def delete_comment(self, comment_id: int) -> None:
        self.hub.delete_comment(self.login, comment_id)

    async def react(self, comment_id: int, content: str) -> None:
        self.hub.comment(comment_id)
        if content not in REACTIONS:
            raise Refused(f"422: {content!r} is not a reaction: {', '.join(REACTIONS)}")
        reaction = Reaction(content, self.login)
        given = self.hub.reactions.setdefault(comment_id, [])
        if reaction not in given:
            given.append(reaction)

    # --- code

    async def create_commit(
        self, *, parent: str, changes: Mapping[str, str | None], message: str, author_name: str, author_email: str, at_s: float
    ) -> str:
        self.hub.require(self.login, "write")
        git = self.hub.git
        before = git.commits.get(parent)
        if before is None:
            raise Missing(f"404: no commit {parent[:60]}")
        tree = git.changed(before.tree, changes)
        return git.write([parent], tree, message, author=author_name, email=author_email, at_s=at_s).sha

    async def create_branch(self, branch: str, sha: str) -> None:
        self.hub.require(self.login, "write")
        self.hub.git.create_branch(branch, sha)

    async def create_pull(self, *, branch: str, base: str, title: str, body: str) -> Pull:
        self.hub.require(self.login, "write")
        return self.hub.open_pull(self.login, branch=branch, base=base, title=title, body=body)

    async def update_pull(self, number: int, *, body: str | None = None, state: str | None = None) -> None:
        if self.hub.pull(number).author != self.login:
            self.hub.require(self.login, "write")
        if body is not None:
            self.hub.edit_issue(number, body=body)
        if state is not None:
            self.hub.set_pull_state(number, state)

    async def merge(self, number: int, *, sha: str, title: str, message: str) -> str:
        return self.hub.merge(self.login, number, sha=sha, title=title, message=message)

    # --- workflows

    async def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> int:
        self.hub.require(self.login, "write")
        commit = self.hub.git.resolve(ref)
        text = commit.tree.get(f".github/workflows/{workflow}") if commit else None
        if commit is not None and text is None:
            raise Missing(f"404: no workflow {workflow} on {ref}")
        return self.hub.dispatch(workflow, ref, inputs, _title(text or "", workflow, inputs)).id

    async def rerun(self, run_id: int) -> None:
        self.hub.require(self.login, "write")
        self.hub.rerun(run_id)


def _title(text: str, workflow: str, inputs: Mapping[str, str]) -> str:
    """The run-name with its inputs filled in; other expressions are left as they stand."""
    match = _RUN_NAME.search(text)
    return _INPUT.sub(lambda found: inputs.get(found[1], ""), match[1]) if match else workflow
