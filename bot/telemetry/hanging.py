"""Requests that began and did not end, known by their children: a lower bound of latency before the slow span itself arrives.

A missing span is evidence only where its presence has been the rule. So each objective has a ledger of traces whose entry span came
and did not come, and only more missing ones than it makes plausible count. A trace whose entry service has not been heard of since,
or whose request a process answered that is gone (a deploy), says nothing.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from bot.model import Objective
from bot.telemetry import limits
from bot.telemetry.entries import Entries, Key, entry_of, key, topmost
from bot.telemetry.span import Span
from bot.telemetry.store import SpanStore, Trace
from bot.telemetry.windows import Request

EXPORT_DELAY_S = 2.0  # exporters send in batches: a finished span may take this long to arrive, as long as nothing better is known
LAGS = 256  # of the last spans of a service: between its end and its arrival
LAG_QUANTILE = 0.99  # the ledger makes up for the rest
LAG_MARGIN = 1.5
DELAY_RANGE_S = (0.25, 10.0)
LOST_S = 60.0  # a trace that has not finished by then never will: its entry span is lost
LEDGER_MIN = 30
LEDGER_MAX = 5_000  # then both sides are halved


@dataclass(slots=True)
class OpenTrace:
    trace: Trace
    first_s: float  # start of the earliest span that we know
    keys: set[Key] = field(default_factory=set)
    servers: set[Key] = field(default_factory=set)  # operations whose server span has arrived
    rooted_s: float | None = None  # when a span without a parent arrived
    booked: Key | None = None  # counted as missing in this entry's ledger


@dataclass(slots=True)
class Ledger:
    """Of the traces that were due, how many entry spans came and how many did not. `due` holds the moments when those that came count."""

    arrived: int = 0
    missing: int = 0
    due: deque[float] = field(default_factory=lambda: deque(maxlen=LEDGER_MAX))

    def tick(self, now_s: float) -> None:
        """Counts what came only when it would count as missing, had it not come: else the first minute would look better than it is."""
        while self.due and self.due[0] <= now_s:
            self.due.popleft()
            self.arrived += 1
        if self.arrived + self.missing > LEDGER_MAX:
            self.arrived //= 2
            self.missing //= 2

    def plausible_losses(self, requests: int) -> float:
        """How many of `requests` entry spans may be lost with nothing being wrong; infinite before the ledger has enough entries.

        The loss rate's upper bound is (missing + 3) / total (the rule of three), the count's is its mean plus three deviations (Poisson).
        """
        total = self.arrived + self.missing
        if total < LEDGER_MIN:
            return math.inf
        expected = requests * min(1.0, (self.missing + 3) / total)
        return expected + 3.0 * math.sqrt(expected)


@dataclass(slots=True)
class Lags:
    """How long the spans of one service take to arrive."""

    last_s: deque[float] = field(default_factory=lambda: deque(maxlen=LAGS))
    delay_s: float = EXPORT_DELAY_S

    def learn(self) -> None:
        if len(self.last_s) == LAGS:
            usual_s = sorted(self.last_s)[int(LAG_QUANTILE * LAGS)]
            self.delay_s = min(DELAY_RANGE_S[1], max(DELAY_RANGE_S[0], LAG_MARGIN * usual_s))


class Hanging:
    """Follows open traces of the objectives' operations. Call `observe` for each stored span and `tick` before asking."""

    def __init__(self, objectives: Collection[Objective], store: SpanStore) -> None:
        self._objectives = {(o.service, o.operation): o for o in objectives}
        self._store = store
        self._open: OrderedDict[bytes, OpenTrace] = OrderedDict()
        self._entries = Entries()
        self._ledgers = {entry: Ledger() for entry in self._objectives}
        self._lags = {service: Lags() for service, _ in self._objectives}
        self._heard_until_s: dict[str, float] = {}  # end of the last span of each objective's service
        self._soonest_s = min((o.p99_ms / 1000.0 + o.window_s for o in objectives), default=math.inf)  # before it nothing is booked

    def observe(self, trace: Trace, span: Span, now_s: float) -> None:
        lags = self._lags.get(span.service)
        if lags is not None:
            lags.last_s.append(now_s - span.end_s)
            until_s = self._heard_until_s.get(span.service, -math.inf)
            self._heard_until_s[span.service] = max(until_s, min(span.end_s, now_s))
        if trace.settled:
            return
        opened = self._open.get(trace.id)
        if opened is None or opened.trace is not trace:
            if span.start_s <= self._store.horizon_s:
                trace.settled = True
                self._open.pop(trace.id, None)
                return
            opened = self._open[trace.id] = OpenTrace(trace, span.start_s)
            if len(self._open) > limits.OPEN_TRACES:
                self._open.popitem(last=False)[1].trace.settled = True
        opened.first_s = min(opened.first_s, span.start_s)
        if len(opened.keys) < limits.KEYS_PER_OPEN_TRACE:
            opened.keys.add(key(span))
        if span.kind == "server" and key(span) in self._objectives:
            opened.servers.add(key(span))
        if not span.parent_id:
            opened.rooted_s = now_s

    def forget(self, unless: Callable[[bytes], bool]) -> None:
        """Traces of which no more is kept say nothing: all go but those whose id `unless` holds for."""
        for opened in list(self._open.values()):
            if not unless(opened.trace.id):
                self._settle(opened, None)

    def tick(self, now_s: float, broken: Collection[Key]) -> None:
        """Settles what has finished or is lost. `broken`: objectives that are broken now, whose missing spans are no telemetry loss."""
        for lags in self._lags.values():
            lags.learn()
        for ledger in self._ledgers.values():
            ledger.tick(now_s)
        traces = self._store.traces
        for opened in list(self._open.values()):
            if traces.get(opened.trace.id) is not opened.trace:
                self._settle(opened, None)
            elif opened.rooted_s is not None and now_s - opened.rooted_s >= EXPORT_DELAY_S:
                entry = entry_of(opened.trace)
                if entry is not None:
                    self._settle(opened, entry)
            if not opened.trace.settled and now_s - opened.first_s > LOST_S:
                self._settle(opened, topmost(opened.trace))
            elif not opened.trace.settled and opened.booked is None and now_s - opened.first_s > self._soonest_s:
                self._book_missing(opened, now_s, broken)

    def _settle(self, opened: OpenTrace, entry: Span | None) -> None:
        opened.trace.settled = True
        del self._open[opened.trace.id]
        if entry is None:
            return
        self._entries.learn(opened.trace, entry)
        ledger = self._ledgers.get(key(entry))
        if ledger is not None and len(opened.trace.spans) > 1:
            ledger.due.append(self._booked_s(opened, self._objectives[key(entry)]))
            if opened.booked == key(entry):
                ledger.missing = max(0, ledger.missing - 1)

    def _book_missing(self, opened: OpenTrace, now_s: float, broken: Collection[Key]) -> None:
        entry = self._missing_entry(opened)
        if entry is None or entry in broken:
            return
        objective = self._objectives[entry]
        if now_s > self._booked_s(opened, objective) and self._counts(opened, objective, now_s):
            opened.booked = entry
            self._ledgers[entry].missing += 1

    def _missing_entry(self, opened: OpenTrace) -> Key | None:
        entry = self._entries.name(opened.keys)
        return entry if entry in self._objectives and entry not in opened.servers else None

    def _overdue_s(self, opened: OpenTrace, objective: Objective) -> float:
        """The moment from which on the request counts as slow."""
        return opened.first_s + objective.p99_ms / 1000.0 + self._lags[objective.service].delay_s

    def _booked_s(self, opened: OpenTrace, objective: Objective) -> float:
        """The moment from which on a missing entry span is taken for lost, unless the objective is broken by then."""
        return self._overdue_s(opened, objective) + objective.window_s

    def _counts(self, opened: OpenTrace, objective: Objective, now_s: float) -> bool:
        """Whether the missing span would have arrived, had the request ended in time."""
        in_time_s = opened.first_s + objective.p99_ms / 1000.0
        if self._heard_until_s.get(objective.service, -math.inf) <= in_time_s:
            return False
        serving = self._store.commits.serving(objective.service, now_s)
        return serving is None or opened.first_s >= serving[1]

    def overdue(self, objective: Objective, now_s: float) -> Iterator[tuple[float, Request, Trace]]:
        """(moment it became overdue, what is known of it, its trace) of each request that seems to hang."""
        entry = (objective.service, objective.operation)
        after_s = objective.p99_ms / 1000.0 + self._lags[objective.service].delay_s
        for opened in self._open.values():
            overdue_s = opened.first_s + after_s
            if overdue_s < now_s and self._missing_entry(opened) == entry and self._counts(opened, objective, now_s):
                yield overdue_s, Request(opened.first_s, now_s, error=False, finished=False), opened.trace

    def plausible_losses(self, objective: Objective, requests: int) -> float:
        """How many entry spans out of `requests` may be missing although nothing hangs."""
        return self._ledgers[(objective.service, objective.operation)].plausible_losses(requests)
