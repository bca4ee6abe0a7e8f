"""What Scout notices beside requests: something nearly used up, a burst of error logs. Said once when it begins and once when it is over.

No incident follows from these alone: they have no objective that could prove them healed. They stand in the feed, and error logs in the
evidence of an incident.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.model import Event, Phase
from bot.ports import EventSink
from bot.telemetry.gauges import Gauges
from bot.telemetry.logs import LogBook

LOGS_EVERY_S = 1.0
GAUGES_EVERY_S = 10.0
OVER_S = 60.0  # gone for so long: over; before that it is the same


class Notices:
    """Call `look` often; it looks at logs every LOGS_EVERY_S and at gauges every GAUGES_EVERY_S."""

    def __init__(self, gauges: Gauges, logs: LogBook, say: EventSink) -> None:
        self._gauges = gauges
        self._logs = logs
        self._say = say
        self._seen_s: dict[tuple[str, str], float] = {}  # (service, what): when it was last the case
        self._logs_s = self._gauges_s = float("-inf")

    def look(self, now_s: float) -> None:
        found: list[tuple[str, str, str]] = []
        if now_s - self._logs_s >= LOGS_EVERY_S:
            self._logs_s = now_s
            found += self._bursts(now_s)
        if now_s - self._gauges_s >= GAUGES_EVERY_S:
            self._gauges_s = now_s
            found += self._saturated(now_s)
        for service, what, text in found:
            if (service, what) not in self._seen_s:
                self._speak(now_s, service, text)
            self._seen_s[service, what] = now_s
        for (service, what), last_s in list(self._seen_s.items()):
            if now_s - last_s > OVER_S:
                del self._seen_s[service, what]
                self._speak(now_s, service, f"{what} of {service}: no longer")

    def _bursts(self, now_s: float) -> Iterator[tuple[str, str, str]]:
        for burst in self._logs.bursts(now_s):
            usual = f"about {burst.expected:.1f}" if burst.expected >= 0.05 else "hardly any"
            text = f"{burst.service} logs unusually many errors: {burst.count} in {burst.window_s} s, usually {usual}"
            yield burst.service, "unusually many error logs", text

    def _saturated(self, now_s: float) -> Iterator[tuple[str, str, str]]:
        for full in self._gauges.saturated(now_s):
            service, name = full.gauge.service, full.gauge.name
            where = f" ({full.gauge.instance})" if full.gauge.instance else ""
            held_s = full.at_s - full.since_s
            text = f"{name} of {service}{where} is at {full.share:.0%}, above {full.limit:.0%} for {held_s:.0f} s"
            yield service, f"{name}{where} above {full.limit:.0%}", text

    def _speak(self, now_s: float, service: str, text: str) -> None:
        self._say.say(Event(now_s, "scout", Phase.OBSERVE, "", text, (("service", service),)))
