"""What is done with each closed second of each series beside learning it: the catalogue learns durations, the logs who is alive."""

from __future__ import annotations

from bot.telemetry.batch import Catalogue
from bot.telemetry.keys import SeriesKey
from bot.telemetry.logs import LogBook
from bot.telemetry.sketch import Sketch


class ClosedSeconds:
    """Call it with the seconds in their order. Bounded as the series are."""

    def __init__(self, catalogue: Catalogue, logs: LogBook) -> None:
        self._catalogue = catalogue
        self._logs = logs
        self._heard: dict[str, int] = {}  # service → the last second in which it was

    def __call__(self, key: SeriesKey, sketch: Sketch, second: int) -> None:
        self._catalogue.learn(key, sketch, second)
        if second != self._heard.get(key.service):
            self._heard[key.service] = second
            self._logs.hear(key.service, float(second))
