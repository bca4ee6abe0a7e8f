"""What the traces say: the view of localisation that compares the spans of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.comparing.compared import view_of
from bot.rootcause.model import View, Window
from bot.rootcause.traces.changes import compare_traces

MIN_SHARED = 3  # operations that can be compared: with fewer nothing can be said


def traces_view(incident: Window, baseline: Window) -> View:
    """Findings by spans. Not comparable when one window has no spans, or when the two have hardly an operation in common."""
    if not incident.spans or not baseline.spans:
        missing = "incident" if not incident.spans else "baseline"
        return View("traces", (), False, f"the {missing} holds no spans")
    services = frozenset(span.service for window in (incident, baseline) for span in window.spans)
    return view_of(
        "traces",
        incident,
        baseline,
        lambda part, rest, known: compare_traces(part, rest, services, known),
        MIN_SHARED,
        "only {} operations occur often enough in both incident and baseline",
    )
