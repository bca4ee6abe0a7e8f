"""The memory that the kernel reads requests into: allocated once, used for every request."""

from __future__ import annotations

import ctypes
from array import array
from typing import Final

from bot.telemetry import limits
from bot.telemetry.batch import Catalogue
from bot.telemetry.columns import Column
from bot.telemetry.detail import MAX_KEYS
from bot.telemetry.native.gunzip import Gunzip
from bot.telemetry.native.layout import NOTE_WORDS, TOLD_WORDS, Job, Pick, Row

ROOM_BYTES: Final = 256 * 1024  # what a body may hold that the kernel inflates itself


class Buffers:
    """The kernel's job with all that it points to. `at`: its address. `told` and `notes`: layout.py's columns."""

    def __init__(self, catalogue: Catalogue, watched: bytearray, gunzip: Gunzip | None) -> None:
        """`watched`: for each of detail.MAX_KEYS keys, whether its server spans are listed one by one; it may change later."""
        n, notes = limits.SPANS_PER_REQUEST, limits.RESOURCES_PER_REQUEST
        self.records: Column = array("Q", bytes(8 * n))
        self.told: Column = array("Q", bytes(8 * TOLD_WORDS))
        self.notes: Column = array("Q", bytes(8 * NOTE_WORDS * notes))
        self.room = memoryview(bytearray(ROOM_BYTES))
        self.gunzip = gunzip
        self._watched = (ctypes.c_uint8 * MAX_KEYS).from_buffer(watched)
        self._room = (ctypes.c_uint8 * ROOM_BYTES).from_buffer(self.room)
        self.job = Job(max_spans=n, max_notes=notes, max_span_bytes=limits.LARGEST_SPAN_BYTES, room_bytes=ROOM_BYTES)
        self.job.behind_s, self.job.ahead_s = limits.CLOCK_BEHIND_S, limits.CLOCK_AHEAD_S
        self.job.records, self.job.told, self.job.notes = (column.buffer_info()[0] for column in (self.records, self.told, self.notes))
        self.job.slow_ns = catalogue.detail.slow_ns.buffer_info()[0]
        self.job.watched, self.job.room = ctypes.addressof(self._watched), ctypes.addressof(self._room)
        self.rows, self.picks, self.misses = (Row * n)(), (Pick * n)(), (Pick * n)()
        self.job.rows, self.job.picks, self.job.misses = self.rows, self.picks, self.misses
        if gunzip is not None:
            self.job.inflate, self.job.decompressor = gunzip.function, gunzip.decompressor
        self.at = ctypes.addressof(self.job)
