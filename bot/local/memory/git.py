"""A git repository in memory: commits that hold whole trees, named by what they contain, and three-way merges by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Literal

from bot.errors import Conflict, Missing, Refused
from bot.forge import ChangedFile

Tree = Mapping[str, str]  # path → text


@dataclass(frozen=True)
class CommitObject:
    sha: str
    parents: tuple[str, ...]
    tree: Tree
    message: str
    author_name: str
    author_login: str  # "" when no account is known
    at_s: float


@dataclass
class Git:
    commits: dict[str, CommitObject] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    _ancestors: dict[str, frozenset[str]] = field(default_factory=dict)

    def write(
        self, parents: Sequence[str], tree: Tree, message: str, *, author: str, login: str = "", at_s: float, email: str = ""
    ) -> CommitObject:
        """The same content gives the same sha; a commit made twice is one commit."""
        content = repr((tuple(parents), sorted(tree.items()), message, author, email, int(at_s)))
        sha = sha1(content.encode()).hexdigest()
        if sha not in self.commits:
            self.commits[sha] = CommitObject(sha, tuple(parents), dict(tree), message, author, login, float(int(at_s)))
        return self.commits[sha]

    def resolve(self, ref: str) -> CommitObject | None:
        """A branch or a full sha."""
        return self.commits.get(self.branches.get(ref, ref))

    def at(self, ref: str) -> CommitObject:
        found = self.resolve(ref)
        if found is None:
            raise Missing(f"no commit or branch {ref[:60]}")
        return found

    def create_branch(self, branch: str, sha: str) -> None:
        """Raises Conflict when it exists (a branch a/b cannot be where a branch a is either), Refused for an unknown commit."""
        if sha not in self.commits:
            raise Refused("Object does not exist")
        if branch in self.branches:
            raise Conflict(f"{branch}: Reference already exists")
        if any(branch.startswith(f"{other}/") or other.startswith(f"{branch}/") for other in self.branches):
            raise Refused(f"{branch}: Reference cannot be created")
        self.branches[branch] = sha

    def changed(self, tree: Tree, changes: Mapping[str, str | None]) -> dict[str, str]:
        """`tree` with changes made to it; None takes a file away. Raises Refused for one that is not there."""
        after = dict(tree)
        for path, text in changes.items():
            if text is not None:
                after[path] = text
            elif after.pop(path, None) is None:
                raise Refused(f"tree.path {path} is to be deleted but is not in base_tree")
        return after

    def ancestors(self, sha: str) -> frozenset[str]:
        """Everything that can be reached, itself included."""
        known = self._ancestors.get(sha)
        if known is None:
            known = frozenset({sha}).union(*(self.ancestors(parent) for parent in self.commits[sha].parents))
            self._ancestors[sha] = known
        return known

    def log(self, sha: str) -> list[CommitObject]:
        """Newest first; parents always after their children."""
        found = [self.commits[one] for one in self.ancestors(sha)]
        return sorted(found, key=lambda c: (-len(self.ancestors(c.sha)), c.sha))

    def between(self, base: str, head: str) -> list[CommitObject]:
        """What head has and base has not, oldest first."""
        behind = self.ancestors(base)
        return [c for c in reversed(self.log(head)) if c.sha not in behind]

    def merge_base(self, one: str, other: str) -> CommitObject | None:
        common = self.ancestors(one) & self.ancestors(other)
        return max((self.commits[sha] for sha in common), key=lambda c: (len(self.ancestors(c.sha)), c.sha), default=None)

    def merged(self, base: str, head: str) -> dict[str, str] | None:
        """The tree of a merge of two commits, file by file; None when both changed a file differently."""
        fork = self.merge_base(base, head)
        before: Tree = fork.tree if fork else {}
        ours, theirs = self.commits[base].tree, self.commits[head].tree
        result: dict[str, str] = {}
        for path in sorted({*before, *ours, *theirs}):
            old, mine, other = before.get(path), ours.get(path), theirs.get(path)
            if mine != other and old not in (mine, other):
                return None
            text = other if mine == old else mine
            if text is not None:
                result[path] = text
        return result


def diff(before: Tree, after: Tree) -> tuple[ChangedFile, ...]:
    """Changed files by path; a file that moved unchanged is a rename."""
    gone = {path: text for path, text in before.items() if path not in after}
    came = {path: text for path, text in after.items() if path not in before}
    files: list[ChangedFile] = []
    for path, text in sorted(came.items()):
        source = next((old for old, known in sorted(gone.items()) if known == text and text), "")
        if source:
            del gone[source]
            files.append(ChangedFile(path, "renamed", 0, 0, previous_path=source))
        else:
            files.append(_file(path, "added", "", text))
    files += [_file(path, "removed", text, "") for path, text in gone.items()]
    files += [_file(path, "modified", before[path], text) for path, text in after.items() if path in before and before[path] != text]
    return tuple(sorted(files, key=lambda file: file.path))


def _file(path: str, status: Literal["added", "modified", "removed"], before: str, after: str) -> ChangedFile:
    """Line counts as a diff of sets would have them: enough for limits on size."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return ChangedFile(path, status, 0, 0)
    head = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    old, new = old[head:], new[head:]
    tail = next((i for i, (a, b) in enumerate(zip(reversed(old), reversed(new), strict=False)) if a != b), min(len(old), len(new)))
    return ChangedFile(path, status, len(new) - tail, len(old) - tail)
