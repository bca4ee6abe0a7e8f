"""`sre-space diagnose` on recorded telemetry: for scripts, for a terminal, as a page; clear words when it cannot."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.diagnosis_data import BASELINE_MS, BEGAN_MS, INCIDENT_MS, Fault, record, save_recording
from bot.__main__ import EXIT_REFUSED, main
from bot.commands.diagnose_files import parse_symptom
from bot.errors import Refused
from bot.rootcause.model import Symptom
from tests.rootcause.recorded_world import attributes, logs_line, save, span, spans_line

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&`${7*7} [click](javascript:x) \x1b[31m\u202e @everyone"
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy stretch, and one in which the calls to pay take long on the wire."""
    folder, draw = tmp_path_factory.mktemp("shop"), random.Random(3)
    save_recording(folder / "baseline", record(draw, BEGAN_MS, BASELINE_MS // 2, Fault()))
    save_recording(folder / "incident", record(draw, BEGAN_MS + BASELINE_MS, INCIDENT_MS // 2, Fault("pay", "network")))
    return folder


def diagnose(*arguments: object) -> int:
    return main(["diagnose", *map(str, arguments)], {})


def test_a_script_gets_one_object(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnose("--incident", shop / "incident", "--baseline", shop / "baseline", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"verdict", "confidence", "suspects"} and found["verdict"] == "culprit"
    assert found["suspects"][0]["service"] == "pay" and 0 <= found["confidence"] <= 1


def test_people_get_a_report_and_a_page_of_one_file(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert diagnose("--incident", shop / "incident", "--baseline", shop / "baseline", "--html", page) == 0
    shown = capsys.readouterr().out
    assert "Culprit: pay" in shown and "Confidence" in shown and "since" in shown and "log lines" in shown
    text = page.read_text()
    assert "<svg" in text and "Timeline" in text and "Exemplars" in text and "What was compared" in text
    assert "http://" not in text and "https://" not in text and "<script" not in text


def test_a_symptom_may_be_told_and_names_may_hold_commas() -> None:
    assert parse_symptom("service=a,b,signal=latency,at=12,span=GET /") == Symptom("a,b", "latency", 12, "GET /")
    assert parse_symptom("signal=errors") == Symptom(signal="errors")
    for wrong in ("a", "at=soon", "x,service=a"):
        with pytest.raises(Refused, match="--symptom"):
            parse_symptom(wrong)


def test_the_two_ways_are_not_mixed_and_halves_are_refused(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnose() == EXIT_REFUSED and "say what to diagnose" in capsys.readouterr().err
    assert diagnose("--issue", 3, "--incident", shop) == EXIT_REFUSED and "cannot be mixed" in capsys.readouterr().err
    assert diagnose("--issue", 3) == EXIT_REFUSED and "needs all of" in capsys.readouterr().err
    assert diagnose("--json", "--baseline", shop) == EXIT_REFUSED and "--incident" in capsys.readouterr().err


def test_an_empty_or_missing_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnose("--incident", tmp_path / "nowhere", "--json") == EXIT_REFUSED and "there is no folder" in capsys.readouterr().err
    assert (
        diagnose("--incident", tmp_path, "--json") == EXIT_REFUSED and "no spans, log records or metric points" in capsys.readouterr().err
    )


def test_with_an_empty_baseline_nothing_is_claimed_about_metrics(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "baseline").mkdir()
    metrics = tmp_path / "incident"
    metrics.mkdir()
    (metrics / "m.gz").write_bytes((shop / "incident" / "metrics.jsonl.gz").read_bytes())
    assert diagnose("--incident", metrics, "--baseline", tmp_path / "baseline", "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "inconclusive"


def test_an_answer_that_claims_nothing_has_no_confidence_and_an_estimate_is_called_one(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.gz").write_bytes((shop / "incident" / "metrics.jsonl.gz").read_bytes())
    assert diagnose("--incident", tmp_path / "m.gz") == 0
    shown = capsys.readouterr().out
    assert "Inconclusive" in shown and "Confidence" not in shown
    assert diagnose("--incident", shop / "incident" / "traces.jsonl.gz") == 0
    assert "an estimate" in capsys.readouterr().out


def test_damaged_lines_are_told_and_the_rest_is_judged(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("traces", "logs", "metrics"):
        (tmp_path / f"{name}.gz").write_bytes((shop / "incident" / f"{name}.jsonl.gz").read_bytes())
    save(tmp_path / "broken.txt", ["{", "hello", "{}"])
    assert diagnose("--incident", tmp_path, "--baseline", shop / "baseline", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["suspects"][0]["service"] == "pay" and "no OTLP export request" in shown.err


class Tags(HTMLParser):
    """Which elements and attributes a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.handlers: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on") or name in ("href", "src", "action")}


def test_hostile_names_are_text_and_secrets_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thrown = [{"name": "exception", "attributes": attributes(exception__type=HOSTILE, exception__message=f"{HOSTILE} {SECRET}")}]
    failed = {"status": {"code": 2}, "events": thrown}
    spans = [span("t" * 32, "1", "", HOSTILE, 0, 50, kind=2, **failed), span("t" * 32, "2", "1", HOSTILE, 1, 40, kind=3, **failed)]
    save(tmp_path / "in" / "t", [spans_line(HOSTILE, spans, k8s__pod__name=HOSTILE)])
    save(tmp_path / "in" / "l", [logs_line(HOSTILE, [{"timeUnixNano": "1", "body": {"stringValue": HOSTILE}}])])
    page = tmp_path / "page.html"
    assert diagnose("--incident", tmp_path / "in", "--html", page) == 0
    tags = Tags()
    tags.feed(page.read_text())
    assert not tags.handlers and not tags.seen & {"script", "img", "a", "iframe", "object", "form", "link"}
    assert "alert(1)" in page.read_text()  # it is shown, as text
    shown = capsys.readouterr().out
    assert SECRET not in page.read_text() + shown and "\x1b[31m" not in shown and "\u202e" not in page.read_text() + shown


def test_a_page_that_cannot_be_written_is_refused(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnose("--incident", shop / "incident", "--json", "--html", tmp_path / "no" / "page.html") == EXIT_REFUSED
    assert "cannot write" in capsys.readouterr().err
