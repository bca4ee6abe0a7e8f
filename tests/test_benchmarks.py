"""The measurements measure: a real start of the always-on process, a demo's report, and a run that gave no figures."""

from __future__ import annotations

from pathlib import Path

from benchmarks.loop import PHASES, Run, as_json, as_text, read
from benchmarks.startup import LIGHT_MODULES, import_modules, start_serve

REPORT = {
    "fault": "500",
    "outcome": "healed",
    "answered_by": "cag",
    "confidence": 0.968,
    "seconds": {**dict.fromkeys(PHASES, 1.25), "merge": None},
    "rss_mib": {"serve_peak": 79.4},
}


def test_github_is_not_there_and_the_always_on_process_answers_all_the_same(tmp_path: Path) -> None:
    started = start_serve(tmp_path)
    assert 0 < started.first_answer_s < started.first_answer_s + started.stop_s < 15
    assert started.rss_mib > 10


def test_nothing_heavy_is_imported_by_what_must_stay_light() -> None:
    assert import_modules(*LIGHT_MODULES).heavy == ()
    assert import_modules("bot.adapters.chroma").heavy  # the check can see it


def test_a_run_without_figures_is_shown_with_what_the_demo_said(tmp_path: Path) -> None:
    runs = [read(REPORT, 1, 2), Run("dependency-timeout", 1, 1, "not measured", problem="no git here")]
    started = [start_serve(tmp_path)]
    text = as_text(runs, started, [])
    assert "not measured" in text and "no git here" in text and "0.968" in text
    measured = as_json(runs, started, [])["loop"]
    assert measured[0]["seconds"]["detect"] == 1.25 and measured[0]["seconds"]["merge"] is None
    assert measured[1]["seconds"] == {} and measured[1]["problem"] == "no git here"
