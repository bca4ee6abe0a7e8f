"""Sorts of failure that are new, and known ones that hit more requests than they used to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from bot.rootcause.comparing.chance import more_often
from bot.rootcause.comparing.failures import Failure
from bot.rootcause.comparing.forest import Key
from bot.rootcause.comparing.grammar import MIN_TRACES, Run
from bot.rootcause.comparing.log_texts import Texts
from bot.rootcause.comparing.oddities import MAX_EVIDENCE, Oddity

# The evidence (−log10 p) that counts as strength 1. See docs/diagnosis-traces.md.
NEW_EVIDENCE: Final = 1.5
KNOWN_EVIDENCE: Final = 4.0  # failures of a known sort come in bursts, also in good health
SHOWN: Final = 180  # characters of a failure's sort in a sentence

Visits: TypeAlias = Mapping[str, Mapping[Key, str]]  # service → its visits, with their traces


def visits_by_service(runs: Iterable[Run]) -> Visits:
    found: defaultdict[str, dict[Key, str]] = defaultdict(dict)
    for run in runs:
        found[run.service][run.visit] = run.trace_id
    return found


def failing(usual: list[Failure], now: list[Failure], before: Visits, after: Visits, known: frozenset[str], texts: Texts) -> list[Oddity]:
    """`known`: sorts that are no news. `before` and `after`: all visits of the baseline and of the incident."""
    return [*_new(now, known, before, after), *_spreading(now, usual, texts, (_traces(before), _traces(after)))]


def _traces(visits: Visits) -> int:
    return len({trace for of_service in visits.values() for trace in of_service.values()})


def _new(now: Iterable[Failure], known: frozenset[str], before: Visits, after: Visits) -> Iterator[Oddity]:
    """Sorts that the baseline does not know, taken together for each service that tells of them and each that is to blame."""
    groups: defaultdict[tuple[str, str], list[Failure]] = defaultdict(list)
    for failure in now:
        if failure.sort not in known:
            groups[failure.service, failure.blamed or failure.service].append(failure)
    for (service, blamed), failed in groups.items():
        traces = len({one.trace_id for one in failed})
        if traces < MIN_TRACES:
            continue
        bad, here, there = len({one.visit for one in failed}), after[service], before.get(service, {})
        by_visit = more_often(0, len(there), bad, len(here))
        by_trace = more_often(0, len(set(there.values())), traces, len(set(here.values())))
        what = f"a new sort of failure in {bad} of {len(here)} visits, in none of {len(there)} before"
        yield _failure(blamed, failed, (by_visit + by_trace) / 2 / NEW_EVIDENCE, what)


def _spreading(now: Iterable[Failure], usual: Iterable[Failure], texts: Texts, traces: tuple[int, int]) -> Iterator[Oddity]:
    """Known sorts that now hit more requests, over all services; blamed on the service that the text names, else on the writer.

    `traces`: of the baseline, of the incident.
    """
    before: defaultdict[str, set[str]] = defaultdict(set)
    for failure in usual:
        before[failure.sort].add(failure.trace_id)
    by_sort: defaultdict[str, list[Failure]] = defaultdict(list)
    for failure in now:
        if failure.sort in before:
            by_sort[failure.sort].append(failure)
    for sort, failed in by_sort.items():
        hit = len({one.trace_id for one in failed})
        evidence = more_often(len(before[sort]), traces[0], hit, traces[1])
        blamed: defaultdict[str, list[Failure]] = defaultdict(list)
        for one in failed:
            blamed[one.blamed or texts.named(one.text, one.service) or one.service].append(one)
        for service, part in blamed.items():
            what = f"a known sort of failure in {hit} of {traces[1]} traces, in {len(before[sort])} of {traces[0]} before"
            yield _failure(service, part, evidence / KNOWN_EVIDENCE * len(part) / len(failed), what)


def _failure(service: str, failed: list[Failure], strength: float, what: str) -> Oddity:
    first = min(failed, key=lambda one: one.at_ns)
    return Oddity(
        service=service,
        operation=first.operation,
        fault="exception" if "xception" in first.text else "errors",
        strength=strength,
        what=f"{what}: {first.sort[:SHOWN]}",
        visits=tuple(dict.fromkeys(one.visit for one in failed)),
        instances=Counter(one.instance for one in failed),
        since_ns=first.at_ns,
        evidence=tuple(dict.fromkeys(one.trace_id for one in failed))[:MAX_EVIDENCE],
    )
