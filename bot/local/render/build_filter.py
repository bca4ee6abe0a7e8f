"""Which changed paths make a service deploy: Render's `rootDir` and `buildFilter` globs, relative to the repository's root."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field


def glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` stay within a directory, `**` crosses them, `[abc]` and `[!abc]` are classes.

    Raises `ValueError` for braces and unclosed classes, whose meaning here would be a guess.
    """
    text = glob.removeprefix("./").removeprefix("/")
    if "{" in text or "}" in text:
        raise ValueError(f"braces are not supported in the glob {glob!r}; write one line for each")
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if text.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
        elif text.startswith("**", at):
            out.append(".*")
            at += 2
        elif char == "[":
            end = text.find("]", at + 2)
            if end < 0:
                raise ValueError(f"unclosed [ in the glob {glob!r}")
            body = text[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + body[1:] if body[0] in "!^" else body) + "]")
            at = end + 1
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)))
            at += 1
    return re.compile("".join(out))


@dataclass(frozen=True)
class BuildFilter:
    """`wants(paths)`: does a push that changed these paths deploy the service?

    With `paths` only matching files count; without, all files below `root_dir` do. `ignored_paths` never count.
    """

    root_dir: str = ""
    paths: tuple[str, ...] = ()
    ignored_paths: tuple[str, ...] = ()
    _wanted: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    _ignored: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", tuple(glob_pattern(g) for g in self.paths))
        object.__setattr__(self, "_ignored", tuple(glob_pattern(g) for g in self.ignored_paths))

    def wants(self, changed: Iterable[str]) -> bool:
        return any(self._counts(path) for path in changed)

    def _counts(self, path: str) -> bool:
        if any(p.fullmatch(path) for p in self._ignored):
            return False
        if self._wanted:
            return any(p.fullmatch(path) for p in self._wanted)
        return not self.root_dir or path.startswith(self.root_dir + "/")
