"""The measuring itself: the same data every time, scores that mean what they say, and a bar that a blind detector does not reach."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import detection_data
from benchmarks.detection import main, measure
from benchmarks.detection_labels import Stream, Window, false_episodes, least_without_false, score
from benchmarks.detection_nab import GaugeStream, best_threshold, halves_score, standard_score
from bot.detection.alarm import Alarm

STREAM = Stream("s", (), (Window(1000.0, 2000.0, "db"),), ((2000.0, 2500.0),), (), 500.0, 0.0, 10_000.0, 0.0)


def alarm(at_s: float, service: str = "db", score: float = 1.0) -> Alarm:
    return Alarm(at_s, service, "latency", score)


def test_the_set_that_is_made_is_the_same_every_time_and_its_faults_are_found(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        detection_data.write(tmp_path / folder, seed=3)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) > 6 and all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)
    figures = {key: value for section in measure(tmp_path / "one") for key, value in section.figures.items() if value is not None}
    assert figures["generated-services_right_at_1"] >= 0.9 and figures["generated-services_within_1"] == 1.0
    assert figures["generated-spans_right_at_0"] == 1.0 and figures["generated-gauges_standard"] > 50.0


def test_a_folder_without_labels_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 1
    assert "expected detect/SUITE/labels.json" in capsys.readouterr().err


def test_right_is_the_root_cause_and_false_is_outside_every_window() -> None:
    alarms = [alarm(1500.0, "front"), alarm(2100.0), alarm(100.0), alarm(5000.0), alarm(5300.0)]
    judged = score([(STREAM, alarms)])
    assert (judged.found, judged.found_right, judged.false_alarms) == (1.0, 0.0, 1)  # ignored, in probation, and one that went on
    assert score([(STREAM, [alarm(2000.0)])]).found_right == 1.0
    assert judged.clean_days * 86_400 == pytest.approx(10_000 - 500 - 1500)
    assert false_episodes([alarm(0.0), alarm(1700.0), alarm(3400.0), alarm(9000.0)], 1800.0) == 3


def test_the_threshold_without_a_false_alarm_is_just_above_the_loudest() -> None:
    results = [(STREAM, [alarm(1500.0, score=3.0), alarm(5000.0, score=2.0)])]
    least = least_without_false(results)
    assert 2.0 < least < 2.001 and score(results, least).false_alarms == 0 and score(results, least).found_right == 1.0


def test_nab_gives_nothing_for_silence_and_all_for_the_first_row_of_each_window() -> None:
    times = tuple(float(row) for row in range(1000))
    windows = ((400.0, 440.0), (700.0, 740.0))

    def stream(*raised: int) -> GaugeStream:
        return GaugeStream(times, tuple(float(row in raised) for row in range(1000)), windows)

    assert standard_score([stream()], 1.0) == 0.0
    assert standard_score([stream(400, 700)], 1.0) == pytest.approx(100.0, abs=0.5)
    assert standard_score([stream(430, 730)], 1.0) < standard_score([stream(410, 710)], 1.0)
    assert standard_score([stream(400, 700, 600)], 1.0) == pytest.approx(standard_score([stream(400, 700)], 1.0) - 100 * 0.11 / 4, abs=0.01)
    assert standard_score([stream(10)], 1.0) == 0.0  # in probation
    assert halves_score([stream(400, 700), stream(400, 700)]) == pytest.approx(100.0, abs=0.5)
    assert best_threshold([stream()]) == math.inf
