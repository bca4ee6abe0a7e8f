"""The analyses by the source that they read, loaded only when the incident holds such a source."""

from __future__ import annotations

from collections.abc import Iterator

from bot.rootcause.model import Source, Symptom, View, Window

SOURCES: tuple[Source, ...] = ("logs", "traces", "metrics")


def look(incident: Window, baseline: Window, symptom: Symptom, sources: tuple[Source, ...] = SOURCES) -> tuple[View, ...]:
    """A view of each source that the incident holds, in the order of SOURCES."""
    return tuple(_views(incident, baseline, symptom, sources))


def _views(incident: Window, baseline: Window, symptom: Symptom, sources: tuple[Source, ...]) -> Iterator[View]:
    wanted = [source for source, held in (("logs", incident.logs), ("traces", incident.spans)) if held and source in sources]
    if wanted:
        from bot.rootcause.comparing.sides import Sides

        sides = Sides(incident, baseline)
    if "logs" in wanted:
        from bot.rootcause.logs.view import logs_view

        yield logs_view(sides)
    if "traces" in wanted:
        from bot.rootcause.traces.view import traces_view

        yield traces_view(sides)
    if incident.series and "metrics" in sources:
        from bot.rootcause.metrics.view import metrics_view

        yield metrics_view(incident, baseline, symptom)
