"""Whose line it is: a line followed backwards through the changes of a case until one of them wrote it (what `git blame` does)."""

from __future__ import annotations

from collections.abc import Sequence

from bot.diagnosis.case import Change
from bot.diagnosis.patch import came_from


def blame(changes: Sequence[Change], path: str, line: int, ran: str = "") -> Change | None:
    """The change that last wrote `path`:`line` as it was at the commit `ran` ("": after all of them).

    `changes` are oldest first. None when none of them wrote it, or when a patch on the way is missing and nobody can know.
    """
    if line < 1:
        return None
    shas = [change.commit.sha for change in changes]
    known = changes[: shas.index(ran) + 1] if ran in shas else changes
    for change in reversed(known):
        for file in change.commit.files:
            if file.path != path:
                continue
            if not file.patch:
                return None
            before = came_from(line, file.patch)
            if before is None:
                return change
            path, line = file.previous_path or path, before
            break
    return None
