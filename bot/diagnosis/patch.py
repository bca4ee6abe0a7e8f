"""Unified diffs as GitHub gives them (hunks only): which lines changed, and where a line moves to."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def _walk(patch: str) -> Iterator[tuple[str, int, int]]:
    """(sign, old line, new line) of every line of every hunk; for "+" the old line is the next one, for "-" the new line is."""
    old = new = 0
    for line in patch.split("\n"):
        if header := _HEADER.match(line):
            old, new = int(header[1]), int(header[2])
        elif line[:1] in ("+", "-", " ") and old + new:
            yield line[0], old, new
            old += line[0] != "+"
            new += line[0] != "-"


def changed_lines(patch: str) -> tuple[int, ...]:
    """Line numbers, in the new file, of what was added, and of where something was removed. Empty without a patch."""
    return tuple(sorted({new for sign, _, new in _walk(patch) if sign != " "}))


def moved(line: int, patch: str) -> int:
    """Where a line of the old file stands in the new one. A line that the patch replaces stays near its place."""
    shift = 0
    for sign, old, _ in _walk(patch):
        if sign == "+" and old <= line:
            shift += 1
        elif sign == "-" and old < line:
            shift -= 1
    return max(1, line + shift)


def came_from(line: int, patch: str) -> int | None:
    """Where a line of the new file stood in the old one; None when the patch wrote it. The inverse of `moved`."""
    shift = 0
    for sign, _, new in _walk(patch):
        if sign == "+" and new == line:
            return None
        if sign == "+" and new < line:
            shift -= 1
        elif sign == "-" and new <= line:
            shift += 1
    return max(1, line + shift)


def added(patch: str) -> tuple[str, ...]:
    """The lines that a patch adds, without their sign."""
    return tuple(line[1:] for line in patch.split("\n") if line.startswith("+") and not line.startswith("+++"))
