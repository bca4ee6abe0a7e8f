"""The reading half of the Forge port over a `Hub`. Lists may be read from older tables than the present ones, as GitHub's lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bot.errors import Missing, Refused
from bot.forge import Account, ChangedFile, CheckRun, Comment, Commit, Comparison, Issue, Pull, Reaction, WorkflowRun
from bot.local.memory.git import CommitObject, diff
from bot.local.memory.hub import Hub, Tables

FILE_LIMIT_BYTES = 1 << 20
RECENT = 100


class MemoryReader:
    """Satisfies `bot.ports.ForgeReader`. `login` is who looks; `lists` older tables for what GitHub answers from an index."""

    def __init__(self, hub: Hub, login: str, lists: Tables | None = None) -> None:
        self.hub = hub
        self.login = login
        self._lists = lists

    @property
    def lists(self) -> Tables:
        return self._lists if self._lists is not None else self.hub.tables

    @property
    def repository(self) -> str:
        return self.hub.repository

    async def me(self) -> Account:
        return Account(self.login, self.login.endswith("[bot]"))

    async def default_branch(self) -> str:
        return self.hub.default_branch

    async def permission(self, login: str) -> str:
        return self.hub.permission(login)

    async def issue(self, number: int) -> Issue:
        return self.hub.issue(number)

    async def issues(self, *, label: str, state: str = "open", since_s: float | None = None) -> Sequence[Issue]:
        found = [i for i in self.lists.issues.values() if label in i.labels and state in ("all", i.state) and not i.is_pull]
        return sorted((i for i in found if since_s is None or i.updated_s >= since_s), key=lambda i: i.number)

    async def comments(self, number: int) -> Sequence[Comment]:
        self.hub.issue(number)
        return sorted((c for c in self.lists.comments.values() if c.issue == number), key=lambda c: c.id)

    async def reactions(self, comment_id: int) -> Sequence[Reaction]:
        self.hub.comment(comment_id)
        return tuple(self.hub.reactions.get(comment_id, ()))

    async def pull(self, number: int) -> Pull:
        pull = self.hub.pull(number)
        return replace(pull, mergeable=self.hub.mergeable(pull)) if pull.state == "open" else pull

    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        return [_listed(p) for p in sorted(self.lists.pulls.values(), key=lambda p: p.number) if p.branch == branch]

    async def recent_pulls(self) -> Sequence[Pull]:
        return [_listed(p) for p in sorted(self.lists.pulls.values(), key=lambda p: -p.number)[:RECENT]]

    async def pull_files(self, number: int) -> Sequence[ChangedFile]:
        git, pull = self.hub.git, self.hub.pull(number)
        base = git.commits[pull.merge_sha].parents[0] if pull.merge_sha else git.branches[pull.base_branch]
        fork = git.merge_base(base, pull.head_sha)
        return diff(fork.tree if fork else {}, git.commits[pull.head_sha].tree)

    async def branch_sha(self, branch: str) -> str | None:
        return self.hub.git.branches.get(branch)

    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        return sorted((name, sha) for name, sha in self.hub.git.branches.items() if name.startswith(prefix))

    async def commit(self, ref: str) -> Commit:
        found = self.hub.git.resolve(ref)
        if found is None:
            raise Refused(f"422: No commit found for SHA: {ref[:60]}")
        return replace(_noun(found), files=self._files(found))

    def _files(self, commit: CommitObject) -> tuple[ChangedFile, ...]:
        before = self.hub.git.commits[commit.parents[0]].tree if commit.parents else {}
        return diff(before, commit.tree)

    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        log = self.hub.git.log(self.hub.git.at(branch).sha)
        wanted = [c for c in log if path is None or any(path in (f.path, f.previous_path) for f in self._files(c))]
        return [_noun(c) for c in wanted[:limit]]

    async def compare(self, base: str, head: str) -> Comparison:
        git = self.hub.git
        one, other = git.at(base), git.at(head)
        if git.merge_base(one.sha, other.sha) is None:
            raise Missing(f"404: No common ancestor between {base[:60]} and {head[:60]}")
        ahead, behind = git.between(one.sha, other.sha), git.between(other.sha, one.sha)
        status: Literal["identical", "ahead", "behind", "diverged"]
        status = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
        return Comparison(status, tuple(_noun(c) for c in ahead))

    async def read_file(self, path: str, ref: str) -> str | None:
        commit = self.hub.git.resolve(ref)
        text = commit.tree.get(path) if commit else None
        if text is not None and len(text) > FILE_LIMIT_BYTES:
            raise Refused(f"{path} is larger than {FILE_LIMIT_BYTES} bytes: it can't be changed by a remedy")
        if text is None and commit is not None and any(name.startswith(f"{path}/") for name in commit.tree):
            raise Refused(f"{path} is not a file at {ref[:12]}: name a file")
        return text

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]:
        git = self.hub.git
        return [
            _listed(p)
            for p in sorted(self.lists.pulls.values(), key=lambda p: p.number)
            if sha in (p.merge_sha, p.head_sha)
            or (p.state == "open" and sha in {c.sha for c in git.between(git.at(p.base_branch).sha, p.head_sha)})
        ]

    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        found = [r for r in self.hub.runs_of(self.lists, workflow, head_sha) if event in (None, r.event)]
        return sorted(found, key=lambda r: -r.id)[:RECENT]

    async def check_runs(self, sha: str) -> Sequence[CheckRun]:
        """Each workflow's newest run on that commit, as the one check that its job is."""
        newest: dict[str, WorkflowRun] = {}
        for run in sorted(self.lists.runs.values(), key=lambda r: r.id):
            if run.head_sha == sha:
                newest[run.path.rpartition("/")[2].partition(".")[0]] = run
        return [CheckRun(name, sha, run.status, run.conclusion, "github-actions") for name, run in sorted(newest.items())]


def _listed(pull: Pull) -> Pull:
    """Lists leave out who merged."""
    return replace(pull, merged_by="") if pull.merged_by else pull


def _noun(commit: CommitObject) -> Commit:
    return Commit(commit.sha, commit.message, commit.author_login, commit.author_name, commit.at_s, commit.parents)
