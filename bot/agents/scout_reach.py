"""What Scout says of its own reach: that it keeps fewer traces, has no place for further operations, or hears nothing at all."""

from __future__ import annotations

from bot.model import Event, Phase
from bot.ports import EventSink


class Reach:
    """Says what has changed since it was last told, once. `halvings`: of the share of traces that is kept, as last told."""

    def __init__(self, say: EventSink) -> None:
        self._say = say
        self.halvings = 0
        self._stopped = self._crowded = False

    @property
    def share(self) -> float:
        """Of all traces: those that are kept."""
        return 0.5**self.halvings

    def kept(self, halvings: int, now_s: float) -> None:
        """Says when not every trace is kept any more, or every one again."""
        before, self.halvings = self.halvings, halvings
        if halvings == before or (before and halvings):
            return
        text = (
            f"more spans come than I can keep one by one: all are counted, and one trace in {2**halvings} is kept"
            if halvings
            else "traffic has calmed down: I keep every trace again"
        )
        self._speak(now_s, text)

    def heard(self, stopped: bool, now_s: float) -> None:
        """Says when telemetry as a whole has stopped, or comes again."""
        if stopped == self._stopped:
            return
        self._stopped = stopped
        text = (
            "no telemetry arrives from any service: how they are is unknown; look at their exporters, the collector and its token"
            if stopped
            else "telemetry arrives again"
        )
        self._speak(now_s, text)

    def learnt(self, unlearnt: int, places: int, now_s: float) -> None:
        """Says once when operations come that find no place among the learnt ones."""
        if unlearnt and not self._crowded:
            self._crowded = True
            text = (
                f"more operations without an objective are heard than the {places} that I learn: the others are counted and not watched;"
                " raise learn.operations in policies/slo.yaml, or write objectives"
            )
            self._speak(now_s, text)

    def _speak(self, now_s: float, text: str) -> None:
        self._say.say(Event(now_s, "scout", Phase.OBSERVE, "", text))
