"""What a series is, from its structure alone: statistic, instrument, unit, values. Names of metrics and services say nothing here."""

from __future__ import annotations

import re
from typing import Literal

from bot.detection.observation import SeriesId

Statistic = Literal["quantile", "mean", "total", "other", "none"]

QUANTILE = re.compile(r"(?:p|q|percentile|quantile)?[ _.:=]*(\d{1,3}(?:\.\d+)?)%?", re.IGNORECASE)
MEANS = frozenset({"average", "avg", "mean"})
TOTALS = frozenset({"sum", "count", "total", "samplecount", "sample_count"})
EXTREMES = frozenset({"min", "minimum", "max", "maximum", "stddev", "median"})
NO_TIME_UNITS = re.compile(r"(?:[kmgt]?i?by?(?:tes?)?|%|1)", re.IGNORECASE)  # sizes and shares; UCUM writes By, KiBy, …


def statistic_of(series: SeriesId) -> Statistic:
    """Which statistic of a distribution the values are."""
    text = series.statistic.strip().lower()
    if not text:
        return "none"
    if text in MEANS:
        return "mean"
    if text in TOTALS:
        return "total"
    if text == "median" or (QUANTILE.fullmatch(text) and text not in EXTREMES):
        return "quantile"
    return "other"


def may_be_time(series: SeriesId) -> bool:
    """Whether a distribution's unit allows a duration; no unit allows it."""
    return not NO_TIME_UNITS.fullmatch(series.unit) if series.unit else True


def may_be_count(series: SeriesId) -> bool:
    """Whether the structure allows a count of events in the interval: a sum, or the total of a distribution."""
    return series.instrument != "gauge" or statistic_of(series) == "total"


def may_be_share(series: SeriesId) -> bool:
    """Whether the structure allows a share of events: a gauge that is a mean or no statistic, in percent or without unit."""
    return series.instrument == "gauge" and statistic_of(series) in ("mean", "none") and series.unit in ("", "1", "%")
