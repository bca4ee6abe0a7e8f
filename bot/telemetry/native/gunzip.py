"""libdeflate for the kernel: it inflates a small body in half the time of isal's, and into memory that is there already.

The PyPI package `deflate` brings it along, with its functions exported (https://github.com/ebiggers/libdeflate, libdeflate.h). It wants a
whole body and a bound for what comes out of it, so bodies that are large or unusual stay with bot/web/body.py.
"""

from __future__ import annotations

import ctypes
from ctypes import c_void_p
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gunzip:
    """Addresses: of libdeflate_gzip_decompress_ex, and of a decompressor for one thread, which lives as long as the process."""

    library: ctypes.CDLL  # not to be unloaded
    function: int
    decompressor: int


def load() -> Gunzip | None:
    """None where the package is missing or keeps its functions to itself: then every body is inflated before the kernel reads it."""
    try:
        from deflate import _deflate
    except ImportError:
        return None
    library = ctypes.CDLL(_deflate.__file__)
    try:
        function, allocate = library.libdeflate_gzip_decompress_ex, library.libdeflate_alloc_decompressor
    except AttributeError:
        return None
    allocate.restype = c_void_p
    address, decompressor = ctypes.cast(function, c_void_p).value, allocate()
    return Gunzip(library, address, decompressor) if address and decompressor else None
