"""Where bad exemplar traces spend longer than good ones: whose own time it is, and who asks more often than usual.

Own time is exclusive (bot/rootcause/traces/visits.py): a slow callee does not make its caller's longer. Time that a callee spends only
because it is asked more often counts for whoever asks. What has not ended shows no call that it waits for: a span is sent when it ends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from bot.diagnosis.exemplars import KINDS, forest_of
from bot.diagnosis.wording import words
from bot.evidence import TraceView
from bot.rootcause.comparing.forest import MAX_DEPTH, Forest
from bot.rootcause.model import Span
from bot.rootcause.traces.visits import NS_PER_MS, visits

LONGER_BY = 0.1  # of the good exemplars' time: bad ones that last less than this longer tell nothing
ASKS_MORE = 1.5  # times as many calls for each visit as in good exemplars: the rest is chance
TELLING_NAME = 0.5  # of what the service got slower by: a span's name with so much of it says in which part of the code

Call = tuple[str, str]  # caller, peer


@dataclass(frozen=True)
class Spent:
    """What one service has of the extra time. `ids`: a span of it in each bad trace; `asked`: whom it asks more often, "" nobody."""

    share: float  # of all that the bad exemplars take longer
    before_ms: float  # own time in a good trace, median
    now_ms: float
    ids: tuple[str, ...]
    asked: str = ""
    words: frozenset[str] = frozenset()  # of the spans' names that the time is spent in


@dataclass
class _Ledger:
    """One trace: milliseconds by service, milliseconds by (caller, peer) that no visit accounts for, visits by (caller, callee)."""

    own_ms: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    waited_ms: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    longest: dict[str, tuple[float, str]] = field(default_factory=dict)  # service → its span with the most own time


def spent(traces: Sequence[TraceView], begun: frozenset[Call] = frozenset()) -> Mapping[str, Spent]:
    """By service. Empty when there are no good or no bad exemplars to compare, or the bad ones hardly last longer.

    `begun`: calls of which it is known otherwise that they began and have not ended (bot/diagnosis/silence.py).
    """
    bad, good = ([_ledger(one, begun) for one in traces if one.bad is flag and one.spans] for flag in (True, False))
    if not bad or not good:
        return {}
    services = {service for one in (*bad, *good) for service in one.own_ms}
    edges = {edge for one in (*bad, *good) for edge in one.waited_ms}
    own = {service: (median(one.own_ms[service] for one in good), median(one.own_ms[service] for one in bad)) for service in services}
    waited = {edge: (median(one.waited_ms[edge] for one in good), median(one.waited_ms[edge] for one in bad)) for edge in edges}
    extra: defaultdict[str, float] = defaultdict(float)
    asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for service, (before_ms, now_ms) in own.items():
        _charge(service, (before_ms, now_ms), _asker(service, bad, good), extra, asked)
    for (caller, peer), (before_ms, now_ms) in waited.items():
        _charge(peer, (before_ms, now_ms), _asking(caller, peer, bad, good), extra, asked)
    whole_ms = sum(extra.values())
    if whole_ms < LONGER_BY * (sum(before for before, _ in own.values()) + sum(before for before, _ in waited.values())):
        return {}
    names = _slower_names(traces)
    found = {}
    for service, ms in extra.items():
        times = own.get(service, (0.0, 0.0))
        ids = tuple(one.longest[service][1] for one in bad if service in one.longest)
        callee = next((name for name, _ in asked[service].most_common(1)), "")
        found[service] = Spent(ms / whole_ms, *times, ids, callee, names.get(service, frozenset()) | words(callee))
    return found


Asker = tuple[str, str, float]  # who asks more often, whom, and the share of the callee's time that the further calls take


def _charge(
    place: str, took_ms: tuple[float, float], asker: Asker | None, extra: defaultdict[str, float], asked: defaultdict[str, Counter[str]]
) -> None:
    """Adds what a place takes longer (`took_ms`: before and now), to itself and to who asks it more often."""
    more_ms = took_ms[1] - took_ms[0]
    if more_ms <= 0:
        return
    service, callee, share = asker or ("", "", 0.0)
    asked_ms = min(more_ms, share * took_ms[1])
    extra[place] += more_ms - asked_ms
    if asked_ms:
        extra[service] += asked_ms
        asked[service][callee] += round(asked_ms)


def _asker(service: str, bad: Sequence[_Ledger], good: Sequence[_Ledger]) -> Asker | None:
    """The nearest caller above `service` that makes more of its calls for each visit than it used to."""
    for _ in range(MAX_DEPTH):
        callers = Counter[str]()
        for one in bad:
            callers.update({caller: n for (caller, callee), n in one.calls.items() if callee == service and caller != service})
        if not callers:
            return None
        caller = max(sorted(callers), key=lambda name: callers[name])
        found = _asking(caller, service, bad, good)
        if found is not None:
            return found
        service = caller
    return None


def _asking(caller: str, callee: str, bad: Sequence[_Ledger], good: Sequence[_Ledger]) -> Asker | None:
    now, before = (mean(one.calls[caller, callee] / max(one.visits[caller], 1) for one in some) for some in (bad, good))
    return (caller, callee, 1.0 - before / now) if now > ASKS_MORE * before and now > 1.0 else None


def _ledger(trace: TraceView, begun: frozenset[Call]) -> _Ledger:
    forest, ledger, waits = forest_of([trace]), _Ledger(), _waits(trace, begun)
    for visit in visits(forest):
        if visit.key[1] in waits:
            ledger.waited_ms[waits[visit.key[1]]] += max(visit.own_ms, 0.0)
        else:
            ledger.own_ms[visit.service] += max(visit.own_ms, 0.0)
        ledger.visits[visit.service] += 1
        ledger.calls[visit.caller, visit.service] += 1
        ledger.waited_ms[visit.caller, visit.service] += max(visit.gap_ms or 0.0, 0.0)
        ledger.longest[visit.service] = max(ledger.longest.get(visit.service, (-1.0, "")), (visit.own_ms, visit.key[1]))
    for span in forest.spans.values():
        if forest.is_call(span) and not forest.remote(span) and span.peer:
            ledger.calls[span.service, span.peer] += 1
            ledger.waited_ms[span.service, span.peer] += (span.end_ns - span.start_ns) / NS_PER_MS
    return ledger


def _waits(trace: TraceView, begun: frozenset[Call]) -> Mapping[str, Call]:
    """The unfinished spans of a trace that wait for a call which it does not show, by their ids."""
    shown = {(span.service, span.peer) for span in trace.spans if span.kind == "client"}
    waiting = {caller: (caller, peer) for caller, peer in sorted(begun - shown)}
    return {span.id: waiting[span.service] for span in trace.spans if not span.finished and span.service in waiting}


def _slower_names(traces: Sequence[TraceView]) -> Mapping[str, frozenset[str]]:
    """Service → words of the names of its spans that most of what it got slower by is spent in."""
    bad, good = (_by_name([trace for trace in traces if trace.bad is flag]) for flag in (True, False))
    more: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (service, name), now_ms in bad.items():
        more[service][name] = max(0.0, now_ms - good.get((service, name), 0.0))
    return {
        service: frozenset().union(*(words(name) for name, ms in found.items() if name and ms and ms >= TELLING_NAME * sum(found.values())))
        for service, found in more.items()
    }


def _by_name(traces: Sequence[TraceView]) -> Mapping[tuple[str, str], float]:
    """Mean milliseconds of a trace in steps of one name, without what is below them; "" is the rest of what a service does itself."""
    total: defaultdict[tuple[str, str], float] = defaultdict(float)
    for trace in traces:
        forest = forest_of([trace])
        for span in forest.spans.values():
            if not forest.is_call(span):
                total[span.service, span.operation if span.kind == KINDS["internal"] else ""] += _alone_ms(span, forest) / len(traces)
    return total


def _alone_ms(span: Span, forest: Forest) -> float:
    below_ns = sum(kid.end_ns - kid.start_ns for kid in forest.kids(span))
    return max(span.end_ns - span.start_ns - below_ns, 0) / NS_PER_MS
