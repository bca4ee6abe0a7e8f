"""Which visits failed, with which sorts of failure, and which of those sorts the baseline knows.

A system in good health fails now and then. What a request does after such a failure is no pattern to compare with, and a failure of a known
sort is no news: only how often it happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.comparing.grammar import Run
from bot.rootcause.comparing.log_texts import Texts, is_error
from bot.rootcause.comparing.runs import visit_of
from bot.rootcause.model import LogLine, Source, Span, Window

TYPE_CHARS = 80  # of an exception's text, enough for its type


@dataclass(frozen=True, slots=True)
class Failure:
    """One visit's failure of one sort; `text` is the first line, or the exception, that told of it."""

    source: Source
    visit: Key
    trace_id: str
    service: str  # whose visit it is
    instance: str
    operation: str
    sort: str
    text: str
    at_ns: int
    blamed: str = ""  # another service that failed it, as far as the span shows


def failures(window: Window, forest: Forest, texts: Texts) -> list[Failure]:
    """By error lines and by failed spans, one for each visit and sort."""
    found: dict[tuple[Source, Key, str], Failure] = {}
    for failure in (*_told(window.logs, forest, texts), *_shown(forest, texts)):
        found.setdefault((failure.source, failure.visit, failure.sort), failure)
    return list(found.values())


def _told(logs: Iterable[LogLine], forest: Forest, texts: Texts) -> Iterator[Failure]:
    for line in logs:
        if line.trace_id and is_error(line):
            visit = visit_of(line, forest)
            yield Failure("logs", visit, line.trace_id, line.service, line.instance, "", texts.sort(line), line.body, line.at_ns)


def _shown(forest: Forest, texts: Texts) -> Iterator[Failure]:
    bad = {forest.entry_of[key] for key, span in forest.spans.items() if span.failed or span.exception}
    for key, span in forest.spans.items():
        if not span.failed and not span.exception:
            continue
        kind = span.exception.split(":", 1)[0][:TYPE_CHARS]
        sort = f"{span.service} {span.operation} failed {kind}".rstrip()
        answers = forest.remote(span)
        blamed = answers[0].service if forest.is_call(span) and answers and not _any_bad(answers, forest, bad) else ""
        if forest.is_call(span) and not answers:
            blamed = texts.service(span.peer)
        blamed = "" if blamed == span.service else blamed
        visit = forest.entry_of[key]
        yield Failure(
            "traces", visit, span.trace_id, span.service, span.instance, span.operation, sort, span.exception, span.start_ns, blamed
        )


def _any_bad(answers: Iterable[Span], forest: Forest, bad: Collection[Key]) -> bool:
    return any(forest.entry_of[key_of(answer)] in bad for answer in answers)


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
