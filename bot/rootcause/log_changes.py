"""What the log lines of an incident say that those of the baseline do not: broken successions, new sorts of failure, known ones that spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bot.rootcause.chance import more_often
from bot.rootcause.failures import Failure, failures, touched, untouched_runs
from bot.rootcause.forest import Forest, Key, plant
from bot.rootcause.grammar import END, MIN_TRACES, Change, Kind, Run, changes
from bot.rootcause.log_texts import Texts, is_error
from bot.rootcause.model import Fault, Window
from bot.rootcause.oddities import MAX_EVIDENCE, Oddity
from bot.rootcause.runs import log_runs

# The evidence (−log10 p) that counts as strength 1. Runs that end early and errors hardly ever differ between healthy windows; which
# branch is taken depends on what users do, so those changes need far more. See docs/diagnosis-traces.md.
FULL_EVIDENCE: Final[Mapping[Kind, float]] = {"cut": 1.5, "error": 1.5, "repeat": 3.0, "skip": 3.0, "new": 4.0}
NEW_FAILURE_EVIDENCE: Final = 1.5
KNOWN_FAILURE_EVIDENCE: Final = 4.0  # failures of a known sort come in bursts, also in good health
SHOWN = 90  # characters of a step in a sentence


@dataclass(frozen=True, slots=True)
class Compared:
    """`oddities` of the incident; `shared`: successions that both windows passed; `work`: visits by service and instance."""

    oddities: tuple[Oddity, ...]
    forest: Forest
    shared: int
    work: Mapping[str, Counter[str]]
    known: frozenset[str]  # sorts of failure


def compare_logs(incident: Window, baseline: Window, services: frozenset[str], known: frozenset[str] = frozenset()) -> Compared:
    """Both windows with lines that name their trace. `known`: sorts of failure that are no news although the baseline has none of them."""
    texts = Texts(services)
    old, new = plant(baseline.spans), plant(incident.spans)
    old_failed, new_failed = failures(baseline, old, texts), failures(incident, new, texts)
    known |= {failure.sort for failure in old_failed}
    all_old, all_new = log_runs(baseline.logs, old, texts), log_runs(incident.logs, new, texts)
    old_runs = untouched_runs(all_old, touched(old_failed, old))
    new_runs = untouched_runs(all_new, touched(new_failed, new), known)
    errors = frozenset(texts.step(line) for line in incident.logs if is_error(line))
    found = [_broken(change) for change in changes(old_runs, new_runs, errors)]
    found += _new_failures(new_failed, known, _visits(all_new), _visits(all_old))
    found += _spreading(new_failed, old_failed, texts, (_traces(all_old), _traces(all_new)))
    passed = {(run.service, run.operation, step) for run in old_runs for step in run.steps}
    shared = len({(run.service, run.operation, step) for run in new_runs for step in run.steps} & passed)
    return Compared(tuple(found), new, shared, _work(all_new), known)


def _broken(change: Change) -> Oddity:
    fault: Fault = "errors" if change.kind == "error" else "exception" if change.kind in ("cut", "skip") else "unknown"
    first = change.runs[0]
    seldom = f"{change.usual[0]} of {change.usual[1]} times before, {change.now[0]} of {change.now[1]} now"
    then = "nothing more is logged" if change.after == END else f"comes {change.after[:SHOWN]}"
    return Oddity(
        service=change.service,
        operation=change.operation,
        fault=fault,
        strength=change.evidence / FULL_EVIDENCE[change.kind],
        what=f"after {change.before[:SHOWN]} {then}: {seldom}",
        visits=tuple(dict.fromkeys(run.visit for run in change.runs)),
        instances=Counter(run.instance for run in change.runs),
        since_ns=first.at_ns,
        evidence=tuple(dict.fromkeys(run.trace_id for run in change.runs))[:MAX_EVIDENCE],
    )


_Visits: TypeAlias = Mapping[str, Mapping[Key, str]]  # service → its visits, with their traces


def _visits(runs: Iterable[Run]) -> _Visits:
    found: defaultdict[str, dict[Key, str]] = defaultdict(dict)
    for run in runs:
        found[run.service][run.visit] = run.trace_id
    return found


def _traces(runs: Iterable[Run]) -> int:
    return len({run.trace_id for run in runs})


def _work(runs: Iterable[Run]) -> Mapping[str, Counter[str]]:
    work: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for visit, service, instance in {(run.visit, run.service, run.instance) for run in runs}:
        if visit:
            work[service][instance] += 1
    return work


def _new_failures(now: Iterable[Failure], known: frozenset[str], visits: _Visits, old_visits: _Visits) -> Iterable[Oddity]:
    """Sorts that the baseline does not know, taken together for each service that tells of them."""
    by_service: defaultdict[str, list[Failure]] = defaultdict(list)
    for failure in now:
        if failure.sort not in known:
            by_service[failure.service].append(failure)
    for service, failed in by_service.items():
        traces = len({one.trace_id for one in failed})
        if traces < MIN_TRACES:
            continue
        bad, here, there = len({one.visit for one in failed}), visits[service], old_visits.get(service, {})
        by_visit = more_often(0, len(there), bad, len(here))
        by_trace = more_often(0, len(set(there.values())), traces, len(set(here.values())))
        what = f"a new sort of failure in {bad} of {len(here)} visits, in none of {len(there)} before"
        yield _failure(service, failed, (by_visit + by_trace) / 2 / NEW_FAILURE_EVIDENCE, what)


def _spreading(now: Iterable[Failure], usual: Iterable[Failure], texts: Texts, traces: tuple[int, int]) -> Iterable[Oddity]:
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
            blamed[texts.named(one.text, one.service) or one.service].append(one)
        for service, part in blamed.items():
            what = f"a known sort of failure in {hit} of {traces[1]} traces, in {len(before[sort])} of {traces[0]} before"
            yield _failure(service, part, evidence / KNOWN_FAILURE_EVIDENCE * len(part) / len(failed), what)


def _failure(service: str, failed: list[Failure], strength: float, what: str) -> Oddity:
    first = min(failed, key=lambda one: one.at_ns)
    return Oddity(
        service=service,
        operation=first.operation,
        fault="exception" if "xception" in first.text else "errors",
        strength=strength,
        what=f"{what}: {first.sort[-2 * SHOWN :]}",
        visits=tuple(dict.fromkeys(one.visit for one in failed)),
        instances=Counter(one.instance for one in failed),
        since_ns=first.at_ns,
        evidence=tuple(dict.fromkeys(one.evidence for one in failed))[:MAX_EVIDENCE],
    )
