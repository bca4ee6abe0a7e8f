"""A service graph as SVG: callers on the left, callees on the right, the culprit marked. No library draws layered graphs without a
browser."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape

from bot.rootcause.report import Edge, Node
from bot.texts.safe import cut, one_line

COLUMN_PX, ROW_PX, BOX_WIDTH_PX, BOX_HEIGHT_PX, MARGIN_PX = 230, 46, 180, 30, 12
NAME_CHARS = 20  # what fits into a box
MIN_WIDTH_PX, MAX_WIDTH_PX = 1.0, 5.0  # of an edge, by its share of the calls
SWEEPS = 4  # passes that put services beside those they talk to


def service_graph(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """The picture; every name in it is escaped and has its full text as a title."""
    columns = _columns([node.service for node in nodes], edges)
    places = {service: (column, row) for column, services in enumerate(columns) for row, service in enumerate(services)}
    rows = max((len(services) for services in columns), default=1)
    width, height = len(columns) * COLUMN_PX, rows * ROW_PX + 2 * MARGIN_PX
    roles = {node.service: node.role for node in nodes}
    most = max((max(edge.incident, edge.baseline) for edge in edges), default=1) or 1
    offsets = [(rows - len(services)) * ROW_PX / 2 for services in columns]
    xy = {
        service: (column * COLUMN_PX + MARGIN_PX, MARGIN_PX + offsets[column] + row * ROW_PX) for service, (column, row) in places.items()
    }
    drawn = [_edge(edge, xy[edge.caller], xy[edge.callee], most, roles) for edge in edges]
    drawn += [_node(node, *xy[node.service]) for node in nodes]
    arrow = 'id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"'
    head = f'<marker {arrow}><path d="M0 0 8 4 0 8z"/></marker>'
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg class="graph" role="img" aria-label="Service graph" {size}><defs>{head}</defs>{"".join(drawn)}</svg>'


def _columns(services: Sequence[str], edges: Sequence[Edge]) -> list[list[str]]:
    """Layers by the longest way from who is called by nobody (a loop is cut where it closes), each ordered by its neighbours' places."""
    callees: dict[str, list[str]] = defaultdict(list)
    neighbours: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        callees[edge.caller].append(edge.callee)
        neighbours[edge.caller].add(edge.callee)
        neighbours[edge.callee].add(edge.caller)
    depth = _depths(services, callees)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for service in services:
        columns[depth[service]].append(service)
    columns = [column for column in columns if column]
    for _ in range(SWEEPS):
        place = {service: (row + 0.5) / len(column) for column in columns for row, service in enumerate(column)}
        for column in columns:
            column.sort(
                key=lambda one: sum(place[other] for other in neighbours[one]) / max(len(neighbours[one]), 1) if neighbours[one] else 1.0
            )
    return columns


def _depths(services: Sequence[str], callees: dict[str, list[str]]) -> dict[str, int]:
    called = {callee for caller, others in callees.items() for callee in others if callee != caller}
    depth = dict.fromkeys(services, 0)
    for start in [*(one for one in services if one not in called), *services]:
        _deepen(start, callees, depth, (start,))
    return depth


def _deepen(service: str, callees: dict[str, list[str]], depth: dict[str, int], way: tuple[str, ...]) -> None:
    for callee in callees[service]:
        if callee not in way and depth[callee] <= depth[service]:
            depth[callee] = depth[service] + 1
            _deepen(callee, callees, depth, (*way, callee))


def _edge(edge: Edge, caller: tuple[float, float], callee: tuple[float, float], most: int, roles: dict[str, str]) -> str:
    x1, y1 = caller[0] + BOX_WIDTH_PX, caller[1] + BOX_HEIGHT_PX / 2
    x2, y2 = callee[0], callee[1] + BOX_HEIGHT_PX / 2
    if x2 <= x1:  # back to an earlier column: around, below
        way = f"M{x1:.0f} {y1:.0f}C{x1 + 40:.0f} {y1 + 50:.0f} {x2 - 40:.0f} {y2 + 50:.0f} {x2 - 2:.0f} {y2:.0f}"
    else:
        middle = (x1 + x2) / 2
        way = f"M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2 - 2:.0f} {y2:.0f}"
    wide = MIN_WIDTH_PX + (MAX_WIDTH_PX - MIN_WIDTH_PX) * edge.incident / most
    hot = " hot" if roles.get(edge.callee) == "culprit" else ""
    counts = f": {edge.incident} calls, {edge.baseline} in the baseline" if edge.incident or edge.baseline else ""
    title = f"<title>{_text(edge.caller)} → {_text(edge.callee)}{counts}</title>"
    return f'<path class="edge{hot}" d="{way}" stroke-width="{wide:.1f}" marker-end="url(#arrow)">{title}</path>'


def _node(node: Node, x: float, y: float) -> str:
    name = cut(one_line(node.service), NAME_CHARS)
    box = f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH_PX}" height="{BOX_HEIGHT_PX}" rx="6"/>'
    text = f'<text x="{x + BOX_WIDTH_PX / 2:.0f}" y="{y + BOX_HEIGHT_PX / 2 + 4:.0f}">{escape(name)}</text>'
    return f'<g class="node {node.role}">{box}{text}<title>{_text(node.service)} ({node.role})</title></g>'


def _text(name: str) -> str:
    return escape(cut(one_line(name), 200))
