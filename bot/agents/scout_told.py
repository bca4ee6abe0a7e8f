"""What Scout has said to be broken without a written objective: each is said once when it breaks and once when it is over."""

from __future__ import annotations

from bot.agents.scout_words import broken_text, ended_text
from bot.model import Event, Health, Measurement, Phase, Signal
from bot.ports import EventSink
from bot.signature import fingerprint

Key = tuple[str, str, str]  # service, operation, aspect


def speak(say: EventSink, signal: Signal, now_s: float, text: str) -> None:
    incident = fingerprint(signal.service, signal.operation, signal.aspect)
    data = (("service", signal.service), ("operation", signal.operation), ("kind", signal.kind.value))
    say.say(Event(now_s, "scout", Phase.OBSERVE, incident, text, data))


class Told:
    """Call `look` after each look at one of them. `raised` counts what was said to be broken."""

    def __init__(self, say: EventSink) -> None:
        self._say = say
        self._told: dict[Key, Signal] = {}
        self.raised = 0

    def look(self, key: Key, signal: Signal | None, seen: tuple[Health, Measurement | None], now_s: float, *, resumed: bool) -> None:
        """`signal`: of its episode, when it is in one; `resumed`: it was said before a restart."""
        earlier, (health, now) = self._told.get(key), seen
        if signal is not None and earlier is None:
            self._told[key] = signal
            if not resumed:
                self.raised += 1
                speak(self._say, signal, now_s, broken_text(signal))
        elif signal is None and earlier is not None and now is not None:
            del self._told[key]
            speak(self._say, earlier, now_s, ended_text(earlier, health, now, now_s))
