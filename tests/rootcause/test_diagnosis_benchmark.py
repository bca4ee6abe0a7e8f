"""The harness of localisation: what stress does to a case, what counts as right, and folds that never see their own family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.diagnosis_cases import Case, cut, load_cases, thin, windows
from benchmarks.diagnosis_folds import Seen, examples, out_of_fold
from benchmarks.diagnosis_score import Row, confidence_figures, ranking_figures, wilson, within
from bot.errors import Refused
from bot.rootcause.calibrate import Model, Weights
from bot.rootcause.model import Finding, LogLine, Series, Span, Symptom, View, Window

NOBODY = Weights(Model(0.0, (0.0, 0.0)), Model(0.0, (0.0, 0.0)))


def window(traces: int) -> Window:
    """A trace each second, with a line in each, and a point each second."""
    spans = tuple(
        Span(f"t{number}", "1", "", "web", "", "op", 2, number * 10**9, number * 10**9 + 5, failed=False) for number in range(traces)
    )
    lines = tuple(LogLine(span.start_ns, "web", "", 9, "x", span.trace_id) for span in spans)
    times = tuple(span.start_ns for span in spans)
    return Window(spans, lines, (Series("web", "", "m", "", "", "gauge", (), "", "", times, tuple(map(float, range(traces)))),))


def test_half_a_window_is_half_of_each_source() -> None:
    first, second = cut(window(10), 0.0, 0.5), cut(window(10), 0.5, 1.0)
    for part, expected in ((first, range(5)), (second, range(5, 10))):
        assert [span.trace_id for span in part.spans] == [f"t{number}" for number in expected]
        assert [line.trace_id for line in part.logs] == [f"t{number}" for number in expected]
        assert part.series[0].values == tuple(map(float, expected))


def test_what_lies_before_the_incident_is_no_half_of_it() -> None:
    early, late = cut(window(10), 0.0, 0.5, began_ns=4 * 10**9), cut(window(10), 0.5, 1.0, began_ns=4 * 10**9)
    assert early.series[0].values == tuple(map(float, range(7)))  # 0 to 3 are lead, 4 to 6 the first half of what is 4 to 9
    assert late.series[0].values == (7.0, 8.0, 9.0)
    assert cut(window(10), 0.5, 1.0, began_ns=99 * 10**9) == cut(window(10), 0.5, 1.0)  # a clock of its own


def test_dropped_traces_lose_their_lines_too() -> None:
    kept = thin(window(200))
    assert 60 < len(kept.spans) < 140 and {span.trace_id for span in kept.spans} == {line.trace_id for line in kept.logs}


def test_hits_and_intervals_are_those_of_the_contract() -> None:
    assert within({"a": 2.0, "b": 1.0}, "a") == (1.0, 1.0, 1.0)
    assert within({"a": 2.0, "b": 2.0}, "b") == (0.5, 1.0, 1.0)
    assert within({"a": 2.0}, "c") == (0.0, 0.0, 0.0)
    assert [round(end, 3) for end in wilson(0.5, 10)] == [0.237, 0.763] and wilson(0.0, 0) == (0.0, 1.0)


def row(right: bool, confidence: float, verdict: str = "culprit", faulty: bool = True) -> Row:
    top = float(right and faulty)
    return Row("s", "c", "f", faulty, verdict, confidence, (top, top, top), 0.1)  # type: ignore[arg-type]


def test_precision_counts_sure_answers_and_inconclusive_is_none() -> None:
    rows = [row(True, 0.95), row(False, 0.92), row(True, 0.6), row(True, 0.0, "inconclusive"), row(True, 0.9, "no-culprit", faulty=False)]
    figures = confidence_figures(rows)
    assert (figures["answers"], figures["sure"], round(figures["precision"] or 0.0, 3)) == (4, 3, 0.667)
    assert ranking_figures(rows)["specificity"] == 1.0


def test_a_case_is_judged_by_weights_that_never_saw_its_family(tmp_path: Path) -> None:
    def seen(name: str, service: str | None, accused: str, strength: float) -> Seen:
        case = Case("s", name, service, "slow", tmp_path, None, (), Symptom())
        return Seen(case, "none", (View("traces", (Finding(accused, "slow", "traces", strength, "x"),), True),), 0.1)

    wrong = [seen(f"w{number}", "db", "web", 5.0) for number in range(6)]
    right = [seen(f"r{number}", f"s{number}", f"s{number}", 5.0) for number in range(20)]
    quiet = [seen(f"q{number}", None, "web", 0.1) for number in range(5)]
    everything = [*wrong, *right, *quiet]
    rows = out_of_fold(everything, examples(everything), NOBODY)
    of_wrong, of_right = rows[0].confidence, rows[6].confidence
    assert of_wrong > of_right > 0.6  # the family that is always wrong is not known to its own judge


def test_cases_are_read_as_they_lie_and_none_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "rca" / "s"
    (folder / "c" / "incident").mkdir(parents=True)
    (folder / "answers.json").write_text(json.dumps({"c": {"service": "web", "fault": "slow"}}))
    question = {"baseline": None, "symptom": {"service": "web", "signal": "latency", "at": 3}, "window": [5, 9]}
    (folder / "c" / "question.json").write_text(json.dumps(question))
    (case,) = load_cases(tmp_path)
    assert (case.family, case.symptom, case.began_ns) == ("s/web/slow", Symptom("web", "latency", 3), 5)
    assert windows(case) == (Window(), Window())
    with pytest.raises(Refused, match="no labelled incidents"):
        load_cases(tmp_path / "rca")
