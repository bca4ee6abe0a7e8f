"""What a log line says, without what varies: its place in the code or its template, whether it is an error, and of which sort."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from bot.log_template import place_of, template_of
from bot.rootcause.model import LogLine

HEAD_CHARS: Final = 300  # of a text, where its place in the code and the gist of the message stand
SORT_CHARS: Final = 1_500  # of an error's text: frameworks put the reason at the end of a long sentence
ERROR_SEVERITY: Final = 17  # OTLP's first number for errors
LEVEL_WITHIN: Final = 80  # characters: a level stands at the beginning of a line, after its time
MAX_NAMES: Final = 500  # services that are masked in texts
MIN_NAME_CHARS: Final = 4  # shorter names are words, too
NAMED: Final = "<service>"
_LEVEL: Final = re.compile(
    r"""\b(?:ERROR|SEVERE|CRITICAL|FATAL|PANIC)\b|\b(?:level|severity|lvl)["']?\s?[=:]\s?["']?(?:error|err|critical|fatal|panic|alert)\b"""
)
_THROWN: Final = re.compile(r"\b\w{0,80}(?:Exception|Error)\b")


class Texts:
    """Reads log lines; remembers what it has read, so one object serves for one comparison and is thrown away with it."""

    def __init__(self, services: Collection[str]) -> None:
        names = sorted((name for name in services if len(name) >= MIN_NAME_CHARS), key=lambda name: (-len(name), name))[:MAX_NAMES]
        self._services = frozenset(services)
        self._names = re.compile("|".join(map(re.escape, names))) if names else None
        self._steps: dict[str, str] = {}

    def step(self, line: LogLine) -> str:
        """What tells this line from others: its place in the code when it names one (that is never masked), else its template."""
        head = line.body[:HEAD_CHARS]
        known = self._steps.get(head)
        if known is None:
            known = self._steps[head] = place_of(head) or template_of(self._nameless(head))
        return known

    def sort(self, line: LogLine) -> str:
        """The sort of failure that an error line tells of: the same in every service, whatever ids and names stand in it."""
        text = line.body[:SORT_CHARS]
        place = place_of(text[:HEAD_CHARS])
        if place and not _THROWN.search(text):
            return place
        return template_of(self._nameless(text), chars=HEAD_CHARS)

    def service(self, peer: str) -> str:
        """The service that a span's peer is, also when a port or a domain stands behind its name; "" when it is none of them."""
        for name in (peer, peer.split(":", 1)[0], re.split(r"[.:]", peer, maxsplit=1)[0]):
            if name in self._services:
                return name
        return ""

    def named(self, text: str, writer: str) -> str:
        """The other service that a text speaks of, "" when it speaks of none or of several."""
        if self._names is None:
            return ""
        found = {match[0] for match in self._names.finditer(text[:SORT_CHARS])} - {writer}
        return found.pop() if len(found) == 1 else ""

    def _nameless(self, text: str) -> str:
        return text if self._names is None else self._names.sub(NAMED, text)


def is_error(line: LogLine) -> bool:
    """By its severity when it has one, else by the level that its text begins with."""
    return line.severity >= ERROR_SEVERITY if line.severity else _LEVEL.search(line.body, 0, LEVEL_WITHIN) is not None
