"""A small repository in memory that speaks the reading half of the Forge port; `Board` adds the right to write issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1

from bot.errors import Missing, Refused
from bot.forge import Account, ChangedFile, CheckRun, Comment, Commit, Comparison, Issue, Pull, Reaction, WorkflowRun

BOT = "sre-space[bot]"
BINARY = "\0binary"


@dataclass
class Repository:
    """Only what ForgeReader allows: whoever holds it can't write, so a stray write is an AttributeError."""

    login: str = BOT
    main: str = ""
    trees: dict[str, dict[str, str]] = field(default_factory=dict)
    made: dict[str, Commit] = field(default_factory=dict)
    branch_heads: dict[str, str] = field(default_factory=dict)
    all_issues: dict[int, Issue] = field(default_factory=dict)
    all_pulls: dict[int, Pull] = field(default_factory=dict)
    all_comments: list[Comment] = field(default_factory=list)

    @property
    def repository(self) -> str:
        return "acme/shop"

    # --- the world, for tests

    def add_commit(self, parents: Sequence[str], changes: Mapping[str, str | None], message: str = "change") -> str:
        tree = dict(self.trees[parents[0]]) if parents else {}
        for path, text in changes.items():
            if text is None:
                tree.pop(path)
            else:
                tree[path] = text
        sha = sha1(repr((tuple(parents), sorted(tree.items()), message)).encode()).hexdigest()
        self.trees[sha] = tree
        self.made[sha] = Commit(sha, message, "", "", 0.0, tuple(parents), self._diff(parents[0] if parents else "", sha))
        return sha

    def push_main(self, changes: Mapping[str, str | None], message: str = "change") -> str:
        self.main = self.add_commit([self.main] if self.main else [], changes, message)
        return self.main

    def say(self, number: int, body: str, author: str = BOT, at_s: float = 0.0) -> int:
        comment_id = len(self.all_comments) + 1
        self.all_comments.append(Comment(comment_id, number, author, author == BOT, body, at_s, at_s))
        return comment_id

    def _diff(self, base: str, head: str) -> tuple[ChangedFile, ...]:
        old, new = self.trees.get(base, {}), self.trees[head]
        files = []
        for path in sorted({*old, *new}):
            if old.get(path) == new.get(path):
                continue
            status = "added" if path not in old else "removed" if path not in new else "modified"
            before, after = old.get(path, "").splitlines(), new.get(path, "").splitlines()
            counts = (sum(line not in before for line in after), sum(line not in after for line in before))
            files.append(ChangedFile(path, status, *counts))  # type: ignore[arg-type]
        return tuple(files)

    def _ancestors(self, sha: str) -> list[str]:
        found, todo = [], [sha]
        while todo:
            current = todo.pop(0)
            if current not in found:
                found.append(current)
                todo += self.made[current].parents
        return found

    # --- the port

    async def me(self) -> Account:
        return Account(self.login, True)

    async def default_branch(self) -> str:
        return "main"

    async def permission(self, login: str) -> str:
        return "write"

    async def issue(self, number: int) -> Issue:
        if number not in self.all_issues:
            raise Missing(f"no issue #{number}")
        return self.all_issues[number]

    async def issues(self, *, label: str, state: str = "open", since_s: float | None = None) -> Sequence[Issue]:
        return [i for i in self.all_issues.values() if label in i.labels and state in ("all", i.state)]

    async def comments(self, number: int) -> Sequence[Comment]:
        return [c for c in self.all_comments if c.issue == number]

    async def reactions(self, comment_id: int) -> Sequence[Reaction]:
        return []

    async def pull(self, number: int) -> Pull:
        if number not in self.all_pulls:
            raise Missing(f"no pull request #{number}")
        return self.all_pulls[number]

    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        return [p for p in self.all_pulls.values() if p.branch == branch]

    async def recent_pulls(self) -> Sequence[Pull]:
        return sorted(self.all_pulls.values(), key=lambda p: -p.number)[:100]

    async def pull_files(self, number: int) -> Sequence[ChangedFile]:
        head = self.all_pulls[number].head_sha
        on_main = self._ancestors(self.main)
        base = next(sha for sha in self._ancestors(head) if sha in on_main)
        return self._diff(base, head)

    async def branch_sha(self, branch: str) -> str | None:
        return self.main if branch == "main" else self.branch_heads.get(branch)

    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        return [(name, sha) for name, sha in self.branch_heads.items() if name.startswith(prefix)]

    async def commit(self, ref: str) -> Commit:
        if ref not in self.made:
            raise Missing(f"no commit {ref}")
        return self.made[ref]

    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        return [self.made[sha] for sha in self._ancestors(self.main)][:limit]

    async def compare(self, base: str, head: str) -> Comparison:
        base = self.main if base == "main" else base
        behind = self._ancestors(base)
        ahead = [self.made[sha] for sha in self._ancestors(head) if sha not in behind]
        return Comparison("ahead" if ahead else "identical", tuple(reversed(ahead)))

    async def read_file(self, path: str, ref: str) -> str | None:
        text = self.trees[ref].get(path)
        if text == BINARY:
            raise Refused(f"{path} is binary")
        return text

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]:
        return []

    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        return []

    async def check_runs(self, sha: str) -> Sequence[CheckRun]:
        return []


@dataclass
class Board(Repository):
    """Adds the right to write issues, and counts the writes."""

    writes: int = 0

    async def create_issue(self, title: str, body: str, labels: Sequence[str]) -> Issue:
        self.writes += 1
        number = max([*self.all_issues, *self.all_pulls], default=0) + 1
        self.all_issues[number] = Issue(number, title, body, self.login, "open", tuple(labels), 0.0)
        return self.all_issues[number]

    async def update_issue(
        self, number: int, *, title: str | None = None, body: str | None = None, state: str | None = None, reason: str | None = None
    ) -> None:
        self.writes += 1
        issue = self.all_issues[number]
        issue = replace(issue, title=title or issue.title, body=issue.body if body is None else body)
        self.all_issues[number] = replace(issue, state="closed" if state == "closed" else "open" if state == "open" else issue.state)

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        raise AssertionError("not needed")

    async def remove_label(self, number: int, label: str) -> None:
        raise AssertionError("not needed")

    async def create_comment(self, number: int, body: str) -> Comment:
        raise AssertionError("not needed")

    async def update_comment(self, comment_id: int, body: str) -> None:
        raise AssertionError("not needed")

    async def delete_comment(self, comment_id: int) -> None:
        raise AssertionError("not needed")

    async def react(self, comment_id: int, content: str) -> None:
        raise AssertionError("not needed")
