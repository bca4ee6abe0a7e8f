"""Requests of one operation and exact figures over a window of them: by end time to detect, by start time to verify."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.model import Measurement, Objective
from bot.telemetry import limits


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an operation. `end_s` of one that has not ended is the moment until which it is known to have run."""

    start_s: float
    end_s: float
    error: bool
    commit: str = ""
    finished: bool = True

    @property
    def duration_ms(self) -> float:
        return (self.end_s - self.start_s) * 1000.0


class Answered(Protocol):
    """A request that ended: a server span, or what a batch holds of one."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def error(self) -> bool: ...
    @property
    def commit(self) -> str: ...
    @property
    def duration_ms(self) -> float: ...


class RequestLog:
    """The last requests of one operation in order of arrival, about 30 bytes each; at most limits.REQUESTS_PER_OBJECTIVE."""

    def __init__(self) -> None:
        self._starts = array("d")
        self._ends = array("d")
        self._latest_ends = array("d")  # of all that arrived until then: what ended since a moment is found without looking at the rest
        self._errors = array("b")
        self._commits = array("H")
        self._commit_names = [""]  # the first one also stands for more different commits than we keep

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, span: Answered) -> None:
        self._starts.append(span.start_s)
        self._ends.append(span.end_s)
        self._latest_ends.append(max(span.end_s, self._latest_ends[-1]) if self._latest_ends else span.end_s)
        self._errors.append(span.error)
        self._commits.append(self._commit_index(span.commit))
        if len(self._starts) > limits.REQUESTS_PER_OBJECTIVE:
            self._forget(limits.REQUESTS_PER_OBJECTIVE // 10)

    def _commit_index(self, commit: str) -> int:
        if commit not in self._commit_names:
            if len(self._commit_names) >= limits.COMMITS_PER_OBJECTIVE:
                return 0
            self._commit_names.append(commit)
        return self._commit_names.index(commit)

    def _forget(self, count: int) -> None:
        for column in (self._starts, self._ends, self._latest_ends, self._errors, self._commits):
            del column[:count]

    def forget_before(self, end_s: float) -> None:
        """Drops the requests at the front that ended before `end_s`."""
        count = next((i for i, end in enumerate(self._ends) if end >= end_s), len(self._ends))
        if count:
            self._forget(count)

    def ended(self, start_s: float, end_s: float) -> list[Request]:
        """Requests that ended in (start_s, end_s]."""
        first = bisect_right(self._latest_ends, start_s)
        return [self._at(i) for i, at in enumerate(self._ends[first:], first) if start_s < at <= end_s]

    def measure(self, objective: Objective, start_s: float, end_s: float) -> Measurement:
        """`measurement` of `ended`, without an object for each request."""
        first = bisect_right(self._latest_ends, start_s)
        chosen = [i for i, at in enumerate(self._ends[first:], first) if start_s < at <= end_s]
        starts, ends, errors, commits = self._starts, self._ends, self._errors, self._commits
        durations = sorted([(ends[i] - starts[i]) * 1000.0 for i in chosen])
        names = {commits[i] for i in chosen}
        in_order = chosen if len(names) == 1 else sorted(chosen, key=starts.__getitem__)
        return Measurement(
            start_s=start_s,
            end_s=end_s,
            requests=len(chosen),
            errors=sum([errors[i] for i in chosen]),
            slow=len(durations) - bisect_right(durations, objective.p99_ms),
            p50_ms=quantile(durations, 0.5),
            p99_ms=quantile(durations, 0.99),
            commits=tuple(self._commit_names[at] for at in dict.fromkeys(commits[i] for i in in_order) if at),
        )

    def started(self, start_s: float, end_s: float) -> list[Request]:
        """Requests that started in [start_s, end_s)."""
        first = bisect_left(self._latest_ends, start_s)  # what ended before did not start later
        return [self._at(i) for i, at in enumerate(self._starts[first:], first) if start_s <= at < end_s]

    def _at(self, i: int) -> Request:
        return Request(self._starts[i], self._ends[i], bool(self._errors[i]), self._commit_names[self._commits[i]])


def quantile(ordered: Sequence[float], q: float) -> float | None:
    """Nearest-rank quantile of ascending values: the smallest value that at least the share `q` does not exceed. None of nothing."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


def measurement(requests: Iterable[Request], objective: Objective, start_s: float, end_s: float) -> Measurement:
    """Exact figures of `requests`; the window's edges are only noted down."""
    requests = sorted(requests, key=lambda request: request.start_s)
    durations = sorted(request.duration_ms for request in requests)
    return Measurement(
        start_s=start_s,
        end_s=end_s,
        requests=len(requests),
        errors=sum(request.error for request in requests),
        slow=sum(request.duration_ms > objective.p99_ms for request in requests),
        p50_ms=quantile(durations, 0.5),
        p99_ms=quantile(durations, 0.99),
        commits=tuple(dict.fromkeys(request.commit for request in requests if request.commit)),
    )


def change_point(requests: Sequence[Request], bad: Sequence[bool]) -> Request | None:
    """The bad request with which the bad time begins: the split that makes both sides likeliest under one failure rate each.

    Maximum likelihood of a Bernoulli sequence with one upward change; `requests` in order of their start. None when none is bad.
    A single bad request long before, as healthy services have them, does not count as the beginning.
    """
    total = sum(bad)
    best: tuple[float, Request] | None = None
    for before, bad_before in _splits(bad):
        after, bad_after = len(bad) - before, total - bad_before
        if before and bad_before * after > bad_after * before:
            continue  # a change for the better
        likelihood = _log_likelihood(bad_before, before) + _log_likelihood(bad_after, after)
        if best is None or likelihood > best[0]:
            best = (likelihood, requests[before])
    return best[1] if best else None


def _splits(bad: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """(requests before, bad ones before) for each bad request."""
    bad_before = 0
    for i, is_bad in enumerate(bad):
        if is_bad:
            yield i, bad_before
            bad_before += 1


def _log_likelihood(hits: int, count: int) -> float:
    if hits in (0, count):
        return 0.0
    return hits * math.log(hits / count) + (count - hits) * math.log((count - hits) / count)
