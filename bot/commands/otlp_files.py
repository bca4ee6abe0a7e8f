"""OTLP JSON-lines files (what the Collector's file exporter writes, plain or gzip) as one stream in time order.

One line of each file is held at a time: memory does not grow with the files.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import msgspec

from bot.commands.otlp_messages import decode_request
from bot.commands.otlp_observations import Reader
from bot.detection.observation import Observation
from bot.errors import Missing, Refused

GZIP_MAGIC = b"\x1f\x8b"
MAX_AHEAD_S = 86_400.0
MAX_LINE_BYTES = 64 * 1024 * 1024  # a longer line is no export request of any Collector; it is skipped and counted


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
class Batch:
    """The observations of one line, oldest first; `at_s` is when all of them were known."""

    at_s: float
    seen: list[tuple[float, Observation]]


def read_files(paths: Sequence[Path], tally: Tally) -> Iterator[Batch]:
    """All files merged by time. Raises Missing or Refused when a file cannot be opened; bad lines are counted in `tally`."""
    with ExitStack() as opened:
        streams = [_steady(_batches(path, _open(path, opened), Reader(), tally), path, tally) for path in paths]
        yield from heapq.merge(*streams, key=lambda batch: batch.at_s)


def _open(path: Path, opened: ExitStack) -> IO[bytes]:
    try:
        file = opened.enter_context(path.open("rb"))
        packed = file.peek(2)[:2] == GZIP_MAGIC
    except FileNotFoundError as problem:
        raise Missing(f"there is no file {path}") from problem
    except OSError as problem:
        raise Refused(f"cannot read {path}: {problem.strerror}") from problem
    return cast("IO[bytes]", opened.enter_context(gzip.GzipFile(fileobj=file))) if packed else file


def _steady(batches: Iterator[Batch], path: Path, tally: Tally) -> Iterator[Batch]:
    """Without lines of a clock that was wrong by days: one such line would stop the replay's clock for all that follow."""
    held: Batch | None = None
    for batch in batches:
        if held is not None and held.at_s - batch.at_s > MAX_AHEAD_S:
            tally.refuse("the clock was more than a day ahead of the next line's", path.name)
        elif held is not None:
            yield held
        held = batch
    if held is not None:
        yield held


def _batches(path: Path, file: IO[bytes], reader: Reader, tally: Tally) -> Iterator[Batch]:
    number = 0
    while True:
        try:
            line = file.readline(MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error) as problem:
            tally.refuse(f"the file is damaged ({type(problem).__name__})", f"{path.name}, after line {number}")
            return
        if not line:
            return
        number += 1
        if line.strip():
            batch = _batch(line, f"{path.name}, line {number}", reader, tally)
            if batch is not None:
                yield batch


def _batch(line: bytes, where: str, reader: Reader, tally: Tally) -> Batch | None:
    tally.lines += 1
    try:
        request = decode_request(line)
        seen = reader.observations(request)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        tally.refuse("no OTLP export request in JSON", f"{where}: {problem}")
        return None
    if request.resource_metrics is None and request.resource_spans is None and request.resource_logs is None:
        tally.refuse("no resourceSpans, resourceMetrics or resourceLogs in it", where)
        return None
    tally.observations += len(seen)
    return Batch(seen[-1][0], seen) if seen else None
