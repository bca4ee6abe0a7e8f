"""The compiled kernel for tests: wherever there is a C compiler it has to be there."""

from __future__ import annotations

from ctypes import CDLL

from bot.telemetry.native import library


def compiled_kernel() -> CDLL | None:
    """The kernel, built from the sources as they are; None only where there is no compiler."""
    found = library.load()
    if found is None:
        problem = library.build()
        found = library.load()
        assert found is not None or problem == library.NO_COMPILER, f"there is a compiler, and still no kernel: {problem}"
    return found
