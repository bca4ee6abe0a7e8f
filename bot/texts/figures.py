"""Figures as people read them: times, durations, ratios, tables and one chart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.evidence import Evidence
from bot.model import Measurement, Signal, SignalKind

CHART_POINTS = 24


def clock_time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S UTC")


def date_time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def same_day(at_s: float, as_s: float) -> str:
    """The time of day, with the date only when it is not that of `as_s`, which the text has named."""
    return clock_time(at_s) if date_time(at_s)[:10] == date_time(as_s)[:10] else date_time(at_s)


def duration(ms: float | None) -> str:
    """`180 ms`, `6.86 s`, `120 s`; a dash when there is none."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.3g} s" if ms < 100_000 else f"{ms / 1000:.0f} s"


def elapsed(seconds: float) -> str:
    """`16 s`, `4 min 12 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")


def percent(ratio: float) -> str:
    return f"{ratio * 100:.1f} %"


def limit_percent(ratio: float) -> str:
    """An objective, as written in the policy: `2 %`, `0.5 %`."""
    return f"{ratio * 100:.3g} %"


def count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def compared(signal: Signal, columns: Sequence[tuple[str, Measurement | None]]) -> str:
    """One row a figure, one column a moment, and the objective last. The broken figure is bold."""
    if signal.kind is SignalKind.THROUGHPUT:
        return _traffic(columns)
    if signal.kind is SignalKind.SATURATION:
        return _in_use(signal, columns)
    if signal.kind is SignalKind.LOG_ERRORS:
        return _error_lines(signal, columns)
    o, latency = signal.objective, signal.kind is SignalKind.LATENCY
    p99, failed, slow = [], [], []
    for _, m in columns:
        p99.append(duration(m.p99_ms) if m else "–")
        failed.append(f"{percent(m.error_ratio)} ({m.errors} of {m.requests})" if m else "–")
        slow.append(f"{m.slow} of {m.requests}" if m else "–")
    rows = [
        _row("slowest 1 % (p99)", p99, f"at most {duration(o.p99_ms)}", bold=latency),
        _row("median", [duration(m.p50_ms) if m else "–" for _, m in columns], ""),
        _row(f"slower than {duration(o.p99_ms)}", slow, ""),
        _row("failed", failed, f"at most {limit_percent(o.error_ratio)}", bold=not latency),
        _row("measured over", [elapsed(m.end_s - m.start_s) if m else "–" for _, m in columns], ""),
    ]
    return table(["requests", *(name for name, _ in columns), "objective"], rows)


def _traffic(columns: Sequence[tuple[str, Measurement | None]]) -> str:
    rows = [
        _row("how many", [f"{a_minute(m)}" if m else "–" for _, m in columns], "", bold=True),
        _row("failed", [f"{percent(m.error_ratio)} ({m.errors} of {m.requests})" if m else "–" for _, m in columns], ""),
        _row("measured over", [elapsed(m.end_s - m.start_s) if m else "–" for _, m in columns], ""),
    ]
    return table(["requests", *(name for name, _ in columns), ""], rows)


def _in_use(signal: Signal, columns: Sequence[tuple[str, Measurement | None]]) -> str:
    limit = limit_percent(signal.objective.limit or 1.0)
    shares = [percent(m.share) if m and m.share is not None else "–" for _, m in columns]
    rows = [
        _row("in use, latest reading", shares, f"below {limit}", bold=True),
        _row(f"readings at {limit} or above", [f"{m.errors} of {m.requests}" if m else "–" for _, m in columns], ""),
        _row("measured over", [elapsed(m.end_s - m.start_s) if m else "–" for _, m in columns], ""),
    ]
    return table(["gauge", *(name for name, _ in columns), "limit"], rows)


def _error_lines(signal: Signal, columns: Sequence[tuple[str, Measurement | None]]) -> str:
    most = f"at most {signal.objective.error_ratio * 60:.3g} a minute"
    rows = [
        _row("error lines", [str(m.errors) if m else "–" for _, m in columns], ""),
        _row("a minute", [lines_a_minute(m) if m else "–" for _, m in columns], most, bold=True),
        _row("measured over", [elapsed(m.end_s - m.start_s) if m else "–" for _, m in columns], ""),
    ]
    return table(["logs", *(name for name, _ in columns), "usual"], rows)


def lines_a_minute(m: Measurement) -> str:
    """Error lines of a minute in which the service was heard: `about 12 a minute`, `none`."""
    if not m.errors:
        return "no error lines"
    return f"about {m.errors / max(m.requests, 1) * 60.0:.3g} error lines a minute"


def a_minute(m: Measurement) -> str:
    """`about 12 a minute`, `none`."""
    if not m.requests or m.end_s <= m.start_s:
        return "none"
    return f"about {m.requests / (m.end_s - m.start_s) * 60.0:.3g} a minute"


def _row(name: str, cells: Sequence[str], objective: str, *, bold: bool = False) -> list[str]:
    return [f"**{cell}**" if bold and cell else cell for cell in (name, *cells, objective)]


def chart(evidence: Evidence, signal: Signal) -> str:
    """A Mermaid chart of the broken figure, at most CHART_POINTS points; empty when there are too few to see anything."""
    if signal.kind is SignalKind.THROUGHPUT:
        return ""  # the series of the evidence holds requests that came, not those that did not
    latency, lines = signal.kind is SignalKind.LATENCY, signal.kind is SignalKind.LOG_ERRORS
    points = [(at_s, p99_ms if latency else ratio * (60 if lines else 100)) for at_s, p99_ms, ratio in evidence.series]
    points = [point for point in points if all(map(math.isfinite, point))]
    if len(points) < 3:
        return ""
    step_s = min(later - earlier for (earlier, _), (later, _) in itertools.pairwise(points))
    points = _fewer(points)
    limit, what, unit, most = _charted(signal)
    seconds = dict.fromkeys(f'"{at_s + step_s - signal.first_bad_s:z.0f}"' for at_s, _ in points)  # a point is known when its step ends
    if len(seconds) < len(points):
        return ""  # the axis is one of names: two points of the same second cannot be told apart
    top = max([limit, *(value for _, value in points)]) * 1.1 or 1.0
    return "\n".join(
        (
            "```mermaid",
            "xychart-beta",
            f'    title "{what}; the flat line is the objective, at most {most}"',
            f'    x-axis "seconds after {"it began" if signal.kind.of_service else "the first bad request"}" [{", ".join(seconds)}]',
            f'    y-axis "{unit}" 0 --> {top:.0f}' if top >= 10 else f'    y-axis "{unit}" 0 --> {top:.1f}',
            f"    line [{', '.join(f'{value:.1f}' for _, value in points)}]",
            f"    line [{', '.join(f'{limit:.1f}' for _ in points)}]",
            "```",
        )
    )


def _charted(signal: Signal) -> tuple[float, str, str, str]:
    """(limit in the chart's unit, what is charted, its unit, the limit in words)"""
    o = signal.objective
    match signal.kind:
        case SignalKind.LATENCY:
            return o.p99_ms, "p99 latency", "ms", duration(o.p99_ms)
        case SignalKind.SATURATION:
            limit = o.limit or 1.0
            return limit * 100, "in use", "percent", limit_percent(limit)
        case SignalKind.LOG_ERRORS:
            return o.error_ratio * 60, "error lines", "a minute", f"{o.error_ratio * 60:.3g} a minute"
        case _:
            return o.error_ratio * 100, "failed requests", "percent", limit_percent(o.error_ratio)


def _fewer(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The worst of each few neighbours, so that no peak is lost; the first and the last point stay themselves."""
    if len(points) <= CHART_POINTS:
        return list(points)
    inner = points[1:-1]
    size = math.ceil(len(inner) / (CHART_POINTS - 2))
    groups = [inner[i : i + size] for i in range(0, len(inner), size)]
    return [points[0], *(max(group, key=lambda point: point[1]) for group in groups), points[-1]]
