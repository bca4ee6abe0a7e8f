"""The bus's topics, and the sink that puts what agents say on it."""

from __future__ import annotations

import json

from bot.codec import to_json
from bot.model import Event
from bot.ports import Bus, EventSink

WAKE = "wake"  # «look again», with a reason for the log
ANOMALIES = "anomalies"  # a signal appeared: its fingerprint, service, operation and kind
THOUGHTS = "thoughts"  # every event, as JSON


class Announcer:
    """An EventSink: says everything on the feed and on the bus."""

    def __init__(self, feed: EventSink, bus: Bus) -> None:
        self._feed = feed
        self._bus = bus

    def say(self, event: Event) -> None:
        self._feed.say(event)
        self._bus.publish(THOUGHTS, json.dumps(to_json(event)))
