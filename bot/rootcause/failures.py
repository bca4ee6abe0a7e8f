"""Which visits failed, with which sorts of failure, and which of those sorts the baseline knows.

A system in good health fails now and then. What a request does after such a failure is no pattern to compare with, and a failure of a known
sort is no news: only how often it happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.rootcause.forest import Forest, Key
from bot.rootcause.grammar import Run
from bot.rootcause.log_texts import Texts, is_error
from bot.rootcause.model import LogLine, Window
from bot.rootcause.runs import visit_of

TYPE_CHARS = 80  # of an exception's text, enough for its type


@dataclass(frozen=True, slots=True)
class Failure:
    """One visit's failure of one sort; `text` is the first line, or the exception, that told of it."""

    visit: Key
    trace_id: str
    service: str
    instance: str
    sort: str
    text: str
    at_ns: int
    evidence: str  # an id that a reader can look up
    operation: str = ""


def failures(window: Window, forest: Forest, texts: Texts) -> list[Failure]:
    """By error lines and by failed spans, one for each visit and sort."""
    found: dict[tuple[Key, str], Failure] = {}
    for failure in (*_told(window.logs, forest, texts), *_shown(forest)):
        found.setdefault((failure.visit, failure.sort), failure)
    return list(found.values())


def _told(logs: Iterable[LogLine], forest: Forest, texts: Texts) -> Iterable[Failure]:
    for line in logs:
        if line.trace_id and is_error(line):
            visit = visit_of(line, forest)
            yield Failure(visit, line.trace_id, line.service, line.instance, texts.sort(line), line.body, line.at_ns, line.trace_id)


def _shown(forest: Forest) -> Iterable[Failure]:
    for key, span in forest.spans.items():
        if span.failed or span.exception:
            kind = span.exception.split(":", 1)[0][:TYPE_CHARS]
            sort = f"{span.service} {span.operation} failed {kind}".rstrip()
            visit = forest.entry_of[key]
            yield Failure(
                visit, span.trace_id, span.service, span.instance, sort, span.exception, span.start_ns, span.trace_id, span.operation
            )


def touched(failed: Iterable[Failure], forest: Forest) -> Mapping[Key, frozenset[str]]:
    """The sorts of failure that a visit met, in itself or in what it called."""
    met: defaultdict[Key, set[str]] = defaultdict(set)
    for failure in failed:
        for visit in (failure.visit, *forest.callers(failure.visit)):
            met[visit].add(failure.sort)
    return {visit: frozenset(sorts) for visit, sorts in met.items()}


def untouched_runs(runs: Iterable[Run], met: Mapping[Key, frozenset[str]], known: Collection[str] | None = None) -> list[Run]:
    """Runs of visits that met no failure, or, when `known` is given, not only known sorts of failure."""
    if known is None:
        return [run for run in runs if run.visit not in met]
    return [run for run in runs if run.visit not in met or not all(sort in known for sort in met[run.visit])]
