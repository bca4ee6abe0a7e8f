"""Recall from recorded telemetry: known again by what stands out, whatever else differs; a miss when nothing, or two things, are alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.memory_world import BASELINE_TRACES, INCIDENT_TRACES, Fault, window
from bot.__main__ import main
from bot.commands.recall import recall_folder
from bot.rootcause.model import Finding, Span, View
from bot.rootcause.resemblance import MARGIN, RESEMBLES, Past, recall, resemblance, traits
from tests.rootcause.recorded_world import save, spans_line
from tests.rootcause.recorded_world import span as recorded

SLOW = Finding("stock", "slow", "traces", 6.0, "stock (GET /stock/17): 9 ms before, 80 ms now", operation="GET /stock/17")
NOISE = Finding("front", "resource", "metrics", 0.3, "processor use 0.4 instead of 0.3")
LOGS = Finding(
    "stock",
    "exception",
    "logs",
    5.0,
    "after Stock#41 nothing more is logged: 0 of 22 times before, 11 of 19 now (and 2 more of this kind)",
    operation="get",
)


def seen(*findings: Finding) -> dict[tuple[str, ...], float]:
    return dict(traits([View("traces", findings, True)]))


@given(st.integers(0, 10**9), st.integers(0, 10**18), st.floats(1.0, 50.0))
def test_other_ids_times_figures_and_strengths_of_the_same_fault_are_the_same_incident(number: int, at_ns: int, strength: float) -> None:
    again = replace(
        SLOW, operation=f"GET /stock/{number}", since_ns=at_ns, strength=5 + strength, evidence=(f"{at_ns:x}",), instance=f"stock-{number}",
        what=f"stock (GET /stock/{number}): {number} ms before",
    )  # fmt: skip
    same = resemblance(seen(SLOW), seen(SLOW))
    assert set(seen(again)) == set(seen(SLOW)) and resemblance(seen(again), seen(SLOW)) > 0.95 * same
    logs = replace(
        LOGS,
        what=f"after Stock#41 nothing more is logged: 0 of {number} times before, 3 of {number} now (and {number} more of this kind)",
    )
    assert set(seen(logs)) == set(seen(LOGS))


def test_another_service_fault_operation_or_place_in_the_code_is_less_alike() -> None:
    same = resemblance(seen(SLOW), seen(SLOW))
    assert resemblance(seen(SLOW), seen(replace(SLOW, service="cart"))) == 0.0
    assert resemblance(seen(SLOW), seen(replace(SLOW, fault="network"))) == 0.0
    assert RESEMBLES <= resemblance(seen(SLOW), seen(replace(SLOW, operation="POST /stock"))) < same
    elsewhere = replace(LOGS, what="after Stock#99 nothing more is logged: 0 of 22 times before, 11 of 19 now")
    assert resemblance(seen(LOGS), seen(elsewhere)) < RESEMBLES < resemblance(seen(LOGS), seen(LOGS))


def test_symptoms_and_what_health_shows_too_hardly_count() -> None:
    assert seen(replace(SLOW, symptom_of="db")) == {}
    assert resemblance(seen(SLOW, NOISE), seen(SLOW)) > 0.95 * resemblance(seen(SLOW), seen(SLOW))
    assert resemblance(seen(NOISE), seen(NOISE)) < RESEMBLES, "two incidents in which nothing stands out are not the same"


def test_what_stands_out_most_says_most_and_only_within_one_source() -> None:
    busy = Finding("stock", "resource", "traces", 4.0, "processor use 0.9 instead of 0.3")
    slow_first, busy_first = seen(SLOW, busy), seen(replace(SLOW, strength=3.0), replace(busy, strength=8.0))
    assert set(slow_first) == set(busy_first)
    assert resemblance(slow_first, busy_first) < resemblance(slow_first, seen(replace(SLOW, strength=9.0), busy))
    other = View("metrics", (replace(busy, source="metrics", strength=8.0),), True)
    assert traits([View("traces", (SLOW,), True), other])[("fault", "stock", "slow")] == seen(SLOW)[("fault", "stock", "slow")]


def test_nothing_alike_and_two_causes_alike_are_misses_and_two_incidents_of_one_cause_are_not() -> None:
    asked = seen(SLOW)
    assert recall(asked, []).hit is None and recall(asked, [Past("1", "a", seen(LOGS))]).hit is None
    one, other = Past("1", "a", asked), Past("2", "b", asked)
    both = recall(asked, [one, other])
    assert both.hit is None and both.score > RESEMBLES and both.ranked[0][1] - both.ranked[1][1] < MARGIN
    assert recall(asked, [one, replace(other, cause="a")]).hit == "1"
    assert recall(asked, [replace(one, cause=""), replace(other, cause="")]).hit is None, "a cause that was never found is its own"


def write(folder: Path, spans: tuple[Span, ...]) -> None:
    lines = [
        spans_line(
            one.service,
            [
                recorded(
                    one.trace_id, one.span_id, one.parent_id, one.operation, one.start_ns / 1e6, one.end_ns / 1e6,
                    kind=one.kind, **({"status": {"code": 2}} if one.failed else {}),
                )
            ],
        )
        for one in spans
    ]  # fmt: skip
    save(folder / "traces.jsonl", lines)


def recalled(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, object]:
    capsys.readouterr()
    assert main(["recall", *map(str, argv), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_names_the_past_incident_or_says_that_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory = tmp_path / "memory"
    faults = {"a-1": Fault("stock", "slow"), "b-2": Fault("offers", "errors")}
    for seed, (name, fault) in enumerate(faults.items()):
        write(memory / name / "incident", window(fault, INCIDENT_TRACES, seed).spans)
        write(memory / name / "baseline", window(None, BASELINE_TRACES, 9).spans)
        (memory / name / "answer.json").write_text(json.dumps({"service": fault.service}) if seed else "{broken", encoding="utf-8")
    write(tmp_path / "now", window(faults["b-2"], INCIDENT_TRACES, 33).spans)
    write(tmp_path / "novel", window(Fault("cart", "slow"), INCIDENT_TRACES, 34).spans)
    healthy = memory / "a-1" / "baseline"
    found = recalled(capsys, "--memory", memory, "--incident", tmp_path / "now", "--baseline", healthy)
    assert found["hit"] == "b-2" and float(str(found["score"])) > 0.8
    novel = recalled(capsys, "--memory", memory, "--incident", tmp_path / "novel", "--baseline", healthy)
    assert novel["hit"] is None and float(str(novel["score"])) < RESEMBLES
    (tmp_path / "empty").mkdir()
    assert recalled(capsys, "--memory", tmp_path / "empty", "--incident", tmp_path / "now", "--baseline", healthy) == {
        "hit": None,
        "score": 0.0,
    }
    assert main(["recall", "--memory", str(memory), "--incident", str(tmp_path / "now"), "--baseline", str(healthy)]) == 0
    assert "It is like 'b-2'." in capsys.readouterr().out
    assert main(["recall", "--memory", str(tmp_path / "nowhere"), "--incident", str(tmp_path / "now"), "--baseline", str(healthy)]) == 64


def test_many_past_incidents_are_read_by_several_processes_with_the_same_answer(tmp_path: Path) -> None:
    memory, now, healthy = tmp_path / "memory", tmp_path / "now", tmp_path / "memory" / "i-0" / "baseline"
    for number in range(7):
        fault = Fault(("stock", "offers", "cart")[number % 3], "slow" if number % 2 else "errors")
        write(memory / f"i-{number}" / "incident", window(fault, 20, number).spans)
        write(memory / f"i-{number}" / "baseline", window(None, 60, 9).spans)
    write(now, window(Fault("offers", "slow"), 20, 33).spans)
    several, one = (recall_folder(memory, now, healthy, processes) for processes in (2, 1))
    assert several == one and several.hit is not None


def test_the_benchmark_measures_a_shop_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.memory import main as measure

    assert measure(["--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["suites"]["shop"]["hit_at_1"], figures["suites"]["shop"]["novelty_auroc"]) == (1.0, 1.0)
    assert figures["lookup_us"]["median"] < 1000
