"""bot/telemetry/slices.py's `fold` and `merge`, done by the kernel."""

from __future__ import annotations

import ctypes
from array import array

from bot.telemetry import limits
from bot.telemetry.native.layout import Part
from bot.telemetry.slices import Slice

CELLS = 1 << 20  # bytes of cells written by one call; what does not fit is folded by the next


class Folding:
    """Not safe for threads: its buffers are used by every call."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._cells = ctypes.create_string_buffer(CELLS)

    def fold(self, records: array[int]) -> list[tuple[int, Slice]]:
        """(second, its slice) of all records, ascending; a second may appear more than once."""
        found: list[tuple[int, Slice]] = []
        rest = array("Q", records)
        while rest:
            some = rest[: limits.SERIES_LOG]
            done = self._fold_some(some, found)
            rest = some[done:] + rest[limits.SERIES_LOG :]
        return found

    def _fold_some(self, records: array[int], found: list[tuple[int, Slice]]) -> int:
        """Sorts `records` in place and folds the first of them; how many."""
        n = len(records)
        spare, keys, offsets = array("Q", bytes(8 * n)), array("H", bytes(2 * n)), array("I", bytes(4 * n))
        parts = (Part * n)()
        count = ctypes.c_uint32()
        done: int = self._library.fold_records(
            _at(records), _at(spare), n, parts, ctypes.byref(count), _at(keys), _at(offsets), self._cells, CELLS
        )
        key_at = cell_at = 0
        raw = self._cells.raw if count.value else b""
        for part in parts[: count.value]:
            end_key, end_cell = key_at + part.keys, cell_at + part.cells
            found.append((part.second, Slice(keys[key_at:end_key], offsets[key_at:end_key], raw[cell_at:end_cell])))
            key_at, cell_at = end_key, end_cell
        return done

    def merge(self, a: Slice, b: Slice) -> Slice:
        """All that is in either."""
        used = ctypes.c_uint32()
        given = (_at(a.keys), _at(a.offsets), a.cells, len(a.keys), _at(b.keys), _at(b.offsets), b.cells, len(b.keys))
        n: int = self._library.merge_slices(*given, None, None, None, ctypes.byref(used))
        keys, offsets = array("H", bytes(2 * n)), array("I", bytes(4 * n))
        cells = ctypes.create_string_buffer(max(1, used.value))
        self._library.merge_slices(*given, _at(keys), _at(offsets), cells, ctypes.byref(used))
        return Slice(keys, offsets, cells.raw[: used.value])


def _at(column: array[int]) -> int:
    return column.buffer_info()[0]
