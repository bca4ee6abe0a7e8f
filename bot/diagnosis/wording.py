"""The words of names, of log lines and of what a commit adds: that they share some may tell commits of one deploy apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.diagnosis.case import Case, Change
from bot.diagnosis.patch import added

MAX_ADDED_CHARS = 8_000  # of one change that are read: thirty such changes take 40 ms
MIN_LETTERS = 3  # of a word: shorter ones stand everywhere
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words(text: str) -> frozenset[str]:
    """The words of a name or of some code, small: `getRates2` gives get and rates."""
    return frozenset(word.lower() for word in _WORD.findall(text) if len(word) >= MIN_LETTERS)


def added_lines(change: Change) -> tuple[str, ...]:
    """What the change adds, as far as it is read."""
    lines: list[str] = []
    left = MAX_ADDED_CHARS
    for file in change.commit.files:
        for line in added(file.patch[: 4 * MAX_ADDED_CHARS]):
            if left <= 0:
                return tuple(lines)
            lines.append(line[:left])
            left -= len(line) + 1
    return tuple(lines)


def spoken(case: Case, told: frozenset[str]) -> Mapping[str, float]:
    """Commit → the share of `told` that stands in its paths and in what it adds; 0 for all when nothing is told."""
    if not told:
        return {change.commit.sha: 0.0 for change in case.changes}
    return {change.commit.sha: len(told & words(" ".join((*change.paths, *added_lines(change))))) / len(told) for change in case.changes}
