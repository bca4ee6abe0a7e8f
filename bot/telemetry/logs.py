"""The log lines of the last minutes as counts: errors a second and service, and which texts of errors are new or have become frequent."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.model import Measurement
from bot.telemetry import limits
from bot.telemetry.bursts import RISE, WINDOWS_S, Burst, BurstWatch
from bot.telemetry.log_line import LogLine, Severity
from bot.telemetry.second_counts import SecondCounts

OVERFLOW = "(other)"  # the service or template beyond the limits
EXPORT_S = 60.0  # SDKs send at least so often: metrics every minute, logs and spans every few seconds
QUIET_S = 60.0  # a template not seen for so long gives its place to a new one
RISEN = 2.0  # this many times its worst earlier stretch of equal length, and a template counts as risen
MOST_TEMPLATES = 20


@dataclass(frozen=True)
class TemplateChange:
    """A text that is new, or more frequent than ever before, in a stretch of time."""

    service: str
    severity: Severity
    template: str
    count: int  # in the stretch
    before: int  # in all the time before it that was compared
    expected: float  # the most in any earlier stretch of equal length
    first_s: float  # the second in which it was first seen in the stretch
    lines: tuple[LogLine, ...]  # the latest, oldest first; raw: redact before showing

    @property
    def new(self) -> bool:
        return self.before == 0

    @property
    def score(self) -> float:
        """How surprising: the count times the logarithm of how many times it exceeds the expected one."""
        return self.count * math.log((self.count + 0.5) / (self.expected + 0.5))


class _Template:
    """One text of one service."""

    __slots__ = ("counts", "lines", "place", "seen_s", "severity")

    def __init__(self, severity: Severity, place: str) -> None:
        self.severity = severity
        self.place = place  # "" unless it counts among the texts of that place
        self.counts = SecondCounts(limits.LOG_KEPT_S)
        self.lines: deque[LogLine] = deque(maxlen=limits.LOG_LINES_PER_TEMPLATE)
        self.seen_s = 0.0


class _Service:
    """What one service logs."""

    __slots__ = ("errors", "first_s", "heard", "last_s", "only_errors", "places", "templates")

    def __init__(self, now_s: float, *, only_errors: bool) -> None:
        self.first_s = self.last_s = now_s
        self.only_errors = only_errors  # nothing else was ever heard of it
        self.heard = SecondCounts(limits.LOG_KEPT_S)
        self.errors = SecondCounts(limits.LOG_KEPT_S)
        self.templates: OrderedDict[str, _Template] = OrderedDict()  # least recently seen first
        self.places: dict[str, int] = {}  # how many templates each place has


class LogBook:
    """Counts by service, severity and template, bounded; keeps the latest lines of each template. Not safe for threads."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}
        self._watch = BurstWatch()
        self._heard = SecondCounts(limits.LOG_KEPT_S)  # anything of anybody
        self._last_s = -math.inf  # when it was
        self._listening_s: float | None = None  # since when somebody was heard
        self._templates = 0
        self._dropped_s = -math.inf  # when a service to forget was looked for in vain
        self.overflow: dict[str, int] = {}  # what found no place of its own → lines

    def observe(self, lines: Iterable[LogLine], now_s: float) -> None:
        """Takes lines in any order. One that claims to come from the future counts as of now."""
        for line in lines:
            second = int(min(line.at_s, now_s))
            service = self._hear(line.service, now_s, only_errors=line.severity == "error")
            if line.severity == "error" and not service.errors.add(second):
                self._overflowed("older than what is counted")
            elif line.severity != "info":
                self._count(service, line, second, now_s)

    def hear(self, service: str, now_s: float) -> None:
        """The service is alive, though it may log nothing: from now on its silence counts as «no errors»."""
        self._hear(service, now_s, only_errors=False)

    def _hear(self, name: str, now_s: float, *, only_errors: bool) -> _Service:
        """A service whose first word is an error was silent before, as long as anybody was listened to: its first burst is one."""
        self._listening_s = now_s if self._listening_s is None else self._listening_s
        service = self._service(name, now_s, only_errors=only_errors)
        service.only_errors = service.only_errors and only_errors
        _mark(service.heard, service.last_s, now_s)
        _mark(self._heard, self._last_s, now_s)
        service.last_s = self._last_s = now_s
        return service

    def measure(self, service: str, start_s: float, end_s: float) -> Measurement:
        """Error lines in [start_s, end_s), and in how many of its seconds the service was heard. Of one that never says anything but
        errors the seconds count in which anybody was heard: then its silence is all the health that it can show."""
        found = self._services.get(service)
        if found is None:
            return Measurement(start_s, end_s, 0, 0, 0, None, None)
        heard = (self._heard if found.only_errors else found.heard).total(start_s, end_s)
        return Measurement(start_s, end_s, heard, found.errors.total(start_s, end_s), 0, None, None)

    def began_s(self, burst: Burst) -> float:
        """Its first second with an error."""
        first = self._services[burst.service].errors.first(burst.started_s, burst.at_s + 1.0)
        return burst.at_s if first is None else float(first)

    def goes_on(self, burst: Burst, hold_s: float, now_s: float) -> bool:
        """Whether the burst has lasted for `hold_s`: in each short window of that time more errors than it would take to begin one."""
        window_s, end_s = WINDOWS_S[0], math.floor(now_s) + 1.0
        errors = self._services[burst.service].errors
        usual = RISE * burst.expected * window_s / burst.window_s
        totals = (errors.total(end_s - back - window_s, end_s - back) for back in range(0, math.ceil(hold_s), window_s))
        return now_s - burst.at_s >= hold_s and all(total > usual for total in totals)

    def errors(self, service: str, start_s: float, end_s: float) -> int:
        """Error lines of the seconds that begin in [start_s, end_s)."""
        found = self._services.get(service)
        return found.errors.total(start_s, end_s) if found else 0

    def bursts(self, now_s: float) -> Sequence[Burst]:
        """The services that log errors at an unusually high rate, measured by their own past; loudest first."""
        found = (self._watch.look(name, service.errors, service.first_s, now_s) for name, service in self._services.items())
        return sorted((burst for burst in found if burst), key=lambda burst: (burst.log10_chance, burst.service))

    def templates(
        self, start_s: float, end_s: float, before_s: float, severities: Sequence[Severity] = ("error",)
    ) -> Sequence[TemplateChange]:
        """Texts that are new or have risen in [start_s, end_s) against [before_s, start_s), the most surprising first.

        Compared is the stretch with the worst earlier one of equal length: what a text does now and then is no change.
        """
        changes = [
            change
            for name, service in self._services.items()
            for text, template in service.templates.items()
            if template.severity in severities and (change := _change(name, text, template, start_s, end_s, before_s))
        ]
        changes.sort(key=lambda change: (-change.score, change.service, change.template))
        return changes[:MOST_TEMPLATES]

    def lines(self, trace_id: bytes) -> Sequence[LogLine]:
        """The kept lines of a trace, oldest first."""
        return sorted((line for line in self._kept() if line.trace_id == trace_id), key=lambda line: line.at_s)

    def __len__(self) -> int:
        """How many templates there are."""
        return self._templates

    def _kept(self) -> Iterator[LogLine]:
        for service in self._services.values():
            for template in service.templates.values():
                yield from template.lines

    def _service(self, name: str, now_s: float, *, only_errors: bool) -> _Service:
        found = self._services.get(name)
        if found is None:
            if len(self._services) >= limits.LOG_SERVICES and name != OVERFLOW and not self._drop_silent(now_s):
                self._overflowed("too many services")
                return self._service(OVERFLOW, now_s, only_errors=only_errors)
            found = self._services[name] = _Service(now_s, only_errors=only_errors)
            if only_errors and self._listening_s is not None:
                found.first_s = self._listening_s
        return found

    def _drop_silent(self, now_s: float) -> bool:
        """Makes room for a service by forgetting one of which nothing is kept any more; looked for every few seconds at most."""
        if now_s - self._dropped_s < QUIET_S:
            return False
        self._dropped_s = now_s
        name = min(self._services, key=lambda name: self._services[name].last_s)
        if self._services[name].last_s > now_s - limits.LOG_KEPT_S:
            return False
        self._templates -= len(self._services.pop(name).templates)
        self._dropped_s = -math.inf
        return True

    def _count(self, service: _Service, line: LogLine, second: int, now_s: float) -> None:
        template = self._template(service, line, now_s)
        if template.counts.add(second):
            template.seen_s = now_s
            template.lines.append(line)

    def _template(self, service: _Service, line: LogLine, now_s: float) -> _Template:
        """The line's own template; that of its place in the code when that has too many texts; the overflow without room."""
        for text in dict.fromkeys((line.template, line.place or OVERFLOW, OVERFLOW)):
            key = f"{line.severity}: {text}" if text == OVERFLOW else text
            found = service.templates.get(key)
            if found is None and self._has_room(service, line.place, text, now_s):
                place = line.place if text == line.template else ""
                found = service.templates[key] = _Template(line.severity, place)
                self._templates += 1
                if place:
                    service.places[place] = service.places.get(place, 0) + 1
            if found is not None:
                service.templates.move_to_end(key)
                if text != line.template:
                    self._overflowed("too many templates")
                return found
        raise AssertionError("the overflow always has room")

    def _has_room(self, service: _Service, place: str, text: str, now_s: float) -> bool:
        if text == OVERFLOW:
            return True
        if text != place and service.places.get(place, 0) >= limits.LOG_TEMPLATES_PER_PLACE:
            return False
        if len(service.templates) < limits.LOG_TEMPLATES_PER_SERVICE and self._templates < limits.LOG_TEMPLATES:
            return True
        return self._make_room(service, now_s)

    def _make_room(self, service: _Service, now_s: float) -> bool:
        """Drops the service's least recently seen template when it has been quiet for a while."""
        oldest = next(iter(service.templates), None)
        if oldest is None or service.templates[oldest].seen_s > now_s - QUIET_S:
            return False
        dropped = service.templates.pop(oldest)
        self._templates -= 1
        if dropped.place:
            service.places[dropped.place] -= 1
            if not service.places[dropped.place]:
                del service.places[dropped.place]
        return True

    def _overflowed(self, reason: str) -> None:
        self.overflow[reason] = self.overflow.get(reason, 0) + 1


def _mark(heard: SecondCounts, last_s: float, now_s: float) -> None:
    """Heard now and, unless that is long ago, all the time since it was heard last."""
    for second in range(int(max(last_s, now_s - EXPORT_S)), int(now_s) + 1) if now_s - last_s <= EXPORT_S else (int(now_s),):
        heard.mark(second)


def _change(service: str, text: str, template: _Template, start_s: float, end_s: float, before_s: float) -> TemplateChange | None:
    count = template.counts.total(start_s, end_s)
    if not count:
        return None
    before = template.counts.total(before_s, start_s)
    length_s, past_s = max(1, round(end_s - start_s)), start_s - before_s
    expected = float(template.counts.worst(before_s, start_s, length_s)) if before else 0.0
    if before and past_s < length_s:
        expected *= length_s / max(past_s, 1.0)
    if count <= RISEN * expected:
        return None
    first_s = template.counts.first(start_s, end_s)
    assert first_s is not None  # there is a count
    return TemplateChange(service, template.severity, text, count, before, expected, float(first_s), tuple(template.lines))
