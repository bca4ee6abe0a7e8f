"""The state of one repository in memory, and what GitHub does by itself when it changes: pulls follow their branch, events start runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.errors import Conflict, Missing, Refused
from bot.forge import Comment, Issue, Pull, Reaction, WorkflowRun
from bot.local.memory.git import Git


@dataclass(frozen=True)
class User:
    login: str
    permission: str  # admin | write | read

    @property
    def is_bot(self) -> bool:
        return self.login.endswith("[bot]")


class Workers(Protocol):
    """Who runs workflows. Called after the change; may add runs by `hub.add_run`."""

    def dispatched(self, hub: Hub, run: WorkflowRun, inputs: Mapping[str, str]) -> None: ...
    def rerun(self, hub: Hub, run: WorkflowRun) -> None: ...
    def pull_changed(self, hub: Hub, pull: Pull, action: str) -> None:
        """`action`: opened synchronize reopened closed labeled unlabeled."""
        ...

    def issue_closed(self, hub: Hub, issue: Issue) -> None: ...


class Idle:
    """Runs nothing: what is dispatched stays queued."""

    def dispatched(self, hub: Hub, run: WorkflowRun, inputs: Mapping[str, str]) -> None:
        return

    def rerun(self, hub: Hub, run: WorkflowRun) -> None:
        return

    def pull_changed(self, hub: Hub, pull: Pull, action: str) -> None:
        return

    def issue_closed(self, hub: Hub, issue: Issue) -> None:
        return


@dataclass(frozen=True)
class Tables:
    """What lists are made of, at one moment. Rows are frozen, so a copy of the dictionaries is a snapshot."""

    issues: dict[int, Issue]
    comments: dict[int, Comment]
    pulls: dict[int, Pull]
    runs: dict[int, WorkflowRun]

    def copy(self) -> Tables:
        return Tables(dict(self.issues), dict(self.comments), dict(self.pulls), dict(self.runs))


@dataclass
class Hub:
    """Every change goes through a method here; `before_change` is called first, so that a simulator can keep what lists showed."""

    repository: str
    clock: Callable[[], float]
    workers: Workers
    default_branch: str = "main"
    required_checks: tuple[str, ...] = ()  # workflow files whose newest run on the head must be green before a merge
    users: dict[str, User] = field(default_factory=dict)
    git: Git = field(default_factory=Git)
    tables: Tables = field(default_factory=lambda: Tables({}, {}, {}, {}))
    reactions: dict[int, list[Reaction]] = field(default_factory=dict)  # by comment
    before_change: Callable[[], None] | None = None
    _last_number: int = 0
    _last_id: int = 1000

    # --- who and when

    def permission(self, login: str) -> str:
        user = self.users.get(login)
        return user.permission if user else "none"

    def require(self, login: str, level: str) -> None:
        """Raises Refused as GitHub's 403."""
        ranks = ("none", "read", "write", "admin")
        if ranks.index(self.permission(login)) < ranks.index(level):
            raise Refused(f"403: {login} must have {level} permission on {self.repository}")

    def now_s(self) -> float:
        """Whole seconds, as GitHub's stamps."""
        return float(int(self.clock()))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _changing(self) -> None:
        if self.before_change is not None:
            self.before_change()

    # --- issues and comments

    def issue(self, number: int) -> Issue:
        found = self.tables.issues.get(number)
        if found is None:
            raise Missing(f"404: no issue or pull request #{number}")
        return found

    def open_issue(self, login: str, title: str, body: str, labels: Iterable[str], *, is_pull: bool = False) -> Issue:
        self._changing()
        names = tuple(dict.fromkeys(labels)) if self.permission(login) in ("write", "admin") else ()
        now_s = self.now_s()
        issue = Issue(self._next_number(), title, body, login, "open", names, now_s, is_pull=is_pull, updated_s=now_s)
        self.tables.issues[issue.number] = issue
        return issue

    def edit_issue(self, number: int, *, title: str | None = None, body: str | None = None) -> None:
        self._changing()
        issue = self.issue(number)
        self._put(replace(issue, title=issue.title if title is None else title, body=issue.body if body is None else body))

    def set_issue_state(self, number: int, state: str) -> None:
        issue = self.issue(number)
        if state not in ("open", "closed"):
            raise Refused(f"422: {state!r} is not a state")
        if issue.state == state:
            return
        self._changing()
        if state == "closed":
            self._put(replace(issue, state="closed", closed_s=self.now_s()))
            if not issue.is_pull:
                self.workers.issue_closed(self, self.issue(number))
        else:
            self._put(replace(issue, state="open", closed_s=None, reopened=not issue.is_pull))

    def set_labels(self, number: int, labels: Iterable[str]) -> None:
        issue, wanted = self.issue(number), tuple(dict.fromkeys(labels))
        if wanted == issue.labels:
            return
        self._changing()
        self._put(replace(issue, labels=wanted))
        if issue.is_pull:
            self.workers.pull_changed(self, self.pull(number), "labeled" if set(wanted) - set(issue.labels) else "unlabeled")

    def _put(self, issue: Issue) -> None:
        """A pull request's conversation and its git half say the same."""
        now_s = self.now_s()
        self.tables.issues[issue.number] = replace(issue, updated_s=now_s)
        pull = self.tables.pulls.get(issue.number)
        if pull is not None:
            self.tables.pulls[issue.number] = replace(pull, title=issue.title, body=issue.body, labels=issue.labels, updated_s=now_s)

    def comment(self, comment_id: int) -> Comment:
        found = self.tables.comments.get(comment_id)
        if found is None:
            raise Missing(f"404: no comment {comment_id}")
        return found

    def add_comment(self, login: str, number: int, body: str) -> Comment:
        issue = self.issue(number)
        if not body.strip():
            raise Refused("422: body is missing")
        self._changing()
        user, now_s = self.users.get(login), self.now_s()
        comment = Comment(self._next_id(), number, login, bool(user and user.is_bot), body, now_s, now_s)
        self.tables.comments[comment.id] = comment
        self._put(issue)
        return comment

    def edit_comment(self, login: str, comment_id: int, body: str) -> None:
        comment = self._own(login, comment_id)
        self._changing()
        self.tables.comments[comment_id] = replace(comment, body=body, updated_s=self.now_s())

    def delete_comment(self, login: str, comment_id: int) -> None:
        self._own(login, comment_id)
        self._changing()
        del self.tables.comments[comment_id]

    def _own(self, login: str, comment_id: int) -> Comment:
        comment = self.comment(comment_id)
        if comment.author != login:
            self.require(login, "write")
        return comment

    # --- branches and pull requests

    def push(self, branch: str, changes: Mapping[str, str | None] | Mapping[str, str], message: str, login: str) -> str:
        """A commit on top of a branch (a new one begins at the default branch), pushed. Its sha."""
        self._changing()
        parent = self.git.resolve(branch) or self.git.resolve(self.default_branch)
        tree = self.git.changed(parent.tree if parent else {}, dict(changes))
        made = self.git.write([parent.sha] if parent else [], tree, message, author=login, login=login, at_s=self.clock())
        self.move_branch(branch, made.sha)
        return made.sha

    def move_branch(self, branch: str, sha: str) -> None:
        self.git.branches[branch] = sha
        for pull in [p for p in self.tables.pulls.values() if p.state == "open" and p.branch == branch]:
            self.tables.pulls[pull.number] = replace(pull, head_sha=sha)
            self.workers.pull_changed(self, self.pull(pull.number), "synchronize")

    def pull(self, number: int) -> Pull:
        found = self.tables.pulls.get(number)
        if found is None:
            raise Missing(f"404: no pull request #{number}")
        return found

    def open_pull(self, login: str, *, branch: str, base: str, title: str, body: str) -> Pull:
        """Raises Conflict when there is an open one, Refused for an unknown branch or nothing to merge."""
        head, onto = self.git.branches.get(branch), self.git.branches.get(base)
        if head is None or onto is None:
            raise Refused(f"422: there is no branch {branch if head is None else base}")
        if any(p.state == "open" and (p.branch, p.base_branch) == (branch, base) for p in self.tables.pulls.values()):
            raise Conflict(f"422: A pull request already exists for {branch}")
        if head in self.git.ancestors(onto):
            raise Refused(f"422: No commits between {base} and {branch}")
        issue = self.open_issue(login, title, body, (), is_pull=True)
        pull = Pull(issue.number, title, body, login, branch, head, base, "open", "", "", (), issue.created_s, updated_s=issue.updated_s)
        self.tables.pulls[pull.number] = pull
        self.workers.pull_changed(self, pull, "opened")
        return pull

    def set_pull_state(self, number: int, state: str) -> None:
        pull = self.pull(number)
        if pull.state == state:
            return
        if pull.state == "merged":
            raise Refused("422: state cannot be changed. It is merged.")
        if state == "closed":
            self.set_issue_state(number, "closed")
            self.tables.pulls[number] = replace(self.pull(number), state="closed", closed_s=self.now_s())
            self.workers.pull_changed(self, self.pull(number), "closed")
            return
        head = self.git.branches.get(pull.branch)
        if head is None or any(p.state == "open" and p.branch == pull.branch for p in self.tables.pulls.values()):
            raise Refused("422: state cannot be changed: its branch is gone, or another pull request is open for it")
        self.set_issue_state(number, "open")
        self.tables.pulls[number] = replace(self.pull(number), state="open", closed_s=None, head_sha=head)
        self.workers.pull_changed(self, self.pull(number), "reopened")

    def mergeable(self, pull: Pull) -> bool:
        return self.git.merged(self.git.branches[pull.base_branch], pull.head_sha) is not None

    def merge(self, login: str, number: int, *, sha: str, title: str, message: str) -> str:
        """Squash-merges. Raises Conflict: the head moved (409), not open, a conflict, a required check that isn't green (405)."""
        self.require(login, "write")
        pull = self.pull(number)
        if pull.state != "open":
            raise Conflict(f"405: #{number} is {pull.state}")
        if sha != pull.head_sha:
            raise Conflict(f"409: the head of #{number} was modified")
        for workflow in self.required_checks:
            newest = max(self.runs_of(self.tables, workflow, pull.head_sha), key=lambda r: r.id, default=None)
            if newest is None or newest.conclusion != "success":
                raise Conflict(f"405: required check {workflow} is {newest.conclusion or newest.status if newest else 'expected'}")
        onto = self.git.branches[pull.base_branch]
        tree = self.git.merged(onto, pull.head_sha)
        if tree is None:
            raise Conflict(f"405: #{number} is not mergeable")
        self._changing()
        author = self.users.get(pull.author)
        text = f"{title}\n\n{message}" if message else title
        made = self.git.write([onto], tree, text, author=pull.author, login=author.login if author else "", at_s=self.clock())
        self.git.branches[pull.base_branch] = made.sha
        now_s = self.now_s()
        self.tables.issues[number] = replace(self.issue(number), state="closed", closed_s=now_s, updated_s=now_s)
        self.tables.pulls[number] = replace(pull, state="merged", merge_sha=made.sha, merged_by=login, closed_s=now_s, updated_s=now_s)
        self.workers.pull_changed(self, self.pull(number), "closed")
        self.move_branch(pull.base_branch, made.sha)
        return made.sha

    # --- workflow runs

    @staticmethod
    def runs_of(tables: Tables, workflow: str, head_sha: str | None = None) -> list[WorkflowRun]:
        path = f".github/workflows/{workflow}"
        return [r for r in tables.runs.values() if r.path == path and head_sha in (None, r.head_sha)]

    def add_run(self, workflow: str, title: str, event: str, head_sha: str) -> WorkflowRun:
        self._changing()
        run = WorkflowRun(self._next_id(), f".github/workflows/{workflow}", title, event, head_sha, "queued", "", 1, self.now_s())
        self.tables.runs[run.id] = run
        return run

    def set_run(self, run_id: int, status: str, conclusion: str = "") -> WorkflowRun:
        self._changing()
        self.tables.runs[run_id] = replace(self.tables.runs[run_id], status=status, conclusion=conclusion)
        return self.tables.runs[run_id]

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str], title: str) -> WorkflowRun:
        commit = self.git.resolve(ref)
        if commit is None:
            raise Refused(f"422: No ref found for: {ref}")
        run = self.add_run(workflow, title, "workflow_dispatch", commit.sha)
        self.workers.dispatched(self, run, inputs)
        return run

    def rerun(self, run_id: int) -> None:
        """The id stays, the attempt rises. Raises Refused while it runs."""
        run = self.tables.runs.get(run_id)
        if run is None:
            raise Missing(f"404: no run {run_id}")
        if run.status != "completed":
            raise Refused(f"403: run {run_id} is {run.status}: it can be run again when it is completed")
        self._changing()
        self.tables.runs[run_id] = replace(run, status="queued", conclusion="", attempt=run.attempt + 1)
        self.workers.rerun(self, self.tables.runs[run_id])
