"""GitHub's filter patterns for branches and paths: `*` stays within a folder, `**` does not, `!` takes back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


@lru_cache(maxsize=512)
def _regex(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("**/", position):
            parts.append("(?:.*/)?")
            position += 3
            continue
        if pattern.startswith("**", position):
            parts.append(".*")
            position += 2
            continue
        if character == "*":
            parts.append("[^/]*")
        elif character in "?+" and parts:
            parts[-1] = f"(?:{parts[-1]}){character}"
        elif character == "[" and "]" in pattern[position + 1 :]:
            end = pattern.index("]", position + 1)
            parts.append(f"[{re.escape(pattern[position + 1 : end]).replace(chr(92) + '-', '-')}]")
            position = end
        else:
            parts.append(re.escape(character))
        position += 1
    return re.compile("".join(parts), re.DOTALL)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether the last pattern that matches the text lets it in; later patterns win, as on GitHub."""
    allowed = False
    for pattern in patterns:
        if pattern.startswith("!"):
            allowed = allowed and _regex(pattern[1:]).fullmatch(text) is None
        elif _regex(pattern).fullmatch(text):
            allowed = True
    return allowed


def any_matches(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    return any(matches(patterns, text) for text in texts)
