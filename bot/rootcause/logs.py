"""What the logs say: the view of localisation that compares the log lines of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.log_changes import compare_logs
from bot.rootcause.model import Finding, View, Window
from bot.rootcause.oddities import findings, strongest
from bot.rootcause.stretches import length_ns, stretches
from bot.rootcause.thinning import MAX_HEALTHY_RECORDS, thinned

MIN_SHARED = 5  # places in runs that both windows have: with fewer there is nothing to compare
MANY_SHARED = 50  # from here on more of them make nothing surer


def logs_view(incident: Window, baseline: Window) -> View:
    """Findings by log lines. Not comparable when one window has no lines, or when the lines have nothing in common."""
    if not incident.logs or not baseline.logs:
        missing = "incident" if not incident.logs else "baseline"
        return View("logs", (), False, f"the {missing} holds no log lines")
    services = frozenset(one.service for window in (incident, baseline) for part in (window.spans, window.logs) for one in part)
    incident, baseline = thinned(incident), thinned(baseline)
    compared = compare_logs(incident, baseline, services)
    if compared.shared < MIN_SHARED:
        return View("logs", (), False, f"incident and baseline share only {compared.shared} places in their logs")
    parts = stretches(thinned(baseline, MAX_HEALTHY_RECORDS), length_ns(incident))
    healthy = max((strongest(compare_logs(part, rest, services, compared.known).oddities) for part, rest in parts), default=0.0)
    found = findings(compared.oddities, compared.forest, "logs", healthy, compared.work)
    return View("logs", found, True, features=features(found, compared.shared, healthy))


def features(found: tuple[Finding, ...], shared: int, healthy: float) -> dict[str, float]:
    """What confidence is computed from, each between 0 and 1."""
    by_service: dict[str, float] = {}
    for one in found:
        if not one.symptom_of:
            by_service[one.service] = by_service.get(one.service, 0.0) + one.strength
    first, second = (*sorted(by_service.values(), reverse=True), 0.0, 0.0)[:2]
    return {
        "compared": min(shared / MANY_SHARED, 1.0),
        "strength": first / (1 + first),
        "margin": (first - second) / (first + second) if first else 0.0,
        "healthy": healthy / (1 + healthy),
    }
