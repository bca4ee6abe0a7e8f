"""Files of OTLP requests in JSON (one a line, as the Collector's file exporter writes, or one a file; plain or gzip), decoded.

One line is held at a time: memory does not grow with the files.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import msgspec

from bot.errors import Missing, Refused
from bot.recorded.messages import Request, decode_request

GZIP_MAGIC = b"\x1f\x8b"
MAX_LINE_BYTES = 64 * 1024 * 1024  # a longer line is no export request of any Collector; it is skipped and counted
DAMAGE = (OSError, EOFError, zlib.error)  # what reading a broken gzip stream raises
INDENTED = b"{"  # the first line of an object that was written over many lines
NO_REQUEST = "no OTLP export request in JSON"


@dataclass(slots=True)
class Tally:
    """What was read: good and bad lines, and why lines were bad (first place of each reason is kept)."""

    lines: int = 0
    observations: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    first_bad: dict[str, str] = field(default_factory=dict)

    def refuse(self, reason: str, where: str) -> None:
        self.bad[reason] += 1
        self.first_bad.setdefault(reason, where)


@dataclass(frozen=True, slots=True)
class Place:
    """A decoded request and where it stood, in words."""

    request: Request
    where: str


def open_file(path: Path, opened: ExitStack) -> IO[bytes]:
    """The inflated bytes of a file, closed with `opened`. Raises Missing or Refused when it cannot be opened."""
    try:
        file = opened.enter_context(path.open("rb"))
        packed = file.peek(2)[:2] == GZIP_MAGIC
    except FileNotFoundError as problem:
        raise Missing(f"there is no file {path}") from problem
    except OSError as problem:
        raise Refused(f"cannot read {path}: {problem.strerror}") from problem
    return cast("IO[bytes]", opened.enter_context(gzip.GzipFile(fileobj=file))) if packed else file


def read_requests(file: IO[bytes], name: str, tally: Tally) -> Iterator[Place]:
    """The requests of an open file in its order; what cannot be read is counted in `tally`. A file whose first line is a brace alone
    is read as one object: people indent what they save by hand."""
    number = 0
    for line in _lines(file, name, tally):
        number += 1
        if not line.strip():
            continue
        tally.lines += 1
        place = f"{name}, line {number}"
        try:
            request = decode_request(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as problem:
            if number == 1 and line.strip() == INDENTED:
                yield from _whole(line, file, name, tally)
                return
            tally.refuse(NO_REQUEST, f"{place}: {problem}")
            continue
        if not request.empty:
            yield Place(request, place)
        else:
            tally.refuse("no resourceSpans, resourceMetrics or resourceLogs in it", place)


def _lines(file: IO[bytes], name: str, tally: Tally) -> Iterator[bytes]:
    number = 0
    while True:
        try:
            line = file.readline(MAX_LINE_BYTES)
        except DAMAGE as problem:
            tally.refuse(f"the file is damaged ({type(problem).__name__})", f"{name}, after line {number}")
            return
        if not line:
            return
        number += 1
        yield line


def _whole(first: bytes, file: IO[bytes], name: str, tally: Tally) -> Iterator[Place]:
    try:
        rest = file.read(MAX_LINE_BYTES)
        request = decode_request(first + rest)
    except (msgspec.DecodeError, ValueError, RecursionError, *DAMAGE) as problem:
        tally.refuse(NO_REQUEST, f"{name}: {problem}")
        return
    if request.empty:
        tally.refuse("no resourceSpans, resourceMetrics or resourceLogs in it", name)
    else:
        yield Place(request, name)
