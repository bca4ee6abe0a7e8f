"""What undoing one commit means on today's base: its inverse, merged with what came later."""

from __future__ import annotations

from bot.diagnosis.merge3 import merge3
from bot.errors import Refused
from bot.forge import ChangedFile, Commit
from bot.model import FileChange
from bot.ports import ForgeReader

MAX_FILES = 100


async def revert(reader: ForgeReader, commit_sha: str, base_sha: str) -> tuple[FileChange, ...]:
    """The changes to `base_sha` that take a commit back, by path. A merge commit is undone against its first parent.

    Raises Refused when it has no parent, changes too many files, conflicts with later changes, or is undone already.
    """
    commit = await reader.commit(commit_sha)
    short = commit.sha[:12]
    if not commit.parents:
        raise Refused(f"{short} is the first commit of its repository: it cannot be reverted")
    if len(commit.files) > MAX_FILES:
        raise Refused(f"{short} changes {len(commit.files)} files, more than {MAX_FILES}: revert by hand")
    changes: dict[str, FileChange] = {}
    for file in commit.files:
        for change in await _undo(reader, file, commit, base_sha):
            if change.before != change.after:
                changes[change.path] = change
    if not changes:
        raise Refused(f"{short} is reverted already: nothing of it is left on {base_sha[:12]}")
    return tuple(changes[path] for path in sorted(changes))


async def _undo(reader: ForgeReader, file: ChangedFile, commit: Commit, base_sha: str) -> tuple[FileChange, ...]:
    now = await reader.read_file(file.path, base_sha)
    theirs = None if file.status == "removed" else await reader.read_file(file.path, commit.sha)
    old_path = file.previous_path or file.path
    parent = None if file.status == "added" else await reader.read_file(old_path, commit.parents[0])
    if old_path == file.path:
        return (FileChange(file.path, now, _undone(file.path, now, theirs, parent)),)
    there = await reader.read_file(old_path, base_sha)
    if now is None and there is not None:
        return ()  # renamed back already
    if there is not None:
        raise Refused(f"{old_path}: later changes conflict with undoing this commit: revert by hand")
    return FileChange(file.path, now, None), FileChange(old_path, None, _undone(file.path, now, theirs, parent))


def _undone(path: str, now: str | None, theirs: str | None, parent: str | None) -> str | None:
    """The text that a path should have: None means that it should not exist."""
    if now == theirs:
        return parent
    if now == parent:
        return now
    if now is None or theirs is None or parent is None:
        raise Refused(f"{path}: later changes conflict with undoing this commit: revert by hand")
    return merge3(now, theirs, parent, path)
