"""Figures as people read them: times, durations, ratios, tables and one chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.model import Evidence, Measurement, Objective, SignalKind


def clock_time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S UTC")


def date_time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(ms: float | None) -> str:
    if ms is None:
        return "–"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def percent(ratio: float) -> str:
    return f"{ratio * 100:.1f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def compared(o: Objective, columns: Sequence[tuple[str, Measurement | None]]) -> str:
    """One row a figure, one column a moment, and the objective last."""
    moments = [m for _, m in columns]
    rows = [
        ["p99 latency", *(duration(m.p99_ms) if m else "–" for m in moments), f"≤ {duration(o.p99_ms)}"],
        ["median latency", *(duration(m.p50_ms) if m else "–" for m in moments), ""],
        ["failed requests", *(percent(m.error_ratio) if m else "–" for m in moments), f"≤ {percent(o.error_ratio)}"],
        ["slow requests", *(f"{m.slow} of {m.requests}" if m else "–" for m in moments), ""],
        ["measured over", *(f"{m.end_s - m.start_s:.0f} s" if m else "–" for m in moments), f"{o.window_s:.0f} s windows"],
    ]
    return table(["", *(name for name, _ in columns), "objective"], rows)


def chart(evidence: Evidence, kind: SignalKind, o: Objective) -> str:
    """A Mermaid chart of the broken figure; empty when there are too few points to see anything."""
    points = evidence.series[-40:]
    if len(points) < 3:
        return ""
    start = points[0][0]
    latency = kind is SignalKind.LATENCY
    values = [p99 if latency else ratio * 100 for _, p99, ratio in points]
    limit = o.p99_ms if latency else o.error_ratio * 100
    axis = ", ".join(f'"{at - start:.0f}"' for at, _, _ in points)
    top = max([*values, limit]) * 1.1 or 1.0
    return "\n".join(
        (
            "```mermaid",
            "xychart-beta",
            f'    title "{"p99 latency (ms)" if latency else "failed requests (percent)"} against the objective"',
            f'    x-axis "seconds since {clock_time(start)}" [{axis}]',
            f"    y-axis 0 --> {top:.0f}",
            f"    line [{', '.join(f'{v:.1f}' for v in values)}]",
            f"    line [{', '.join(f'{limit:.1f}' for _ in values)}]",
            "```",
        )
    )
