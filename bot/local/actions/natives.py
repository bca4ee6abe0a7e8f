"""Which actions `uses:` may name here and with which inputs: checked when the file is read, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.local.actions.document import Node

_PINNED = re.compile(r"[0-9a-f]{40}")
_FULL_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Native:
    """An action that the embedded runner does itself."""

    name: str
    inputs: frozenset[str]
    required: frozenset[str] = frozenset()


NATIVES = {
    native.name: native
    for native in (
        Native("actions/checkout", frozenset({"ref", "path", "fetch-depth", "persist-credentials"})),
        Native("actions/setup-python", frozenset({"python-version", "cache", "cache-dependency-path"})),
        Native(
            "actions/upload-artifact",
            frozenset({"name", "path", "if-no-files-found", "retention-days"}),
            frozenset({"path"}),
        ),
        Native("actions/download-artifact", frozenset({"name", "path"})),
        Native("actions/cache", frozenset({"path", "key", "restore-keys"}), frozenset({"path", "key"})),
    )
}


def check_uses(node: Node, arguments: Mapping[str, str]) -> None:
    """Raises UnsupportedSyntax when a step's `uses:` could not run: unpinned, unknown, or with an unknown input."""
    uses = node.text()
    if uses.startswith("./"):
        if ".." in uses.split("/"):
            raise node.wrong(f"{uses!r} leaves the workspace")
        return
    action, _, version = uses.partition("@")
    if not _FULL_NAME.fullmatch(action):
        raise node.wrong(f"{uses!r} is not supported; supported: ./path and {', '.join(NATIVES)}")
    if not _PINNED.fullmatch(version):
        raise node.wrong(f"{uses!r} is not pinned; name a full 40-digit commit: {action}@<sha>")
    native = NATIVES.get(action)
    if native is None:
        raise node.wrong(f"action {action!r} is not supported; supported: {', '.join(NATIVES)}")
    for name in sorted(arguments.keys() - native.inputs):
        raise node.wrong(f"{action}: unsupported input {name!r}; supported: {', '.join(sorted(native.inputs))}")
    for name in sorted(native.required - arguments.keys()):
        raise node.wrong(f"{action}: input {name!r} is missing")
