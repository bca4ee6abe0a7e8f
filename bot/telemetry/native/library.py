"""Builds the kernel with the C compiler of this machine, and loads what was built. `python -m bot.telemetry.native.library` builds it.

The library lies beside the Python environment under a name that holds the hash of its sources: one that was built from other sources is
never loaded.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bot.telemetry.native.layout import VERSION, declare

SOURCES: Final = ("kernel.c", "fold.c")
HEADERS: Final = ("protobuf.h", "span.h", "table.h")
FLAGS: Final = ("-O2", "-std=c11", "-shared", "-fPIC")
COMPILERS: Final = ("cc", "gcc", "clang")
NO_COMPILER: Final = "there is no C compiler"
BUILD_TIMEOUT_S: Final = 120.0
HERE: Final = Path(__file__).parent


def library_path() -> Path:
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in (*SOURCES, *HEADERS))).hexdigest()
    return Path(sys.prefix) / "lib" / "sre-space" / f"kernel-{sys.implementation.cache_tag}-{digest[:16]}.so"


def load() -> ctypes.CDLL | None:
    """The library, or None when it was not built (or cannot be loaded on this machine): then Python does its work."""
    path = library_path()
    if not path.is_file():
        return None
    try:
        library = declare(ctypes.CDLL(str(path)))
    except (OSError, AttributeError):
        return None
    return library if library.kernel_version() == VERSION else None


def build(extra_flags: tuple[str, ...] = (), path: Path | None = None) -> str:
    """Compiles to `path` (where `load` looks); "" when it is there, else why not, as a sentence part."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        return NO_COMPILER
    path = path or library_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / "kernel.so"
            command = [compiler, *FLAGS, *extra_flags, *(str(HERE / name) for name in SOURCES), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
            if done.returncode:
                return f"{Path(compiler).name} failed: {(done.stderr.strip().splitlines() or ['without a message'])[0]}"
            os.replace(made, path)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"it could not be compiled: {problem}"
    return ""


if __name__ == "__main__":
    problem = build()
    print(f"Without the compiled kernel ({problem}): spans are read in Python, more slowly." if problem else "Compiled the kernel.")
