"""One objective watched: is it broken, since when, and when may one say that it is well again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.detection.flapping import Flapping
from bot.detection.stream import Stream
from bot.model import Health, Measurement, Objective, Signal, SignalKind
from bot.telemetry import limits
from bot.telemetry.windows import Answered, Request, RequestLog, change_point, measurement

BEFORE_S = 600.0  # the healthy past that a signal is compared with
FORGOTTEN_S = 600.0  # an episode that nobody could measure for this long is over, without being healed
ONSET_WINDOWS = 3  # the beginning of an episode is looked for in this many windows
SLOW_WINDOWS = 6  # what no single window showed has to be good for this many windows
FALSE_ALARMS_PER_YEAR = 1.0
FLAPPING_S = 600.0


@dataclass(slots=True)
class Episode:
    """A time in which the objective is broken, until it is healthy again. `slow`: no single window showed it."""

    signal: Signal
    last_breach_s: float
    slow: bool = False


@dataclass(frozen=True)
class View:
    """What one look at an objective showed."""

    health: Health
    now: Measurement
    unfinished: int  # of the requests in `now`


def breach(now: Measurement, objective: Objective) -> SignalKind | None:
    """Which promise is broken. When both are, the one that more requests break beyond what is allowed: errors that are fast are ERRORS."""
    latency, errors = objective.too_slow(now), objective.too_many_errors(now)
    if latency and errors:
        errors = now.error_ratio - objective.error_ratio > now.slow / now.requests - objective.slow_ratio
        latency = not errors
    return SignalKind.LATENCY if latency else SignalKind.ERRORS if errors else None


class Watch:
    """Requests of one objective and its episode, if it is in one.

    A window that breaks the promise is a signal when it is also unusual for the operation (bot/detection/stream.py); while nothing is
    known of what is usual, the promise alone decides. What is too slow or too rare for a window is found by adding up.
    """

    def __init__(self, objective: Objective, false_alarms_per_year: float = FALSE_ALARMS_PER_YEAR, flapping_s: float = FLAPPING_S) -> None:
        self.objective = objective
        self.log = RequestLog()
        self.episode: Episode | None = None
        self.well_since_s = 0.0  # the end of the last episode: what was before it is no healthy past
        burn_errors = objective.error_ratio if objective.availability is None else 1.0 - objective.availability
        self.streams = {
            kind: Stream(allowed, burn, objective.window_s, objective.min_bad, false_alarms_per_year)
            for kind, allowed, burn in (
                (SignalKind.LATENCY, objective.slow_ratio, objective.slow_ratio),
                (SignalKind.ERRORS, objective.error_ratio, burn_errors),
            )
        }
        self._arrivals: dict[SignalKind, deque[float]] = {kind: deque(maxlen=objective.min_bad) for kind in self.streams}
        self._flapping = Flapping(flapping_s)

    def observe(self, span: Answered, now_s: float) -> None:
        self.log.add(span)
        self.log.forget_before(now_s - limits.STORED_S)
        if span.end_s > now_s - SLOW_WINDOWS * self.objective.window_s:  # what comes late says nothing of the present
            for kind, bad in ((SignalKind.LATENCY, span.duration_ms > self.objective.p99_ms), (SignalKind.ERRORS, span.error)):
                self.streams[kind].add(bad)
                if bad:
                    self._arrivals[kind].append(now_s)

    def wants_look(self, now_s: float) -> bool:
        """Whether a look now may find something new: enough bad requests have arrived within a window, some of them since the last look."""
        return self.episode is None and any(
            stream.fresh_bad and len(arrivals := self._arrivals[kind]) == arrivals.maxlen and arrivals[0] > now_s - self.objective.window_s
            for kind, stream in self.streams.items()
        )

    def look(
        self,
        now_s: float,
        hanging: Sequence[tuple[float, Request]],
        plausible_losses: Callable[[int], float],
        lost_since_s: float | None = None,
        sampled: float = 1.0,
    ) -> View:
        """Looks at the last window. `hanging`: (when it became overdue, request) of those that seem not to have ended;
        `plausible_losses`: how many of so many requests may seem so because their span was lost; `lost_since_s`: since when implausibly
        few requests come, when that is so; `sampled`: the share of all traces among which `hanging` was looked for. When enough of those
        hang, each stands for as many as it was chosen from.

        A request that hangs counts in the window in which it became overdue, as one that ended counts where it ended; while
        enough of them hang, the service is not healthy.
        """
        start_s = now_s - self.objective.window_s
        now = self.log.measure(self.objective, start_s, now_s)
        unfinished = [request for overdue_s, request in hanging if overdue_s > start_s]
        if len(unfinished) <= plausible_losses(math.ceil(sampled * now.requests) + len(unfinished)):
            unfinished = []
        if len(unfinished) >= self.objective.min_bad:
            unfinished *= round(1.0 / sampled)
        if unfinished:
            now = measurement([*self.log.ended(start_s, now_s), *unfinished], self.objective, start_s, now_s)
        kind = breach(now, self.objective)
        self._judge(now_s, learning=self.episode is None and kind is None)
        if kind is not None:
            if self.episode is None and not unfinished and not self.streams[kind].unusual:
                return View(Health.UNKNOWN, now, 0)  # broken by its letter, but no more than chance would do
            self._broken(kind, now, now_s, unfinished)
            return View(Health.UNHEALTHY, now, len(unfinished))
        slowly = self._slowly(now_s)
        if slowly is not None:
            self._broken(*slowly, now_s, ())
            return View(Health.UNHEALTHY, now, 0)
        if lost_since_s is not None:
            missing = self.log.measure(self.objective, lost_since_s, now_s)
            self._broken(SignalKind.THROUGHPUT, missing, now_s, ())
            return View(Health.UNHEALTHY, now, 0)
        many_hang = len(hanging) >= self.objective.min_bad and self._implausible(hanging, now_s, plausible_losses, sampled)
        return View(self._unbroken(now, now_s, many_hang), now, len(unfinished))

    def _judge(self, now_s: float, *, learning: bool) -> None:
        for stream in self.streams.values():
            stream.look(now_s, learning=learning)

    def _slowly(self, now_s: float) -> tuple[SignalKind, Measurement] | None:
        """What breaks although the last window does not show it, with a measurement over a longer time that does."""
        recent_s = now_s - SLOW_WINDOWS * self.objective.window_s
        if self.episode is not None:
            recent = self.log.measure(self.objective, recent_s, now_s)
            kind = breach(recent, self.objective)
            return (kind, recent) if self.episode.slow and kind is not None else None
        for kind, stream in self.streams.items():
            burning = stream.burning(now_s)
            if not stream.over and burning is None:
                continue
            since_s = min(recent_s, self._first_bad_s(kind, now_s, (), limits.STORED_S))
            found = measurement(self._ended_well(since_s, now_s), self.objective, since_s, now_s)
            bad = found.errors if kind is SignalKind.ERRORS else found.slow
            if bad >= self.objective.min_bad:
                return kind, found
        return None

    def _implausible(
        self, hanging: Sequence[tuple[float, Request]], now_s: float, plausible_losses: Callable[[int], float], sampled: float
    ) -> bool:
        since_s = min(overdue_s for overdue_s, _ in hanging)
        return len(hanging) > plausible_losses(math.ceil(sampled * len(self.log.ended(since_s, now_s))) + len(hanging))

    def _broken(self, kind: SignalKind, now: Measurement, now_s: float, unfinished: Sequence[Request]) -> None:
        slow = now.end_s - now.start_s > self.objective.window_s
        if self.episode is not None:
            self.episode.signal = replace(self.episode.signal, now=now)
            self.episode.last_breach_s = now_s
            return
        if kind is SignalKind.THROUGHPUT:
            first_bad_s, slow = now.start_s, False
        else:
            first_bad_s = self._first_bad_s(kind, now_s, unfinished, limits.STORED_S if slow else ONSET_WINDOWS * self.objective.window_s)
        past = self._ended_well(first_bad_s - BEFORE_S, first_bad_s)
        before_s = max(first_bad_s - BEFORE_S, min((request.start_s for request in past), default=first_bad_s))  # watched since then
        before = measurement(past, self.objective, before_s, first_bad_s)
        flaps = self._flapping.broke(now_s)
        self.episode = Episode(Signal(kind, self.objective, before, now, first_bad_s, now_s, flaps=flaps), now_s, slow)

    def _first_bad_s(self, kind: SignalKind, now_s: float, unfinished: Sequence[Request], within_s: float) -> float:
        requests = sorted([*self._ended_well(now_s - within_s, now_s), *unfinished], key=lambda request: request.start_s)
        bad = [self.is_bad(request, kind) for request in requests]
        first = change_point(requests, bad)
        return first.start_s if first is not None else now_s

    def _ended_well(self, start_s: float, end_s: float) -> list[Request]:
        """Requests that ended in that time, without those that began before the last episode was over."""
        return [request for request in self.log.ended(start_s, end_s) if request.start_s >= self.well_since_s]

    def is_bad(self, request: Request, kind: SignalKind) -> bool:
        return request.error if kind is SignalKind.ERRORS else request.duration_ms > self.objective.p99_ms

    def _unbroken(self, now: Measurement, now_s: float, many_hang: bool) -> Health:
        """Hysteresis: after a breach, healthy only when the whole window is good or long enough has passed without one."""
        episode = self.episode
        enough = now.requests >= self.objective.min_requests and not many_hang
        if enough and (episode is None or self._recovered(episode, now, now_s)):
            if episode is not None:
                self.well_since_s = max(episode.last_breach_s, now_s - self.objective.window_s)
                self._end(now_s)
            return Health.HEALTHY
        if episode is not None and now_s - episode.last_breach_s > FORGOTTEN_S:
            self._end(now_s)
        return Health.UNKNOWN

    def _recovered(self, episode: Episode, now: Measurement, now_s: float) -> bool:
        patience_s = self._flapping.patience_s(self.objective.window_s)
        spotless = now.slow == 0 and now.errors == 0 and patience_s == self.objective.window_s
        return spotless or now_s - episode.last_breach_s >= patience_s

    def _end(self, now_s: float) -> None:
        self.episode = None
        self._flapping.recovered(now_s)
        for stream in self.streams.values():
            stream.recovered()

    def signal(self, now_s: float) -> Signal | None:
        """The signal of an episode that broke the objective within the last window."""
        if self.episode is None or now_s - self.episode.last_breach_s >= self.objective.window_s:
            return None
        return self.episode.signal
