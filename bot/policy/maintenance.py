"""Maintenance windows, `maintenance` in policies/slo.yaml: when a service may be unwell without an incident being opened."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from bot.policy.strict_yaml import Entry

ALL: Final = "all"  # instead of a service's name
LONGEST_S: Final = 31 * 86_400.0  # a window that is longer is a mistake, or a service that nobody wants watched
WEEK_S: Final = 7 * 86_400.0
MOST: Final = 200  # windows in the file
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKLY: Final = re.compile(
    r"(?P<day>[A-Z][a-z]{2}) (?P<start>[0-2]\d:[0-5]\d)-(?P<end>[0-2]\d:[0-5]\d) (?:UTC|(?P<offset>[+-][01]\d:[0-5]\d))"
)


@dataclass(frozen=True)
class Window:
    """From `start_s` (Unix seconds) for `length_s`, once or every week."""

    service: str  # ALL: of every service
    start_s: float
    length_s: float
    weekly: bool
    reason: str
    line: int  # in policies/slo.yaml

    def ends_s(self, now_s: float) -> float | None:
        """When the occurrence that covers `now_s` ends; None when none does. The start belongs to it, the end does not."""
        since_s = now_s - self.start_s
        if self.weekly:
            since_s %= WEEK_S
        return now_s - since_s + self.length_s if 0.0 <= since_s < self.length_s else None


def active(windows: Iterable[Window], service: str, now_s: float) -> tuple[Window, float] | None:
    """The window that covers the service now and ends last, with its end."""
    found = [(ends_s, window) for window in windows if window.service in (ALL, service) and (ends_s := window.ends_s(now_s)) is not None]
    if not found:
        return None
    ends_s, window = max(found, key=lambda item: item[0])
    return window, ends_s


def read_windows(entry: Entry, services: Collection[str]) -> tuple[Window, ...]:
    """Raises Refused `policies/slo.yaml:LINE: maintenance[0].start: what is wrong`."""
    items = entry.items()
    if len(items) > MOST:
        raise entry.refused(f"at most {MOST} windows; weekly ones repeat by themselves")
    return tuple(_window(item, services) for item in items)


def _window(item: Entry, services: Collection[str]) -> Window:
    keys = item.mapping(["service", "reason"], ["start", "end", "weekly"])
    service = keys["service"].text()
    if service != ALL and service not in services:
        raise keys["service"].refused(f"{service!r} is not in policies/services.yaml; {ALL!r} stands for every service")
    if "weekly" in keys:
        if "start" in keys or "end" in keys:
            raise keys["weekly"].refused("either weekly, or start and end")
        start_s, length_s = _weekly(keys["weekly"])
    elif "start" in keys and "end" in keys:
        start_s = _moment(keys["start"])
        length_s = _moment(keys["end"]) - start_s
        if not 0.0 < length_s <= LONGEST_S:
            raise keys["end"].refused(f"expected an end after the start, at most {LONGEST_S / 86_400:.0f} days later")
    else:
        raise item.refused("expected start and end, or weekly")
    return Window(service, start_s, length_s, "weekly" in keys, keys["reason"].text(), item.line)


def _moment(entry: Entry) -> float:
    text = entry.scalar()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise entry.refused(f"expected a moment like 2026-12-01T02:00:00+00:00, got {text!r}") from None
    if moment.tzinfo is None:
        raise entry.refused(f"expected an offset from UTC at the end (+01:00, or Z), got {text!r}")
    return moment.timestamp()


def _weekly(entry: Entry) -> tuple[float, float]:
    """(start of an occurrence long ago, length). An end at or before the start is on the next day."""
    text = entry.text()
    found = _WEEKLY.fullmatch(text)
    if found is None or found["day"] not in DAYS:
        raise entry.refused(f"expected a window like `Sun 02:00-04:00 UTC` (or +01:00 instead of UTC), got {text!r}")
    start_s, end_s = _day_second(entry, found["start"]), _day_second(entry, found["end"])
    zone = _zone(found["offset"]) if found["offset"] else UTC
    monday = datetime(2024, 1, 1, tzinfo=zone)
    begin = monday + timedelta(days=DAYS.index(found["day"]), seconds=start_s)
    return begin.timestamp(), (end_s - start_s) % 86_400.0 or 86_400.0


def _day_second(entry: Entry, text: str) -> float:
    hours, minutes = int(text[:2]), int(text[3:])
    if hours > 23:
        raise entry.refused(f"{text} is no time of day")
    return hours * 3600.0 + minutes * 60.0


def _zone(offset: str) -> timezone:
    minutes = int(offset[1:3]) * 60 + int(offset[4:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
