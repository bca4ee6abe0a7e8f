"""What the logs say: the view of localisation that compares the log lines of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.comparing.compared import view_of
from bot.rootcause.logs.changes import compare_logs
from bot.rootcause.model import View, Window

MIN_SHARED = 5  # places in runs that both windows have: with fewer there is nothing to compare


def logs_view(incident: Window, baseline: Window) -> View:
    """Findings by log lines. Not comparable when one window has no lines, or when the lines have nothing in common."""
    if not incident.logs or not baseline.logs:
        missing = "incident" if not incident.logs else "baseline"
        return View("logs", (), False, f"the {missing} holds no log lines")
    services = frozenset(one.service for window in (incident, baseline) for part in (window.spans, window.logs) for one in part)
    return view_of(
        "logs",
        incident,
        baseline,
        lambda part, rest, known: compare_logs(part, rest, services, known),
        MIN_SHARED,
        "incident and baseline share only {} places in their logs",
    )
