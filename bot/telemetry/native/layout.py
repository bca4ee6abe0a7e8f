"""The kernel's structures and functions as ctypes sees them; `kernel.c`, `table.h` and `fold.c` say what they mean."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Final

VERSION: Final = 3
OK, ODD, UNKNOWN_RESOURCES, NO_PLAIN_GZIP, ONLY_COUNTS = 0, 1, 2, 3, 4
REASONS: Final = 8
WHOLE_TRACE: Final = 1
WILDCARD: Final = 0xFFFFFFFF
# Columns of 64-bit numbers: what is told of a request (spans, notes, shed, fingerprint), and of each of its ResourceSpans, what the server
# spans in it say of the process that sent it (slot, server spans, first start, last start and last end of them, in nanoseconds).
TOLD_WORDS: Final = 4
NOTE_WORDS: Final = 5
SLICE: Final = (c_void_p, c_void_p, c_char_p, c_uint32)  # keys, offsets, cells, number of keys


class Pick(Structure):
    """A span that Python has to read: its place in the request, the bytes [offset, offset + length) of the body, its note."""

    _fields_ = (("ordinal", c_uint32), ("offset", c_uint32), ("length", c_uint32), ("note", c_uint16), ("flags", c_uint16))


class Row(Structure):
    """A request of a watched operation."""

    _fields_ = (("ordinal", c_uint32), ("key", c_uint16), ("note", c_uint16), ("start_s", c_double), ("end_s", c_double))


class Job(Structure):
    """One request: what is asked, where the columns go, what came of it."""

    _fields_ = (
        ("behind_s", c_double),
        ("ahead_s", c_double),
        ("share", c_uint64),
        ("max_spans", c_uint32),
        ("max_notes", c_uint32),
        ("max_forced", c_uint32),
        ("max_span_bytes", c_uint32),
        ("slow_ns", c_void_p),
        ("watched", c_void_p),
        ("records", c_void_p),
        ("rows", POINTER(Row)),
        ("picks", POINTER(Pick)),
        ("misses", POINTER(Pick)),
        ("notes", c_void_p),
        ("told", c_void_p),
        ("inflate", c_void_p),
        ("decompressor", c_void_p),
        ("room", c_void_p),
        ("room_bytes", c_uint32),
        ("inflated_bytes", c_uint32),
        ("row_count", c_uint32),
        ("pick_count", c_uint32),
        ("miss_count", c_uint32),
        ("dropped", c_uint32 * REASONS),
        ("start_min_s", c_double),  # the kernel's own
        ("start_max_s", c_double),
        ("end_max_s", c_double),
    )


class Part(Structure):
    """Of one folded second: how many keys and how many bytes of cells."""

    _fields_ = (("second", c_uint32), ("keys", c_uint32), ("cells", c_uint32))


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Gives the library's functions their types."""
    signatures = {
        "kernel_version": (c_uint32, ()),
        "kernel_new": (c_void_p, (c_uint64, c_void_p, c_int32)),
        "kernel_clear": (None, (c_void_p,)),
        "kernel_free": (None, (c_void_p,)),
        "kernel_learn_key": (c_int, (c_void_p, c_uint32, c_uint8, c_uint8, c_char_p, c_uint32, c_uint16)),
        "kernel_learn_resource": (c_int, (c_void_p, c_char_p, c_uint32, c_uint32, c_uint16)),
        "kernel_read": (c_int, (c_void_p, c_void_p, c_char_p, c_uint32, c_double)),
        "kernel_read_gzip": (c_int, (c_void_p, c_void_p, c_char_p, c_uint32, c_double)),
        "fold_records": (
            c_uint32,
            (c_void_p, c_void_p, c_uint32, POINTER(Part), POINTER(c_uint32), c_void_p, c_void_p, c_void_p, c_uint32),
        ),
        "merge_slices": (
            c_uint32,
            (*SLICE, *SLICE, c_void_p, c_void_p, c_void_p, POINTER(c_uint32)),
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
