"""`sre-space detect`: files in, alarms out; bad lines are told, not fatal; the future does not change the past."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from bot.__main__ import EXIT_REFUSED, main
from bot.commands.detect import run
from bot.commands.otlp_files import read_files
from bot.detection.observation import BareSpan, Point
from bot.errors import Missing, Refused
from bot.recorded.files import Tally
from tests.detection.detect_world import BEGAN_S, INTERVAL_S, LEARNT, Health, otlp_line, points

SERVICES = ("api", "db")


def lines(intervals: int, services: tuple[str, ...] = SERVICES) -> list[str]:
    """One request an interval; from LEARNT on db is slow and fails."""
    draw, made = random.Random(4), []
    for number in range(intervals):
        found: list[Point] = []
        for service in services:
            bad = service == "db" and number >= LEARNT
            found += points(number, service, Health(latency_s=0.5, failed=90) if bad else Health(failed=number % 2), draw)
        made.append(otlp_line(found))
    return made


def save(path: Path, text: list[str]) -> Path:
    packed = ("\n".join(text) + "\n").encode()
    path.write_bytes(gzip.compress(packed) if path.suffix == ".gz" else packed)
    return path


def answers(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", ["metrics.jsonl", "metrics.jsonl.gz"])
def test_an_incident_in_a_file_is_one_json_line_an_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["detect", str(save(tmp_path / name, lines(LEARNT + 3))), "--json", "--budget", "1"], {}) == 0
    found = answers(capsys)
    assert found and {one["service"] for one in found} == {"db"}
    assert [set(one) for one in found] == [{"at", "service", "signal", "score"}] * len(found)
    assert min(int(str(one["at"])) for one in found) >= (BEGAN_S + LEARNT * INTERVAL_S) * 1e9


def test_people_get_a_table_and_health_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(save(tmp_path / "m.jsonl", lines(LEARNT + 3))), "--budget", "1"], {}) == 0
    shown = capsys.readouterr().out
    assert "time (UTC)" in shown and " db" in shown and "2026-01-01 12:3" in shown
    assert run([str(save(tmp_path / "m.jsonl", lines(LEARNT))), "--budget", "1"], {}) == 0
    assert "nothing out of the ordinary" in capsys.readouterr().out


def test_files_of_two_services_are_one_stream_in_time_order(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{service}.jsonl", lines(40, (service,))) for service in SERVICES]
    times = [batch.at_s for batch in read_files(files, Tally())]
    assert times == sorted(times) and len(times) == 80


def test_what_comes_later_changes_nothing_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = lines(LEARNT + 40)
    found = []
    for count in (len(whole), LEARNT + 2):
        for budget in ([], ["--budget", "2"]):
            run([str(save(tmp_path / "m.jsonl", whole[:count])), "--json", *budget], {})
            found.append(answers(capsys))
    assert found[0][: len(found[2])] == found[2] != [] and found[1][: len(found[3])] == found[3] != []


def test_values_of_one_export_that_differ_by_milliseconds_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    together = lines(LEARNT + 3)
    apart = [line.replace('000000000"', '123000000"', 1) for line in together]
    assert apart != together
    found = []
    for text in (together, apart):
        run([str(save(tmp_path / "m.jsonl", text)), "--json", "--budget", "1"], {})
        found.append([(one["service"], one["signal"], one["score"]) for one in answers(capsys)])
    assert found[0] == found[1] != []


def test_bad_lines_are_counted_by_reason_and_the_rest_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = lines(LEARNT + 3)
    spoilt = [*good[:5], "{not json", "[]", "{}", '{"resourceSpans": 7}', "", *good[5:]]
    assert run([str(save(tmp_path / "m.jsonl", spoilt)), "--json", "--budget", "1"], {}) == 0
    shown = capsys.readouterr()
    assert "3 × no OTLP export request in JSON (first: m.jsonl, line 6" in shown.err
    assert "1 × no resourceSpans, resourceMetrics or resourceLogs" in shown.err
    assert {json.loads(line)["service"] for line in shown.out.splitlines()} == {"db"}


def test_a_clock_that_is_centuries_ahead_or_behind_for_a_line_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = lines(LEARNT + 3)
    began = str(round(BEGAN_S * 1e9))
    spoilt = [
        *good[:9],
        good[0].replace(began, "9000000000000000000"),
        good[0].replace(began, "17"),
        good[0].replace(began, "-5"),
        *good[9:],
    ]
    outcomes = []
    for text in (good, spoilt):
        assert run([str(save(tmp_path / "m.jsonl", text)), "--json", "--budget", "1"], {}) == 0
        outcomes.append(capsys.readouterr())
    assert outcomes[0].out == outcomes[1].out != ""
    assert "1 × the clock was more than a day ahead" in outcomes[1].err and "1 × no OTLP export request" in outcomes[1].err


def test_a_file_that_breaks_off_is_read_to_there(tmp_path: Path) -> None:
    path = save(tmp_path / "m.jsonl.gz", lines(30))
    path.write_bytes(path.read_bytes()[:-2000])
    tally = Tally()
    assert 0 < len(list(read_files([path], tally))) < 30
    assert list(tally.bad) == ["the file is damaged (EOFError)"]


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    point = {"timeUnixNano": "1", "asDouble": "NaN"}
    line = {
        "resourceMetrics": [
            {"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [point, {"timeUnixNano": 2, "asInt": "7"}]}}]}]}
        ]
    }
    (batch,) = read_files([save(tmp_path / "m.jsonl", [json.dumps(line)])], Tally())
    assert [(at_s, seen.value) for at_s, seen in batch.seen if isinstance(seen, Point)] == [(2e-9, 7.0)]


def test_spans_are_read_without_kind_and_status(tmp_path: Path) -> None:
    span = {"traceId": "t", "spanId": "s", "name": "op", "startTimeUnixNano": "1000000000", "endTimeUnixNano": "3000000000"}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
    line = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})
    (batch,) = read_files([save(tmp_path / "t.jsonl", [line])], Tally())
    assert batch.seen == [(3.0, BareSpan("t", "s", "", "api", "op", 1.0, 3.0))]


def histogram_lines(intervals: int, draw: random.Random) -> list[str]:
    """What an SDK exports: one cumulative histogram by status code; from LEARNT on requests are slow and fail."""
    bounds, made = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0], []
    counts, sums = {"200": [0] * 8, "500": [0] * 8}, {"200": 0.0, "500": 0.0}
    for number in range(intervals):
        bad = number >= LEARNT
        for _ in range(100):
            status = "500" if draw.random() < (0.4 if bad else 0.005) else "200"
            duration_s = draw.lognormvariate(-1.0 if bad else -3.5, 0.4)
            counts[status][sum(duration_s > bound for bound in bounds)] += 1
            sums[status] += duration_s
        data = [
            {
                "attributes": [{"key": "http.response.status_code", "value": {"intValue": status}}],
                "timeUnixNano": str(round((BEGAN_S + number * INTERVAL_S) * 1e9)),
                "count": str(sum(counts[status])),
                "sum": sums[status],
                "bucketCounts": [str(count) for count in counts[status]],
                "explicitBounds": bounds,
            }
            for status in counts
        ]
        histogram = {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "dataPoints": data}
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
        metric = {"name": "some.duration", "unit": "s", "histogram": histogram}
        made.append(json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}))
    return made


def test_the_histograms_of_an_sdk_hold_durations_and_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "m.jsonl", histogram_lines(LEARNT + 3, random.Random(6)))
    batches = list(read_files([path], Tally()))
    last = {(p.series.statistic, p.series.attributes): p.value for _, p in batches[-1].seen if isinstance(p, Point)}
    assert last["count", ()] == 100.0 and 0.25 < last["p50", ()] < 0.5 < last["p99", ()] <= 1.0
    assert run([str(path), "--json", "--budget", "1"], {}) == 0
    found = answers(capsys)
    assert found and {one["service"] for one in found} == {"api"}
    assert min(int(str(one["at"])) for one in found) >= (BEGAN_S + LEARNT * INTERVAL_S) * 1e9


def test_kind_and_status_are_read_where_they_are_written(tmp_path: Path) -> None:
    def span(kind: object, status: object, code: int) -> dict[str, object]:
        attributes = [{"key": "http.response.status_code", "value": {"intValue": str(code)}}]
        times = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        return {"traceId": "t", "spanId": "s", "kind": kind, "status": status, "attributes": attributes, **times}

    spans = [span(2, {}, 200), span("SPAN_KIND_SERVER", {"code": "STATUS_CODE_ERROR"}, 200), span(5, {}, 503), span(3, {"code": 2}, 500)]
    (batch,) = read_files([save(tmp_path / "t.jsonl", [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})])], Tally())
    read = [(seen.serves, seen.failed) for _, seen in batch.seen if isinstance(seen, BareSpan)]
    assert read == [(True, False), (True, True), (True, True), (False, False)]


def test_nothing_readable_is_refused_and_says_what_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Missing, match=r"there is no file .*nowhere\.jsonl"):
        run([str(tmp_path / "nowhere.jsonl")], {})
    with pytest.raises(Refused, match="one JSON object a line"):
        run([str(save(tmp_path / "m.jsonl", ["hello"]))], {})
    assert main(["detect", str(tmp_path)], {}) == EXIT_REFUSED
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["0", "-1", "inf", "many"])
def test_a_budget_is_a_number_above_nothing(tmp_path: Path, budget: str) -> None:
    with pytest.raises((SystemExit, Refused)):
        run([str(save(tmp_path / "m.jsonl", lines(2))), "--budget", budget], {})
