"""Three-way merges inside a bare repository: what a merge of two commits would give, without touching any ref."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.local.github.git import EMPTY_TREE, Git, GitError


@dataclass(frozen=True)
class TrialMerge:
    """`tree` is None when the two sides conflict."""

    tree: str | None


def trial_merge(git: Git, ours: str, theirs: str) -> TrialMerge:
    """Merges two commits as `git merge` would (git >= 2.38), else by the plain three-way merge of older gits."""
    code, out, err = git.attempt("merge-tree", "--write-tree", "--no-messages", ours, theirs)
    if code == 0:
        return TrialMerge(out.decode().strip())
    if code == 1 and out:
        return TrialMerge(None)
    if "usage" not in err and "write-tree" not in err:
        raise GitError(f"git merge-tree: {err.strip()}")
    base = git.merge_base(ours, theirs) or EMPTY_TREE
    return three_way(git, base, ours, theirs)


def three_way(git: Git, base: str, ours: str, theirs: str) -> TrialMerge:
    """Applies the change from `base` to `theirs` onto `ours`, file by file, with an index and a work tree of its own."""
    with tempfile.TemporaryDirectory(prefix="merge-") as scratch:
        work_tree = Path(scratch) / "tree"
        work_tree.mkdir()
        environment = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": str(work_tree)}
        git.run("read-tree", "-i", "-m", "--aggressive", base, ours, theirs, environment=environment)
        if not git.run("ls-files", "--unmerged", environment=environment):
            return TrialMerge(git.run("write-tree", environment=environment).decode().strip())
        code, _, _ = git.attempt("-C", str(work_tree), "merge-index", "git-merge-one-file", "-a", environment=environment)
        if code != 0 or git.run("ls-files", "--unmerged", environment=environment):
            return TrialMerge(None)
        return TrialMerge(git.run("write-tree", environment=environment).decode().strip())
