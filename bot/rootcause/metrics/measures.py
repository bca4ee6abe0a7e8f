"""From metric series to measures that can be compared: one value for each interval, service (or edge, or instance) and quantity.

Counters become increments, attribute sets and instances are put together, of several statistics of a duration the one that adds up best is
kept, and shares of failures become numbers of failed requests. What the baseline is measured by, the incident is measured by.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from bot.rootcause.metrics.keys import Key, Label, Values
from bot.rootcause.metrics.quantities import OUTGOING, quantity_of, rank_of, words_of
from bot.rootcause.metrics.shares import shares_of_requests
from bot.rootcause.model import Series, Window

NS_PER_S = 1e9
DEFAULT_STEP_NS = 60 * 10**9  # when no series has two points
MIN_STEP_NS = 10**9
STEP_SERIES = 200  # so many series tell the interval between points
NOMINAL_REQUESTS = 100.0  # an interval's, when only the share of failures is known
LARGEST = 1e18  # of a value: sums and products of what a broken exporter writes stay finite
WHOLE = 0.9  # of the values of a count are whole numbers; else it is a rate a second
CHOSEN = ("time", "requests", "failures", "share")  # one series speaks for each; each processor and work series for itself
SUMMED = frozenset({"requests", "failures"})
SOURCE_WORDS = OUTGOING | {"source", "caller"}


@dataclass(frozen=True, slots=True)
class Choice:
    """How the baseline is measured: interval length, series by (quantity, service, caller), and metrics that show the caller's side."""

    step_ns: int
    labels: Mapping[tuple[str, str, str], Label]
    callers_side: frozenset[str]
    counts_good: frozenset[str]  # shares that are near 1 in health
    percent: frozenset[str]  # shares from 0 to 100
    shares: frozenset[str]  # of requests, as their values show: share × requests is a whole number
    rates: frozenset[str]  # requests a second instead of a count


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of a window over its intervals, ascending. `edges` are (caller, callee)."""

    choice: Choice
    intervals: tuple[int, ...]
    values: Mapping[Key, Values]
    edges: frozenset[tuple[str, str]]


def measure(window: Window, choice: Choice | None = None) -> Measures:
    """Measures of a window; `choice` of the baseline when this is the incident."""
    step_ns = choice.step_ns if choice else step_of(window.series)
    raw = _raw(window.series, step_ns)
    raw = _told_apart(raw, choice.shares if choice else shares_of_requests({key: one.points for key, one in raw.items()}))
    choice = choice or _choose(raw, step_ns)
    values = _chosen(raw, choice)
    _failures_of_shares(values, choice)
    _services_of_edges(values)
    intervals = sorted({at for one in values.values() for at in one})
    edges = window.graph | {(series.client, series.server) for series in window.series if series.client and series.server}
    return Measures(choice, tuple(intervals), values, frozenset(edges))


def step_of(series: Iterable[Series]) -> int:
    """The usual time between two points of a series, in ns."""
    gaps = [b - a for one in list(series)[:STEP_SERIES] for a, b in pairwise(one.times_ns)]
    return max(MIN_STEP_NS, round(median(gaps))) if gaps else DEFAULT_STEP_NS


class _Raw(NamedTuple):
    rank: float
    points: dict[str, Values]  # by instance


def _raw(series: Iterable[Series], step_ns: int) -> dict[Key, _Raw]:
    """By key without instance: attribute sets summed where they count, else averaged."""
    found: defaultdict[Key, dict[str, list[Values]]] = defaultdict(lambda: defaultdict(list))
    ranks: dict[Key, float] = {}
    for one in series:
        quantity = quantity_of(one)
        if quantity == "ignored":
            continue
        service, caller = (one.server, one.client) if one.client and one.server else (one.service, "")
        if not service:  # nobody to accuse
            continue
        key = Key(quantity, service, caller, "", Label(one.metric, one.statistic))
        ranks[key] = rank_of(one)
        found[key][one.instance].append(_binned(one, step_ns))
    return {key: _Raw(ranks[key], {who: _joined(sets, key.quantity) for who, sets in by.items()}) for key, by in found.items()}


def _told_apart(raw: Mapping[Key, _Raw], shares: Collection[str]) -> dict[Key, _Raw]:
    return {(key._replace(quantity="share") if key.label.metric in shares else key): one for key, one in raw.items()}


def _binned(series: Series, step_ns: int) -> Values:
    points = [(at, min(max(value, -LARGEST), LARGEST)) for at, value in zip(series.times_ns, series.values, strict=True)]
    if series.instrument == "cumulative":  # a counter that restarts loses one interval
        points = [(at, value - before) for (_, before), (at, value) in pairwise(points) if value >= before]
    once = {round(at / step_ns): value for at, value in points}
    if len(once) == len(points):
        return once
    found: dict[int, list[float]] = {}
    for at, value in points:
        found.setdefault(round(at / step_ns), []).append(value)
    return {at: sum(values) if series.instrument != "gauge" else sum(values) / len(values) for at, values in found.items()}


def _joined(sets: list[Values], quantity: str) -> Values:
    if len(sets) == 1:
        return sets[0]
    together: defaultdict[int, list[float]] = defaultdict(list)
    for one in sets:
        for at, value in one.items():
            together[at].append(value)
    return {at: sum(values) if quantity in SUMMED else sum(values) / len(values) for at, values in together.items()}


def _choose(raw: Mapping[Key, _Raw], step_ns: int) -> Choice:
    candidates: defaultdict[tuple[str, str, str], list[tuple[float, int, Label]]] = defaultdict(list)
    for key, one in raw.items():
        if key.quantity in CHOSEN:
            candidates[key.quantity, key.service, key.caller].append((one.rank, -sum(map(len, one.points.values())), key.label))
    sides = _callers_side(raw)
    labels: dict[tuple[str, str, str], Label] = {}
    for whose, choices in candidates.items():
        served = [choice for choice in choices if choice[2].metric not in sides]
        if whose[0] == "time" and whose[2] and len(served) < len(choices):
            labels["source", whose[1], whose[2]] = min(choice for choice in choices if choice[2].metric in sides)[2]
        labels[whose] = min(served or choices)[2]
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for key, one in raw.items():
        if key.quantity == "share":
            shares[key.label.metric].extend(value for points in one.points.values() for value in points.values())
    percent = frozenset(metric for metric, values in shares.items() if max(values, default=0.0) > 1.0)
    good = frozenset(m for m, values in shares.items() if values and median(values) > (50.0 if m in percent else 0.5))
    return Choice(step_ns, labels, sides, good, percent, frozenset(shares), _rates(raw))


def _callers_side(raw: Mapping[Key, _Raw]) -> frozenset[str]:
    """Metrics of an edge's time that show what the caller sees: of two the one that is mostly longer; of one its name's word."""
    longer: defaultdict[tuple[str, str], int] = defaultdict(int)
    by_edge: defaultdict[tuple[str, str], dict[str, Values]] = defaultdict(dict)
    best: dict[tuple[str, str, str], float] = {}
    for key, one in raw.items():
        edge = (key.caller, key.service)
        if key.quantity == "time" and key.caller and one.rank < best.get((*edge, key.label.metric), math.inf):
            best[*edge, key.label.metric] = one.rank
            by_edge[edge][key.label.metric] = _joined(list(one.points.values()), "time")
    for metrics in by_edge.values():
        for one_metric, values in metrics.items():
            for other, others in metrics.items():
                longer[one_metric, other] += sum(values[at] > others[at] for at in values.keys() & others.keys())
    rivals = {pair for pair in longer if pair[0] != pair[1]}
    found = {one for one, other in rivals if longer[one, other] > longer[other, one]}
    alone = {metric for metrics in by_edge.values() for metric in metrics} - {metric for pair in rivals for metric in pair}
    return frozenset(found | {metric for metric in alone if words_of(metric) & SOURCE_WORDS})


def _chosen(raw: Mapping[Key, _Raw], choice: Choice) -> dict[Key, Values]:
    values: dict[Key, Values] = {}
    for key, one in raw.items():
        whose = (key.quantity, key.service, key.caller)
        if key.quantity not in CHOSEN:
            quantities, label = [key.quantity], key.label
        else:
            quantities = [
                q
                for q in (key.quantity, "source")
                if choice.labels.get((q, *whose[1:])) == key.label and (q == whose[0] or whose[0] == "time")
            ]
            label = Label("", "")
        for quantity in quantities:
            values[Key(quantity, key.service, key.caller, "", label)] = _joined(list(one.points.values()), quantity)
            if len(one.points) > 1:
                for instance, points in one.points.items():
                    values[Key(quantity, key.service, key.caller, instance, label)] = points
    for key in [key for key in values if key.quantity == "requests"]:
        if choice.labels["requests", key.service, key.caller].metric in choice.rates:
            values[key] = {at: value * choice.step_ns / NS_PER_S for at, value in values[key].items()}
    return values


def _rates(raw: Mapping[Key, _Raw]) -> frozenset[str]:
    """Metrics of requests whose values are mostly no whole numbers."""
    counts: defaultdict[str, list[float]] = defaultdict(list)
    for key, one in raw.items():
        if key.quantity == "requests":
            counts[key.label.metric].extend(value for points in one.points.values() for value in points.values())
    return frozenset(metric for metric, found in counts.items() if sum(value == round(value) for value in found) < WHOLE * len(found))


def _failures_of_shares(values: dict[Key, Values], choice: Choice) -> None:
    """Failed requests from their share; an interval without requests has none."""
    for key in [key for key in values if key.quantity == "share"]:
        failures = key._replace(quantity="failures")
        if failures in values:
            continue
        metric = choice.labels["share", key.service, key.caller].metric
        requests = values.get(key._replace(quantity="requests"))
        known = dict.fromkeys(values[key], NOMINAL_REQUESTS) if requests is None else requests
        scale = 100.0 if metric in choice.percent else 1.0
        found: Values = {at: 0.0 for at, count in known.items() if count == 0}
        for at in values[key].keys() & known.keys():
            share = min(max(values[key][at] / scale, 0.0), 1.0)
            found[at] = known[at] * (1.0 - share if metric in choice.counts_good else share)
        values[failures] = found


def _services_of_edges(values: dict[Key, Values]) -> None:
    """A service that has no measures of its own has those of the calls to it: sums of counts, means of times by calls."""
    incoming: defaultdict[Key, list[Key]] = defaultdict(list)
    for key in values:
        if key.caller and not key.instance and key.quantity in ("time", "requests", "failures"):
            incoming[Key(key.quantity, key.service)].append(key)
    for service, edges in incoming.items():
        if service in values:
            continue
        together: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
        for edge in edges:
            calls = values.get(edge._replace(quantity="requests"), {})
            for at, value in values[edge].items():
                together[at].append((value, calls.get(at, 1.0)))
        if service.quantity in SUMMED:
            values[service] = {at: sum(value for value, _ in found) for at, found in together.items()}
        else:
            values[service] = {at: _mean(found) for at, found in together.items()}


def _mean(weighed: list[tuple[float, float]]) -> float:
    weight = sum(one for _, one in weighed)
    return sum(value * one for value, one in weighed) / weight if weight else sum(value for value, _ in weighed) / len(weighed)
