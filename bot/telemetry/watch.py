"""One objective watched: is it broken, since when, and when may one say that it is well again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.model import Health, Measurement, Objective, Signal, SignalKind
from bot.telemetry import limits
from bot.telemetry.span import Span
from bot.telemetry.windows import Request, RequestLog, change_point, measurement

BEFORE_S = 600.0  # the healthy past that a signal is compared with
FORGOTTEN_S = 600.0  # an episode that nobody could measure for this long is over, without being healed
ONSET_WINDOWS = 3  # the beginning of an episode is looked for in this many windows
P99_SHARE = 0.01  # of requests may be slow


@dataclass(slots=True)
class Episode:
    """A time in which the objective is broken, until it is healthy again."""

    signal: Signal
    last_breach_s: float


@dataclass(frozen=True)
class View:
    """What one look at an objective showed."""

    health: Health
    now: Measurement
    unfinished: int  # of the requests in `now`


def breach(now: Measurement, objective: Objective) -> SignalKind | None:
    """Which promise is broken. When both are, the one that more requests break beyond what is allowed: errors that are fast are ERRORS."""
    latency = now.slow >= objective.min_bad and now.p99_ms is not None and now.p99_ms > objective.p99_ms
    errors = now.errors >= objective.min_bad and now.error_ratio > objective.error_ratio
    if latency and errors:
        errors = now.error_ratio - objective.error_ratio > now.slow / now.requests - P99_SHARE
        latency = not errors
    return SignalKind.LATENCY if latency else SignalKind.ERRORS if errors else None


class Watch:
    """Requests of one objective and its episode, if it is in one."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.log = RequestLog()
        self.episode: Episode | None = None
        self.well_since_s = 0.0  # the end of the last episode: what was before it is no healthy past

    def observe(self, span: Span, now_s: float) -> None:
        self.log.add(span)
        self.log.forget_before(now_s - limits.STORED_S)

    def look(self, now_s: float, hanging: Sequence[tuple[float, Request]], plausible_losses: Callable[[int], float]) -> View:
        """Looks at the last window. `hanging`: (when it became overdue, request) of those that seem not to have ended;
        `plausible_losses`: how many of so many requests may seem so because their span was lost.

        A request that hangs counts in the window in which it became overdue, as one that ended counts where it ended; while
        enough of them hang, the service is not healthy.
        """
        start_s = now_s - self.objective.window_s
        ended = self.log.ended(start_s, now_s)
        unfinished = [request for overdue_s, request in hanging if overdue_s > start_s]
        if len(unfinished) <= plausible_losses(len(ended) + len(unfinished)):
            unfinished = []
        now = measurement([*ended, *unfinished], self.objective, start_s, now_s)
        kind = breach(now, self.objective)
        if kind is not None:
            self._broken(kind, now, now_s, unfinished)
            return View(Health.UNHEALTHY, now, len(unfinished))
        many_hang = len(hanging) >= self.objective.min_bad and self._implausible(hanging, now_s, plausible_losses)
        return View(self._unbroken(now, now_s, many_hang), now, len(unfinished))

    def _implausible(self, hanging: Sequence[tuple[float, Request]], now_s: float, plausible_losses: Callable[[int], float]) -> bool:
        since_s = min(overdue_s for overdue_s, _ in hanging)
        return len(hanging) > plausible_losses(len(self.log.ended(since_s, now_s)) + len(hanging))

    def _broken(self, kind: SignalKind, now: Measurement, now_s: float, unfinished: Sequence[Request]) -> None:
        if self.episode is not None:
            known = self.episode.signal
            self.episode.signal = Signal(known.kind, self.objective, known.before, now, known.first_bad_s, known.detected_s)
            self.episode.last_breach_s = now_s
            return
        first_bad_s = self._first_bad_s(kind, now_s, unfinished)
        past = list(self.log.ended(max(first_bad_s - BEFORE_S, self.well_since_s), first_bad_s))
        before_s = min((request.end_s for request in past), default=first_bad_s)  # watched since then, at most BEFORE_S
        before = measurement(past, self.objective, before_s, first_bad_s)
        self.episode = Episode(Signal(kind, self.objective, before, now, first_bad_s, now_s), now_s)

    def _first_bad_s(self, kind: SignalKind, now_s: float, unfinished: Sequence[Request]) -> float:
        past_s = max(now_s - ONSET_WINDOWS * self.objective.window_s, self.well_since_s)
        requests = sorted([*self.log.ended(past_s, now_s), *unfinished], key=lambda request: request.start_s)
        bad = [self.is_bad(request, kind) for request in requests]
        first = change_point(requests, bad)
        return first.start_s if first is not None else now_s

    def is_bad(self, request: Request, kind: SignalKind) -> bool:
        return request.error if kind is SignalKind.ERRORS else request.duration_ms > self.objective.p99_ms

    def _unbroken(self, now: Measurement, now_s: float, many_hang: bool) -> Health:
        """Hysteresis: after a breach, healthy only when the whole window is good or a whole window has passed without one."""
        episode = self.episode
        if now.requests >= self.objective.min_requests and not many_hang:
            spotless = now.slow == 0 and now.errors == 0
            if episode is None or spotless or now_s - episode.last_breach_s >= self.objective.window_s:
                if episode is not None:
                    self.well_since_s = max(episode.last_breach_s, now_s - self.objective.window_s)
                self.episode = None
                return Health.HEALTHY
        if episode is not None and now_s - episode.last_breach_s > FORGOTTEN_S:
            self.episode = None
        return Health.UNKNOWN

    def signal(self, now_s: float) -> Signal | None:
        """The signal of an episode that broke the objective within the last window."""
        if self.episode is None or now_s - self.episode.last_breach_s >= self.objective.window_s:
            return None
        return self.episode.signal
