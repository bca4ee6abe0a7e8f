"""Imports without what a package loads only in case somebody wants it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Inside, `import name` fails as if it were not installed, unless it is loaded already; afterwards it can be imported as ever.

    For packages that try an optional one on import and go on without it. (None in `sys.modules` stops an import: Python's
    documentation, "The import system", 5.3.1.)
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
