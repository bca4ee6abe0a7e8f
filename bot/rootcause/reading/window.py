"""A folder of recorded telemetry as a Window: OTLP requests in JSON, any file names, plain or gzip. Bounded: see `Limits`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bot.errors import Missing, Refused
from bot.recorded.files import NO_REQUEST, Place, Tally, open_file, read_requests
from bot.recorded.messages import Request, decode_logs
from bot.rootcause.model import LogLine, Span, Window
from bot.rootcause.reading.logs import read_logs
from bot.rootcause.reading.sample import TraceSample
from bot.rootcause.reading.series import SeriesReader
from bot.rootcause.reading.spans import read_spans


@dataclass(frozen=True, slots=True)
class Limits:
    """What is held at most. Beyond, whole traces are left out evenly (spans and log lines), or the rest (files, series, points)."""

    files: int = 1_000
    spans: int = 200_000  # about 120 MiB
    log_lines: int = 200_000
    series: int = 20_000
    points: int = 2_000_000


@dataclass(slots=True)
class Loaded:
    """A window with the account of how it was read: `notes` are sentences for people, empty when all was read."""

    window: Window
    tally: Tally
    notes: list[str] = field(default_factory=list)


def load_window(place: Path, limits: Limits = Limits()) -> Loaded:
    """All telemetry in the files of a folder (and its folders), or of one file. Spans by start, log lines by time.

    Lines that are no OTLP are counted in `tally`. Raises Missing when there is nothing at `place`, Refused when a file cannot be read.
    """
    tally, notes = Tally(), list[str]()
    spans, lines, series = (
        TraceSample[Span](limits.spans),
        TraceSample[LogLine](limits.log_lines),
        SeriesReader(limits.series, limits.points),
    )
    for path in _files(place, limits.files, notes):
        with ExitStack() as opened:
            for found in read_requests(open_file(path, opened), path.name, tally):
                _take(found, spans, lines, series, tally)
    notes += [*spans.notes("spans"), *lines.notes("log lines"), *series.notes()]
    notes += [f"{times} × {reason} (first: {tally.first_bad[reason]})" for reason, times in sorted(tally.bad.items())]
    tally.observations = len(spans.kept) + len(lines.kept) + series.points
    window = Window(
        spans=tuple(sorted(spans.kept, key=lambda span: (span.start_ns, span.trace_id, span.span_id))),
        logs=tuple(sorted(lines.kept, key=lambda line: line.at_ns)),  # stable: lines of one moment keep their order
        series=series.series(),
        graph=frozenset(series.edges),
    )
    return Loaded(window, tally, notes)


def _files(place: Path, limit: int, notes: list[str]) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Missing(f"there is no folder {place}: name one with files of OTLP requests in JSON, one a line")
    try:
        found = sorted(path for path in _walk(place) if not path.name.startswith("."))
    except OSError as problem:
        raise Refused(f"cannot read {place}: {problem.strerror}") from problem
    if len(found) > limit:
        notes.append(f"only the first {limit} of {len(found)} files were read")
    return found[:limit]


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files at any depth; links to folders are not followed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _take(found: Place, spans: TraceSample[Span], lines: TraceSample[LogLine], series: SeriesReader, tally: Tally) -> None:
    request: Request = found.request
    for span in read_spans(request.resource_spans or ()):
        spans.add(span.trace_id, span)
    series.read(request.resource_metrics or ())
    if bytes(request.resource_logs):
        for line in _log_lines(request.resource_logs, found.where, tally):
            lines.add(line.trace_id, line)


def _log_lines(raw: msgspec.Raw, where: str, tally: Tally) -> Iterable[LogLine]:
    try:
        return read_logs(decode_logs(raw) or ())
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        tally.refuse(NO_REQUEST, f"{where}: {problem}")
        return ()
