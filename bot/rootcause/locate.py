"""Localisation from recorded telemetry: an incident beside a healthy baseline becomes an answer."""

from __future__ import annotations

from bot.rootcause.alone.view import alone_view
from bot.rootcause.calibrate import Weights
from bot.rootcause.fuse import fuse
from bot.rootcause.model import Answer, Source, Symptom, View, Window
from bot.rootcause.views import SOURCES, look

NO_SYMPTOM = Symptom()


def locate(
    incident: Window, baseline: Window, weights: Weights, symptom: Symptom = NO_SYMPTOM, sources: tuple[Source, ...] = SOURCES
) -> Answer:
    """Which service, with what confidence (by `weights`); `sources` restricts what is looked at."""
    return fuse(views_of(incident, baseline, symptom, sources), weights, strangers(incident, baseline))


def strangers(incident: Window, baseline: Window) -> tuple[str, ...]:
    """Services of the incident that the baseline does not hold, sorted; none when there is no baseline at all."""
    known = _services(baseline)
    return tuple(sorted(_services(incident) - known)) if known else ()


def _services(window: Window) -> frozenset[str]:
    return frozenset(one.service for part in (window.spans, window.logs, window.series) for one in part if one.service)


def views_of(incident: Window, baseline: Window, symptom: Symptom = NO_SYMPTOM, sources: tuple[Source, ...] = SOURCES) -> tuple[View, ...]:
    """Spans that nothing can be compared with are judged by their structure alone."""
    views = look(incident, baseline, symptom, sources)
    if incident.spans and "traces" in sources and not any(view.comparable for view in views):
        return (*(view for view in views if view.source != "traces"), alone_view(incident))
    return views
