"""Which files belong to which service, and which match a pattern: globs over repository paths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from bot.policy.schema import Policies

_TOKENS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=1024)
def _compiled(pattern: str, any_case: bool) -> re.Pattern[str]:
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern)
    source = "".join(_TOKENS.get(token) or re.escape(token) for token in tokens)
    return re.compile(source, re.DOTALL | (re.IGNORECASE if any_case else 0))


def matches(path: str, pattern: str, *, any_case: bool = False) -> bool:
    """`*` and `?` stay within a folder, `**` crosses folders: `a/**` is everything below a, `**/x` is x in any folder."""
    return _compiled(pattern, any_case).fullmatch(path) is not None


def is_plain(path: str) -> bool:
    """A path that can't mean another one: relative, no empty, `.` or `..` part, no backslash, nothing unprintable."""
    return path.isprintable() and "\\" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))


def services_of(paths: Iterable[str], policies: Policies) -> tuple[str, ...]:
    """The services that are built from any of these files, in the order of policies/services.yaml."""
    found = tuple(paths)
    return tuple(s.name for s in policies.services if any(matches(path, pattern) for path in found for pattern in s.paths))
