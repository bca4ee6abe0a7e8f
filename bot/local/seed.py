"""The tree that the embedded repository is seeded with: this repository's own files, without the workflow that tests it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bot.errors import Refused

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".github/workflows/ci.yml",)
NEEDED = ("bot", "userplane", "policies", "monitor", ".github", "requirements", "render.yaml")


def copy_tree(destination: Path, root: Path = ROOT) -> None:
    """Copies what git would commit (tracked, and untracked but not ignored); outside a checkout, the folders that are needed.

    Raises Refused when something that the demo needs is missing.
    """
    missing = [name for name in NEEDED if not (root / name).exists()]
    if missing:
        raise Refused(f"the demo needs {', '.join(missing)} beside the package: run it from a clone of the repository")
    for path in _files(root):
        if path in LEFT_OUT:
            continue
        source, target = root / path, destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _files(root: Path) -> Iterable[str]:
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        listed = subprocess.run(command, capture_output=True, check=True, env=env).stdout.decode().split("\0")
        return [path for path in listed if path and (root / path).is_file()]
    found = (p for name in NEEDED for p in ([root / name] if (root / name).is_file() else (root / name).rglob("*")))
    return sorted(str(p.relative_to(root)) for p in found if p.is_file() and "__pycache__" not in p.parts)
