"""What usually follows what: steps of a run (log lines of a span, or its calls), and which successions are new.

The idea of mining event successions inside a trace and comparing the incident's with those of normal operation: Yu et al., "Nezha:
Interpretable Fine-Grained Root Causes Analysis for Microservices on Multi-modal Observability Data" (ESEC/FSE 2023).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from bot.rootcause.comparing.chance import more_often
from bot.rootcause.comparing.forest import Key

START, END = "(start)", "(end)"
MIN_USUAL = 2  # runs of the baseline that must have passed a step: with fewer nothing is known of what follows it
MAX_USUAL_SHARE = 0.05  # a succession that is commoner in the baseline is usual
MIN_TRACES = 2  # an oddity of a single request is no incident

Kind: TypeAlias = Literal["cut", "error", "repeat", "skip", "new"]


@dataclass(frozen=True, slots=True)
class Run:
    """What one span did, in order."""

    service: str
    instance: str
    operation: str
    trace_id: str
    visit: Key
    at_ns: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is followed by `after` far more often than usual.

    cut: the run ends early; error: an error follows; repeat: the step comes again; skip: a step that usually comes later;
    new: one that this operation did not have before.
    """

    service: str
    operation: str
    before: str
    after: str
    kind: Kind
    usual: tuple[int, int]  # runs with this succession, runs that passed `before`
    now: tuple[int, int]
    evidence: float  # −log10 p
    runs: tuple[Run, ...]  # those of the incident with this succession, oldest first


_Place: TypeAlias = tuple[str, str, str]  # service, operation, step


@dataclass(slots=True)
class _Table:
    passed: defaultdict[_Place, list[Run]] = field(default_factory=lambda: defaultdict(list))
    followed: defaultdict[_Place, defaultdict[str, list[Run]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    steps: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))


def changes(usual: Iterable[Run], now: Iterable[Run], errors: frozenset[str]) -> tuple[Change, ...]:
    """New successions, the strongest evidence first. `errors`: the steps that are errors by themselves."""
    old, new = _table(usual), _table(now)
    found = []
    for place, followers in new.followed.items():
        if len(old.passed.get(place, ())) < MIN_USUAL:
            continue
        known: Mapping[str, list[Run]] = old.followed.get(place, {})
        singles = sum(1 for runs in known.values() if len(runs) == 1)
        for after, runs in followers.items():
            change = _change(place, after, (known.get(after, []), old.passed[place]), (runs, new.passed[place]), singles)
            if change is not None:
                found.append(_named(change, old.steps[place[:2]], errors))
    return tuple(sorted(found, key=lambda one: (-one.evidence, one.service, one.operation, one.before, one.after)))


def _table(runs: Iterable[Run]) -> _Table:
    table = _Table()
    for run in runs:
        steps = (START, *run.steps, END)
        table.steps[run.service, run.operation].update(run.steps)
        for before in dict.fromkeys(steps[:-1]):
            table.passed[run.service, run.operation, before].append(run)
        for before, after in dict.fromkeys(pairwise(steps)):
            table.followed[run.service, run.operation, before][after].append(run)
    return table


def _change(place: _Place, after: str, usual: tuple[list[Run], list[Run]], now: tuple[list[Run], list[Run]], singles: int) -> Change | None:
    """Evidence is the mean of that by runs and that by traces: runs of one trace are not independent, yet more than one.

    Where many followers were seen only once, unseen ones are likely too (Good and Turing: about as likely as those together).
    """
    counts = [len(runs) for runs in (*usual, *now)]
    if counts[0] > max(1, MAX_USUAL_SHARE * counts[1]):
        return None
    traces = [len({run.trace_id for run in runs}) for runs in (*usual, *now)]
    if traces[2] < MIN_TRACES:
        return None
    weighed = [more_often(min(max(k, singles), n), n, now_k, now_n) for k, n, now_k, now_n in (counts, traces)]
    kind: Kind = "cut" if after == END else "repeat" if after == place[2] else "new"
    runs = tuple(sorted(now[0], key=lambda run: run.at_ns))
    return Change(*place, after, kind, (counts[0], counts[1]), (counts[2], counts[3]), sum(weighed) / 2, runs)


def _named(change: Change, known: set[str], errors: frozenset[str]) -> Change:
    if change.kind != "new":
        return change
    kind: Kind = "error" if change.after in errors else "skip" if change.after in known else "new"
    return replace(change, kind=kind)
