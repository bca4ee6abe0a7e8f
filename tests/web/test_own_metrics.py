"""`/metrics`: who may read it, in which form, and that its page for people says the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.telemetry.counters import Counters
from bot.web.own_metrics import CONTENT_TYPE, OWN_METRICS, lines
from tests.docs.pages import read, rows
from tests.web.web_world import World

ROOT = Path(__file__).resolve().parents[2]
FAR = ("203.0.113.9", 4000)
SAMPLE = re.compile(r'([a-z_]+)(?:\{([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"\})? (-?[0-9.e+]+)')


def shown(world: World) -> dict[str, float]:
    answer = world.ask("GET", "/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    assert answer.text.endswith("\n")
    found = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            found[sample[1] + (f" {sample[3]}" if sample[2] else "")] = float(sample[4])
    return found


def test_what_was_counted_is_shown_with_its_reason() -> None:
    counters = Counters()
    world = World(
        counters=counters, readings=lambda: {"sre_space_metric_series": 3, "sre_space_log_overflow_total": {"too many services": 4}}
    )
    assert shown(world)["sre_space_points_total"] == 0, "what has not happened yet is there with 0"
    counters.add("points", n=70)
    counters.add("points_dropped", "time is hours off", 2)
    counters.add("points_dropped", 'a "quoted"\nreason\\', 1)
    world.ask("POST", "/v1/traces", content=b"GARBAGE", headers={"Content-Type": "application/json"})
    found = shown(world)
    assert found["sre_space_points_total"] == 70
    assert found["sre_space_points_dropped_total time is hours off"] == 2
    assert found['sre_space_points_dropped_total a \\"quoted\\"\\nreason\\\\'] == 1
    assert found["sre_space_requests_refused_total /v1/traces 400"] == 1
    assert found["sre_space_metric_series"] == 3
    assert found["sre_space_log_overflow_total too many services"] == 4
    assert found["sre_space_uptime_seconds"] == 5
    assert found["sre_space_resident_memory_bytes"] > 1 << 20


def test_each_family_has_its_help_and_type_once_before_its_values() -> None:
    text = "".join(lines({"sre_space_points_total": 1, "sre_space_points_dropped_total": {"a": 1, "b": 2}}))
    assert text.splitlines() == [
        "# HELP sre_space_points_total metric data points taken",
        "# TYPE sre_space_points_total counter",
        "sre_space_points_total 1",
        "# HELP sre_space_points_dropped_total metric data points dropped",
        "# TYPE sre_space_points_dropped_total counter",
        'sre_space_points_dropped_total{reason="a"} 1',
        'sre_space_points_dropped_total{reason="b"} 2',
    ]


def test_only_this_machine_reads_without_the_token_and_no_proxy_on_it() -> None:
    for env, headers, client, status in (
        ({}, {}, ("127.0.0.1", 4000), 200),
        ({}, {"X-Forwarded-For": "127.0.0.1"}, ("127.0.0.1", 4000), 401),
        ({}, {}, FAR, 401),
        ({}, {"Authorization": "Bearer "}, FAR, 401),
        ({"SRE_INGEST_TOKEN": "sesame"}, {}, FAR, 401),
        ({"SRE_INGEST_TOKEN": "sesame"}, {"Authorization": "Bearer sesam"}, FAR, 401),
        ({"SRE_INGEST_TOKEN": "sesame"}, {"Authorization": "Bearer sesame"}, FAR, 200),
        ({"SRE_INGEST_TOKEN": "sesame"}, {}, ("::1", 4000), 200),
    ):
        assert World(env).ask("GET", "/metrics", headers=headers, client=client).status_code == status


def test_names_follow_prometheus_and_the_page_has_exactly_them() -> None:
    for metric in OWN_METRICS:
        assert re.fullmatch(r"sre_space_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
    table = [[row[0].strip("`"), row[1], row[2], row[3]] for row in rows(read(ROOT / "docs" / "metrics.md"))]
    assert table == [[metric.name, metric.kind, metric.label, metric.help] for metric in OWN_METRICS]


def test_everything_that_is_counted_is_shown() -> None:
    """A counter that the table does not know would make `/metrics` fail: every name given to Counters.add is in it."""
    known = {metric.counter for metric in OWN_METRICS}
    found = set(counted())
    assert found <= known and len(found) > 3


def counted() -> Iterator[str]:
    """The first arguments of every `….add(…)` on something called counters, constants of the same file resolved."""
    for path in (ROOT / "bot").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "counters" not in text.lower():
            continue
        tree = ast.parse(text)
        constants: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                for name, value in zip(node.targets[0].elts, node.value.elts, strict=True):
                    if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                        constants[name.id] = str(value.value)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add"):
                continue
            if "counters" in ast.unparse(node.func.value).lower():
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value)
                elif isinstance(first, ast.Name) and first.id in constants:
                    yield constants[first.id]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_figures_are_only_read(method: str) -> None:
    assert World().ask(method, "/metrics").status_code == 405
