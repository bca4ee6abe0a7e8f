"""Writing trees: a base tree with some paths put, replaced or taken away, through a temporary index."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.local.github.git import EMPTY_TREE, ZERO, Git

MODES = frozenset({"100644", "100755", "040000", "160000", "120000"})


@dataclass(frozen=True)
class TreeChange:
    """`sha` None takes the path away."""

    path: str
    mode: str
    sha: str | None


def path_is_safe(path: str) -> bool:
    """git itself refuses these in an index; said early, so that the caller can name the path."""
    parts = path.split("/")
    return not any(part in ("", ".", "..") or part.lower() == ".git" for part in parts) and "\n" not in path and "\0" not in path


def write_tree(git: Git, base: str | None, changes: Sequence[TreeChange]) -> str:
    """The id of the new tree. Raises GitError when a path or object does not fit."""
    with tempfile.TemporaryDirectory(prefix="index-") as scratch:
        environment = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        if base and base != EMPTY_TREE:
            git.run("read-tree", base, environment=environment)
        lines = []
        for change in changes:
            if change.mode == "040000" and change.sha:
                git.run("read-tree", f"--prefix={change.path}/", change.sha, environment=environment)
            elif change.sha is None:
                lines.append(f"0 {ZERO}\t{change.path}\0")
            else:
                lines.append(f"{change.mode} {change.sha}\t{change.path}\0")
        if lines:
            git.run("update-index", "-z", "--index-info", stdin="".join(lines).encode(), environment=environment)
        return git.run("write-tree", environment=environment).decode().strip()


def write_folder(git: Git, folder: Path) -> str:
    """The tree of the files below a folder; what its own .gitignore names stays out."""
    with tempfile.TemporaryDirectory(prefix="index-") as scratch:
        environment = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": str(folder)}
        git.run("-C", str(folder), "add", "--all", ".", environment=environment)
        return git.run("write-tree", environment=environment).decode().strip()
