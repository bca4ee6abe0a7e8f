"""What Scout says of an operation: that it broke, and that it is over."""

from __future__ import annotations

from bot.model import Health, Measurement, Signal, SignalKind


def broken_text(signal: Signal, unfinished: int = 0) -> str:
    now, objective = signal.now, signal.objective
    what = f"{objective.operation} in {objective.service}"
    if signal.kind is SignalKind.THROUGHPUT:
        return _missing_text(signal, what)
    if signal.kind is SignalKind.SATURATION:
        held_s = signal.detected_s - signal.first_bad_s
        return f"{what} is nearly used up: {now.share or 0.0:.0%}, at or above {objective.limit or 1.0:.0%} for {held_s:.0f} s"
    if signal.kind is SignalKind.LOG_ERRORS:
        lasted_s = signal.detected_s - signal.first_bad_s
        return f"{objective.service} goes on logging unusually many errors: for {lasted_s:.0f} s, {now.errors} of them in the last minute"
    again = f"; it had recovered {_times(signal.flaps)} shortly before" if signal.flaps else ""
    if signal.kind is SignalKind.ERRORS:
        share, allowed = f"{now.error_ratio:.1%}", f"{objective.error_ratio:.1%}"
        return f"{share} of the requests to {what} fail, objective {allowed} ({now.errors} of {now.requests}){again}"
    hanging = f", {unfinished} of them have not ended" if unfinished else ""
    return (
        f"p99 of {what} is {_seconds(now.p99_ms)}, objective {_seconds(objective.p99_ms)} "
        f"({now.slow} of {now.requests} requests slow{hanging}){again}"
    )


def _missing_text(signal: Signal, what: str) -> str:
    now, before = signal.now, signal.before
    usual = before.requests / (before.end_s - before.start_s) * 60.0 if before.end_s > before.start_s else 0.0
    came = f"only {now.requests} requests" if now.requests else "no requests"
    return f"{came} to {what} for {now.end_s - now.start_s:.0f} s; usually about {usual:.3g} a minute"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def ended_text(signal: Signal, health: Health, now: Measurement, now_s: float) -> str:
    what = f"{signal.operation} in {signal.service}"
    if health is not Health.HEALTHY:
        return f"{what} has not been measured for a while: it was broken when it was last heard of"
    if signal.kind is SignalKind.THROUGHPUT:
        return f"{what} is asked again after {now_s - signal.first_bad_s:.0f} s: {now.requests} requests in its last window"
    if signal.kind is SignalKind.SATURATION:
        return f"{what} is below its limit again after {now_s - signal.first_bad_s:.0f} s: {now.share or 0.0:.0%}"
    if signal.kind is SignalKind.LOG_ERRORS:
        return f"{signal.service} logs no more errors than usual again, after {now_s - signal.first_bad_s:.0f} s"
    bad = now.errors if signal.kind is SignalKind.ERRORS else now.slow
    after = f"{now_s - signal.first_bad_s:.0f} s after the first bad request"
    return f"{what} is healthy again {after}: p99 {_seconds(now.p99_ms)}, {bad} of {now.requests} requests bad"


def _seconds(duration_ms: float | None) -> str:
    return "unknown" if duration_ms is None else f"{duration_ms / 1000.0:.3g} s"
