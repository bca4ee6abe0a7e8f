"""What the traces say: the view of localisation that compares the spans of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.logs import features
from bot.rootcause.model import View, Window
from bot.rootcause.oddities import findings, strongest
from bot.rootcause.stretches import length_ns, stretches
from bot.rootcause.thinning import MAX_HEALTHY_RECORDS, thinned
from bot.rootcause.trace_changes import compare_traces

MIN_SHARED = 3  # operations that can be compared: with fewer nothing can be said


def traces_view(incident: Window, baseline: Window) -> View:
    """Findings by spans. Not comparable when one window has no spans, or when the two have hardly an operation in common."""
    if not incident.spans or not baseline.spans:
        missing = "incident" if not incident.spans else "baseline"
        return View("traces", (), False, f"the {missing} holds no spans")
    services = frozenset(span.service for window in (incident, baseline) for span in window.spans)
    incident, baseline = thinned(incident), thinned(baseline)
    compared = compare_traces(incident, baseline, services)
    if compared.shared < MIN_SHARED:
        return View("traces", (), False, f"only {compared.shared} operations occur often enough in both incident and baseline")
    parts = stretches(thinned(baseline, MAX_HEALTHY_RECORDS), length_ns(incident))
    healthy = max((strongest(compare_traces(part, rest, services, compared.known).oddities) for part, rest in parts), default=0.0)
    found = findings(compared.oddities, compared.forest, "traces", healthy, compared.work)
    return View("traces", found, True, features=features(found, compared.shared, healthy))
