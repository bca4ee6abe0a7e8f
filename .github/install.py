"""Installs `requirements/NAME.lock` into the running Python, unless the runner's image already has exactly that lock file.

`python .github/install.py NAME`; SRE_INSTALLED_LOCKS holds the SHA-256 of the lock files that are installed, separated by spaces.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not re.fullmatch(r"[a-z0-9-]+", arguments[0]):
        sys.stderr.write("usage: python .github/install.py NAME   (installs requirements/NAME.lock)\n")
        return 2
    lock = REQUIREMENTS / f"{arguments[0]}.lock"
    if not lock.is_file():
        known = ", ".join(sorted(path.stem for path in REQUIREMENTS.glob("*.lock"))) or "none"
        sys.stderr.write(f"there is no lock file requirements/{lock.name}; there are: {known}\n")
        return 2
    if hashlib.sha256(lock.read_bytes()).hexdigest() in os.environ.get("SRE_INSTALLED_LOCKS", "").split():
        sys.stdout.write(f"requirements/{lock.name}: already in this runner's image\n")
        return 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(lock)]
    return subprocess.run(pip, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
