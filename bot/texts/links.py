"""Addresses of things on GitHub, built from trusted parts only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    web_url: str  # https://github.com
    repository: str  # owner/name

    def commit(self, sha: str) -> str:
        return f"[`{sha[:7]}`]({self.web_url}/{self.repository}/commit/{sha})" if sha.isalnum() else "an unknown commit"

    def run(self, run_id: int, words: str) -> str:
        return f"[{words}]({self.web_url}/{self.repository}/actions/runs/{run_id})"

    def file(self, path: str) -> str:
        return f"[`{path}`]({self.web_url}/{self.repository}/blob/HEAD/{path})"
