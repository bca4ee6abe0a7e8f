"""The windows that are compared, with what every comparison needs of each, worked out once: for log lines and for spans alike."""

from __future__ import annotations

from functools import cached_property

from bot.rootcause.comparing.failures import Failure, failures
from bot.rootcause.comparing.forest import Forest, plant
from bot.rootcause.comparing.log_texts import Texts
from bot.rootcause.comparing.stretches import length_ns, stretches
from bot.rootcause.comparing.thinning import MAX_HEALTHY_RECORDS, thinned
from bot.rootcause.model import Window


class Side:
    """One window."""

    def __init__(self, window: Window, texts: Texts) -> None:
        self.window = window
        self.texts = texts

    @cached_property
    def forest(self) -> Forest:
        return plant(self.window.spans)

    @cached_property
    def failures(self) -> list[Failure]:
        return failures(self.window, self.forest, self.texts)


class Sides:
    """An incident beside its baseline, both thinned; and stretches of the baseline, each beside the rest of it."""

    def __init__(self, incident: Window, baseline: Window) -> None:
        parts = [part for window in (incident, baseline) for part in (window.spans, window.logs)]
        self._texts = Texts(frozenset(one.service for part in parts for one in part))
        self.incident, self.baseline = (Side(thinned(window), self._texts) for window in (incident, baseline))

    @cached_property
    def healthy(self) -> list[tuple[Side, Side]]:
        found = stretches(thinned(self.baseline.window, MAX_HEALTHY_RECORDS), length_ns(self.incident.window))
        return [(Side(part, self._texts), Side(rest, self._texts)) for part, rest in found]
