"""Localisation from recorded telemetry: an incident beside a healthy baseline becomes an answer."""

from __future__ import annotations

from bot.rootcause.fuse import fuse
from bot.rootcause.model import Answer, Source, Symptom, Window
from bot.rootcause.views import SOURCES, look


def locate(incident: Window, baseline: Window, symptom: Symptom | None = None, sources: tuple[Source, ...] = SOURCES) -> Answer:
    """Which service, with what confidence; `sources` restricts what is looked at."""
    return fuse(look(incident, baseline, symptom, sources))
