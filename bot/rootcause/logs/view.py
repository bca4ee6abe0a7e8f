"""What the logs say: the view of localisation that compares the log lines of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.comparing.compared import view_of
from bot.rootcause.comparing.sides import Sides
from bot.rootcause.logs.changes import compare_logs
from bot.rootcause.model import View

MIN_SHARED = 5  # places in runs that both windows have: with fewer there is nothing to compare


def logs_view(sides: Sides) -> View:
    """Findings by log lines. Not comparable when one window has no lines, or when the lines have nothing in common."""
    for name, side in (("incident", sides.incident), ("baseline", sides.baseline)):
        if not side.window.logs:
            return View("logs", (), False, f"the {name} holds no log lines")
    return view_of("logs", sides, compare_logs, MIN_SHARED, "incident and baseline share only {} places in their logs")
