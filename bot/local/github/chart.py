"""Draws Mermaid's `xychart-beta` (title, two axes, lines and bars) as an SVG, so that an issue's chart is seen without JavaScript."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 34
_MAX_POINTS: Final = 500
_NUMBER: Final = r"[-+]?\d+(?:\.\d+)?"
_SERIES: Final = re.compile(r'(?P<kind>line|bar)\s*(?:"[^"]*"\s*)?\[(?P<values>[^\]]*)\]')
_AXIS: Final = re.compile(
    r'(?P<axis>[xy])-axis\s*(?P<title>"[^"]*"|[^\s\["][^\[]*?)?\s*'
    rf"(?:(?P<low>{_NUMBER})\s*-->\s*(?P<high>{_NUMBER})|\[(?P<names>.*)\])?"
)


@dataclass(frozen=True)
class Chart:
    title: str
    x_names: tuple[str, ...]
    x_title: str
    y_title: str
    y_range: tuple[float, float] | None
    series: tuple[tuple[str, tuple[float, ...]], ...]  # ("line" | "bar", values)


def parse_chart(source: str) -> Chart | None:
    """The chart, or None when it is another diagram or uses what is not drawn here."""
    lines = [line.strip() for line in source.strip().splitlines() if line.strip() and not line.strip().startswith("%%")]
    if not lines or lines[0] != "xychart-beta":
        return None
    title, x_title, y_title = "", "", ""
    x_names: tuple[str, ...] = ()
    y_range: tuple[float, float] | None = None
    series: list[tuple[str, tuple[float, ...]]] = []
    for line in lines[1:]:
        axis, values = _AXIS.fullmatch(line), _SERIES.fullmatch(line)
        if line.startswith("title "):
            title = line.removeprefix("title ").strip().strip('"')
        elif axis and axis["axis"] == "x":
            x_title = (axis["title"] or "").strip().strip('"')
            names = axis["names"] if axis["names"] is not None else ",".join(filter(None, (axis["low"], axis["high"])))
            x_names = tuple(name.strip().strip('"') for name in names.split(",") if name.strip())
        elif axis:
            y_title = (axis["title"] or "").strip().strip('"')
            y_range = (float(axis["low"]), float(axis["high"])) if axis["low"] else None
        elif values and (numbers := _numbers(values["values"])):
            series.append((values["kind"], numbers))
        else:
            return None
    return Chart(title, x_names, x_title, y_title, y_range, tuple(series)) if series else None


def _numbers(text: str) -> tuple[float, ...] | None:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MAX_POINTS or not all(re.fullmatch(_NUMBER, part) for part in parts):
        return None
    return tuple(float(part) for part in parts)


def draw_chart(source: str) -> str | None:
    """SVG for an `xychart-beta` source, None when it cannot be drawn. Every text in it is escaped."""
    chart = parse_chart(source)
    if chart is None:
        return None
    low, high = chart.y_range or _natural_range([value for _, values in chart.series for value in values])
    if high <= low:
        high = low + 1
    count = max(len(values) for _, values in chart.series)
    step = (_WIDTH - _LEFT - _RIGHT) / count
    plot_height = _HEIGHT - _TOP - _BOTTOM

    def place(index: int, value: float) -> tuple[float, float]:
        bounded = min(max(value, low), high)
        return _LEFT + step * (index + 0.5), _HEIGHT - _BOTTOM - (bounded - low) / (high - low) * plot_height

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(chart.title)}">']
    parts += [_label(_WIDTH / 2, 18, chart.title, "middle", "chart-title")]
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + (high - low) * fraction
        y = place(0, value)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_label(_LEFT - 6, y + 4, f"{value:.4g}", "end"))
    parts += _x_labels(chart, step)
    for number, (kind, values) in enumerate(chart.series):
        points = [place(index, value) for index, value in enumerate(values)]
        parts += _bars(points, step) if kind == "bar" else [_line(points, number)]
    return "".join([*parts, "</svg>"])


def _natural_range(values: Sequence[float]) -> tuple[float, float]:
    return min(0.0, *values), max(values)


def _label(x: float, y: float, text: str, anchor: str, css: str = "tick") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _x_labels(chart: Chart, step: float) -> list[str]:
    every = max(len(chart.x_names) // 8, 1)
    shown = [(index, name) for index, name in enumerate(chart.x_names) if index % every == 0]
    labels = [_label(_LEFT + step * (index + 0.5), _HEIGHT - 18, name, "middle") for index, name in shown]
    titles = [_label(_WIDTH / 2, _HEIGHT - 3, chart.x_title, "middle"), _label(4, _TOP - 10, chart.y_title, "start")]
    return labels + titles


def _bars(points: Sequence[tuple[float, float]], step: float) -> list[str]:
    floor = _HEIGHT - _BOTTOM
    width = step * 0.7
    return [f'<rect class="bar" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{floor - y:.1f}"/>' for x, y in points]


def _line(points: Sequence[tuple[float, float]], number: int) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="line line-{number % 3}" points="{path}"/>'
