"""A real bare repository for the stories about Actions and Render: commits without a work tree, one git process for each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.local.github.git import Git


def _data(text: str) -> list[str]:
    return [f"data {len(text.encode())}", text]


def write_commits(git: Git, branch: str, parent: str | None, commits: Sequence[tuple[Mapping[str, str], str]], who: str = "dev") -> None:
    """Commits (files, message), one on top of the other, as the new head of a branch."""
    lines = []
    for n, (files, message) in enumerate(commits):
        lines += [f"commit refs/heads/{branch}", f"committer {who} <{who}@localhost> {int(time.time())} +0000", *_data(message)]
        lines += [f"from {parent}"] if parent and n == 0 else []
        for name, content in files.items():
            lines += [f"M 100644 inline {name}", *_data(content)]
    git.run("-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", stdin="\n".join([*lines, ""]).encode())


class Bare:
    """The reading half of `contracts.Repository`, and `commit`. `close` ends git's lasting process."""

    def __init__(self, git_dir: Path) -> None:
        self.git = Git(git_dir)
        self.git.init("main")

    @property
    def git_dir(self) -> Path:
        return self.git.git_dir

    def close(self) -> None:
        self.git.close()

    def commit(self, files: Mapping[str, str], branch: str = "main", message: str = "change", base: str = "main") -> str:
        """The sha of a commit that writes files on a branch (made from `base` if new); no event."""
        write_commits(self.git, branch, self.resolve(branch) or self.resolve(base), [(files, message)])
        sha = self.resolve(branch)
        assert sha
        return sha

    def resolve(self, ref: str) -> str | None:
        found = self.git.look_up(f"{ref}^{{commit}}")
        return found.sha if found else None

    def read_file(self, commit: str, path: str) -> bytes | None:
        found = self.git.look_up(f"{commit}:{path}")
        return found.content if found and found.kind == "blob" else None

    def list_files(self, commit: str, prefix: str) -> Sequence[str]:
        return [path for path in self.git.ask("ls-tree", "-r", "--name-only", commit).decode().splitlines() if path.startswith(prefix)]

    def changed_paths(self, before: str | None, after: str) -> Sequence[str]:
        return self.git.ask("diff", "--name-only", before, after).decode().splitlines() if before else self.list_files(after, "")
