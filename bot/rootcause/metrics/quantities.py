"""What a metric series measures: from the structure of OTLP first, then from the field's common words in its name.

A word can only help: a series that says nothing is `work`, and is judged by how far it moves for each request.
"""

from __future__ import annotations

import re
from typing import Literal

from bot.rootcause.model import Series

Quantity = Literal["time", "requests", "failures", "share", "cpu", "work", "ignored"]

QUANTILE = re.compile(r"(?:p|q|percentile|quantile)?[ _.:=]*(\d{1,3}(?:\.\d+)?)%?", re.IGNORECASE)
QUANTILE_IN_NAME = re.compile(r"(?<![a-zA-Z\d])[pPqQ](\d{2,3})(?!\d)|(?<=[a-z])[P](\d{2,3})(?!\d)|_(\d{2})$")
UNIT_IN_NAME = re.compile(r"\(([^()]{1,12})\)\s*$")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

MEANS = frozenset({"average", "avg", "mean"})
TOTALS = frozenset({"sum", "count", "total", "samplecount", "sample_count"})
FAILED_SHARE = "failed_share"  # the loader's word for the failed share of a histogram's requests
TIME_UNITS = frozenset({"s", "ms", "us", "µs", "ns", "sec", "seconds", "milliseconds", "microseconds", "nanoseconds"})
SIZE_UNITS = re.compile(r"[kmgt]?i?by?(?:tes?)?|[kmgt]i", re.IGNORECASE)
SHARE_UNITS = frozenset({"", "1", "%"})

SHARED_MACHINE = frozenset({"node", "host", "system", "machine"})  # many services stand on it: it accuses nobody
DRIFTS = frozenset({"memory", "mem", "heap", "rss", "disk", "filesystem", "bytes", "swap"})  # moves for days with no fault
PROCESSOR = frozenset({"cpu"})
OUTGOING = frozenset({"client", "outgoing", "outbound", "producer"})  # a caller's wait: the callee's own time tells the same
DURATION = frozenset({"latency", "duration", "elapsed", "rtt"})
EVENTS = frozenset({"request", "requests", "calls", "ops", "rps", "qps", "throughput", "workload", "invocations"})
QUEUED = frozenset({"active", "pending", "inflight", "queue", "queued", "waiting"})  # a level, no count of events
BAD = frozenset({"error", "errors", "failed", "failure", "failures", "fault", "faults", "exceptions", "5xx"})
SHARES = frozenset({"availability", "success", "ratio"})

ERROR_ATTRIBUTE = "error.type"
STATUS_ATTRIBUTES = ("http.response.status_code", "http.status_code")  # semantic conventions, new and old


def quantity_of(series: Series) -> Quantity:
    """What the values mean. Sizes, what belongs to a whole machine and a caller's own view of its calls are `ignored`."""
    if series.statistic == FAILED_SHARE:
        return "share"
    words, unit = words_of(series.metric), unit_of(series)
    if words & SHARED_MACHINE or words & DRIFTS or (unit and SIZE_UNITS.fullmatch(unit)):
        return "ignored"
    if words & PROCESSOR:
        return "cpu"
    if _counts(series, words):
        return "failures" if _failed(series, words) else "requests"
    if _share(series, words, unit):
        return "share"
    if series.client:
        return "time"
    if unit in TIME_UNITS or words & DURATION or (_distribution(series) and unit not in ("%", "1")):
        return "ignored" if words & OUTGOING else "time"
    return "work"


def words_of(metric: str) -> frozenset[str]:
    """The words of a metric's name, in lower case: `PodServerLatencyP90(s)` has pod, server, latency."""
    return frozenset(word.lower() for word in WORD.findall(UNIT_IN_NAME.sub("", metric)))


def unit_of(series: Series) -> str:
    """The unit, in lower case; one in parentheses at the end of the name when the point has none."""
    found = None if series.unit else UNIT_IN_NAME.search(series.metric)
    return (found[1] if found else series.unit).strip().lower()


def rank_of(series: Series) -> float:
    """How a statistic of a duration stands for all requests, best first: a mean (it adds up), then the lower quantiles (calmer)."""
    text = series.statistic.strip().lower()
    if text in MEANS:
        return 0.0
    found = QUANTILE.fullmatch(text) or QUANTILE_IN_NAME.search(UNIT_IN_NAME.sub("", series.metric))
    if text == "median" or found is None:
        return 50.0
    quantile = float(next(group for group in found.groups() if group))
    return quantile * 100.0 if 0.0 < quantile <= 1.0 else quantile


def _counts(series: Series, words: frozenset[str]) -> bool:
    if series.statistic.strip().lower() in TOTALS:
        return True
    if series.instrument != "gauge":
        return bool(series.client) or bool(words & (EVENTS | BAD)) or unit_of(series).startswith("{")
    return not series.statistic and bool(words & EVENTS) and not words & (DURATION | SHARES | BAD | QUEUED)


def _failed(series: Series, words: frozenset[str]) -> bool:
    attributes = dict(series.attributes)
    if attributes.get(ERROR_ATTRIBUTE):
        return True
    return bool(words & BAD) or any(attributes.get(key, "").startswith("5") for key in STATUS_ATTRIBUTES)


def _share(series: Series, words: frozenset[str], unit: str) -> bool:
    """A share of events: a gauge without unit or in percent whose name says so."""
    mean_or_none = series.statistic.strip().lower() in MEANS or not series.statistic
    return series.instrument == "gauge" and mean_or_none and unit in SHARE_UNITS and bool(words & (SHARES | BAD))


def _distribution(series: Series) -> bool:
    """Whether the statistic is one of a distribution of durations, a mean or a quantile."""
    text = series.statistic.strip().lower()
    return text in MEANS or text == "median" or QUANTILE.fullmatch(text) is not None
