"""What Scout notices beside requests: something nearly used up, a burst of error logs. Said once when it begins and once when it is over.

What lasts, and is not usual for the service, becomes a signal (bot/telemetry/conditions.py). These sentences tell the rest: bursts that
may be over in a moment, and what has been full for as long as anybody knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.model import Event, Phase, SignalKind
from bot.ports import EventSink
from bot.telemetry.conditions import ERROR_LOGS, Conditions

MANY_ERRORS = "unusually many error logs"
OVER_S = 60.0  # gone for so long: over; before that it is the same


class Notices:
    """Call `look` often, after the conditions have looked."""

    def __init__(self, conditions: Conditions, say: EventSink) -> None:
        self._conditions = conditions
        self._say = say
        self._seen_s: dict[tuple[str, str], float] = {}  # (service, what): when it was last the case

    def look(self, now_s: float) -> None:
        found = [*self._bursts(), *self._saturated()]
        for service, what, text in found:
            if (service, what) not in self._seen_s:
                self._speak(now_s, service, text)
            self._seen_s[service, what] = now_s
        for (service, what), last_s in list(self._seen_s.items()):
            if now_s - last_s > OVER_S and not (what == MANY_ERRORS and self._is_signal(service)):
                del self._seen_s[service, what]
                self._speak(now_s, service, f"{what} of {service}: no longer")

    def _is_signal(self, service: str) -> bool:
        """What has gone on for so long that it is the usual by now is not over for that."""
        return self._conditions.open_signal((service, ERROR_LOGS, SignalKind.LOG_ERRORS.value)) is not None

    def _bursts(self) -> Iterator[tuple[str, str, str]]:
        for burst in self._conditions.bursts:
            usual = f"about {burst.expected:.1f}" if burst.expected >= 0.05 else "hardly any"
            text = f"{burst.service} logs unusually many errors: {burst.count} in {burst.window_s} s, usually {usual}"
            yield burst.service, MANY_ERRORS, text

    def _saturated(self) -> Iterator[tuple[str, str, str]]:
        for full in self._conditions.saturated:
            if full.news:
                continue
            service, name = full.gauge.service, full.gauge.name
            where = f" ({full.gauge.instance})" if full.gauge.instance else ""
            held_s = full.at_s - full.since_s
            text = f"{name} of {service}{where} is at {full.share:.0%}, above {full.limit:.0%} for {held_s:.0f} s"
            yield service, f"{name}{where} above {full.limit:.0%}", text

    def _speak(self, now_s: float, service: str, text: str) -> None:
        self._say.say(Event(now_s, "scout", Phase.OBSERVE, "", text, (("service", service),)))
