"""Addresses of things on GitHub, built from trusted parts only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from bot.texts.safe import code

_PATH_LIMIT = 300


@dataclass(frozen=True)
class Links:
    web_url: str  # https://github.com
    repository: str  # owner/name

    def commit(self, sha: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{7,64}", sha):
            return "an unknown commit"
        return f"[`{sha[:7]}`]({self.web_url}/{self.repository}/commit/{sha})"

    def run(self, run_id: int, words: str) -> str:
        return f"[{words}]({self.web_url}/{self.repository}/actions/runs/{run_id})"

    def file(self, path: str) -> str:
        """A file of the default branch. Paths come from commits, which may hold any character."""
        if len(path) > _PATH_LIMIT or not path.isprintable():
            return code(path)
        return f"[{code(path)}]({self.web_url}/{self.repository}/blob/HEAD/{quote(path)})"
