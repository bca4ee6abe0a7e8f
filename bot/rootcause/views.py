"""The analyses by the source that they read, loaded only when their source has something to say."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from bot.rootcause.model import Source, Symptom, View, Window

SOURCES: tuple[Source, ...] = ("logs", "traces", "metrics")


def look(incident: Window, baseline: Window, symptom: Symptom, sources: tuple[Source, ...] = SOURCES) -> tuple[View, ...]:
    """A view of each source that the incident holds, in the order of SOURCES."""
    holds = {"logs": bool(incident.logs), "traces": bool(incident.spans), "metrics": bool(incident.series)}
    return tuple(_view(source, incident, baseline, symptom) for source in SOURCES if source in sources and holds[source])


def _view(source: Source, incident: Window, baseline: Window, symptom: Symptom) -> View:
    name = f"bot.rootcause.{source}"
    if find_spec(name) is None:
        return View(source, (), comparable=False, why=f"{source} are not read yet")
    module = import_module(name)
    found: View = (
        module.metrics_view(incident, baseline, symptom) if source == "metrics" else getattr(module, f"{source}_view")(incident, baseline)
    )
    return found
