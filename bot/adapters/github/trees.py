"""File modes in a git tree, so that a commit changes what a file says and not what it is: a script stays executable."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot.adapters.github import nouns
from bot.adapters.github.transport import Transport


async def file_modes(http: Transport, root: str, tree: str, paths: Collection[str]) -> dict[str, str]:
    """Modes such as "100644" of those paths that exist in a tree. One too large to come at once is walked folder by folder."""
    whole = await http.get(f"{root}/git/trees/{tree}", {"recursive": 1})
    known = {item["path"]: item["mode"] for item in nouns.at(whole, "tree") if item["path"] in paths}
    if not whole.get("truncated"):
        return known
    modes = {}
    for path in paths:
        *folders, name = path.split("/")
        folder_sha = tree
        for folder in folders:
            folder_sha = (await _entry(http, root, folder_sha, folder)).get("sha", "") if folder_sha else ""
        if folder_sha and (entry := await _entry(http, root, folder_sha, name)):
            modes[path] = str(entry["mode"])
    return modes


async def _entry(http: Transport, root: str, tree: str, name: str) -> dict[str, Any]:
    items = nouns.at(await http.get(f"{root}/git/trees/{tree}"), "tree")
    return next((item for item in items if item["path"] == name), {})
