"""Localisation from recorded telemetry: an incident beside a healthy baseline becomes an answer."""

from __future__ import annotations

from bot.rootcause.alone import alone_view
from bot.rootcause.calibrate import Weights
from bot.rootcause.fuse import fuse
from bot.rootcause.model import Answer, Source, Symptom, View, Window
from bot.rootcause.views import SOURCES, look

NO_SYMPTOM = Symptom()


def locate(
    incident: Window, baseline: Window, weights: Weights, symptom: Symptom = NO_SYMPTOM, sources: tuple[Source, ...] = SOURCES
) -> Answer:
    """Which service, with what confidence (by `weights`); `sources` restricts what is looked at."""
    return fuse(views_of(incident, baseline, symptom, sources), weights)


def views_of(incident: Window, baseline: Window, symptom: Symptom = NO_SYMPTOM, sources: tuple[Source, ...] = SOURCES) -> tuple[View, ...]:
    """Spans that nothing can be compared with are judged by their structure alone."""
    views = look(incident, baseline, symptom, sources)
    if incident.spans and "traces" in sources and not any(view.comparable for view in views):
        return (*(view for view in views if view.source != "traces"), alone_view(incident))
    return views
