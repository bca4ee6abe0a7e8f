"""Three-way merge of texts by lines, stricter than it is clever: changes that overlap or touch are a conflict.

Algorithm: diff3 (Khanna, Kunal, Pierce: «A Formal Investigation of Diff3», 2007) over difflib's matching blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from bot.errors import Refused

Edit = tuple[int, int, Sequence[str]]  # base lines [start, end) become these


def merge3(ours: str, base: str, theirs: str, path: str) -> str:
    """`base` with the changes that `ours` and `theirs` made to it. Raises Refused, naming `path`, when they conflict."""
    lines = _lines(base)
    left, right = _edits(lines, ours), _edits(lines, theirs)
    merged: list[str] = []
    at = 0
    while left or right:
        start = min(edits[0][0] for edits in (left, right) if edits)
        end, mine, other = _region(start, left, right)
        merged += lines[at:start]
        ours_here, theirs_here = _apply(lines, start, end, mine), _apply(lines, start, end, other)
        if mine and other and ours_here != theirs_here:
            raise _conflict(path)
        merged += ours_here if mine else theirs_here
        at = end
    merged += lines[at:]
    if any(not line.endswith("\n") for line in merged[:-1]):
        raise _conflict(path)  # a last line without a newline would run into the next
    return "".join(merged)


def _lines(text: str) -> list[str]:
    """As git sees them: only a line feed ends a line."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _edits(lines: Sequence[str], changed: str) -> list[Edit]:
    after = _lines(changed)
    codes = SequenceMatcher(None, lines, after, autojunk=False).get_opcodes()
    return [(i1, i2, after[j1:j2]) for tag, i1, i2, j1, j2 in codes if tag != "equal"]


def _region(start: int, left: list[Edit], right: list[Edit]) -> tuple[int, list[Edit], list[Edit]]:
    """Takes from both lists the edits that hang together from `start` on: each begins no later than where the others end."""
    end = start
    taken: tuple[list[Edit], list[Edit]] = ([], [])
    grew = True
    while grew:
        grew = False
        for edits, mine in ((left, taken[0]), (right, taken[1])):
            while edits and edits[0][0] <= end:
                edit = edits.pop(0)
                mine.append(edit)
                end = max(end, edit[1])
                grew = True
    return end, *taken


def _apply(lines: Sequence[str], start: int, end: int, edits: Sequence[Edit]) -> list[str]:
    out: list[str] = []
    at = start
    for first, last, replacement in edits:
        out += [*lines[at:first], *replacement]
        at = last
    return out + list(lines[at:end])


def _conflict(path: str) -> Refused:
    return Refused(f"{path}: later changes conflict with undoing this commit: revert by hand")
