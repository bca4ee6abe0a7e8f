"""OTLP JSON-lines files as one stream of observations in time order. One line of each file is held at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bot.commands.otlp_observations import Reader
from bot.detection.observation import Observation
from bot.recorded.files import NO_REQUEST, Tally, open_file, read_requests

MAX_AHEAD_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The observations of one line, oldest first; `at_s` is when all of them were known."""

    at_s: float
    seen: list[tuple[float, Observation]]


def read_files(paths: Sequence[Path], tally: Tally) -> Iterator[Batch]:
    """All files merged by time. Raises Missing or Refused when a file cannot be opened; bad lines are counted in `tally`."""
    with ExitStack() as opened:
        streams = [_steady(_batches(open_file(path, opened), path.name, Reader(), tally), path, tally) for path in paths]
        yield from heapq.merge(*streams, key=lambda batch: batch.at_s)


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


def _batches(file: IO[bytes], name: str, reader: Reader, tally: Tally) -> Iterator[Batch]:
    for place in read_requests(file, name, tally):
        try:
            seen = reader.observations(place.request)
        except ValueError as problem:
            tally.refuse(NO_REQUEST, f"{place.where}: {problem}")
            continue
        tally.observations += len(seen)
        if seen:
            yield Batch(seen[-1][0], seen)
