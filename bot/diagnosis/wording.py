"""The words of names, of log lines and of what a commit adds: that they share some may tell commits of one deploy apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.diagnosis.case import Case, Change
from bot.diagnosis.patch import added

MAX_ADDED_CHARS = 4_000  # of one change that are read: thirty such changes take 25 ms
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


def words_of(case: Case) -> Mapping[str, frozenset[str]]:
    """Commit → the words of its paths and of what it adds."""
    return {change.commit.sha: words(" ".join((*change.paths, *added_lines(change)))) for change in case.changes}


def share(told: frozenset[str], said: Mapping[str, frozenset[str]]) -> Mapping[str, float]:
    """Commit → how much of `told` it speaks of, 0..1."""
    return {sha: len(told & one) / len(told) if told else 0.0 for sha, one in said.items()}
