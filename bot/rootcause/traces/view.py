"""What the traces say: the view of localisation that compares the spans of an incident with those of a baseline."""

from __future__ import annotations

from bot.rootcause.comparing.compared import view_of
from bot.rootcause.comparing.sides import Sides
from bot.rootcause.model import View
from bot.rootcause.traces.changes import compare_traces

MIN_SHARED = 3  # operations that can be compared: with fewer nothing can be said


def traces_view(sides: Sides) -> View:
    """Findings by spans. Not comparable when one window has no spans, or when the two have hardly an operation in common."""
    for name, side in (("incident", sides.incident), ("baseline", sides.baseline)):
        if not side.window.spans:
            return View("traces", (), False, f"the {name} holds no spans")
    return view_of("traces", sides, compare_traces, MIN_SHARED, "only {} operations occur often enough in both incident and baseline")
