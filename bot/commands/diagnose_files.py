"""`sre-space diagnose --incident DIR [--baseline DIR]`: what recorded telemetry says about the cause, for people and for scripts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import Refused
from bot.recorded.files import Tally
from bot.rootcause.calibrate import load_weights
from bot.rootcause.locate import locate
from bot.rootcause.model import Answer, Symptom, Window
from bot.rootcause.reading.window import Loaded, load_window

SYMPTOM_PART = re.compile(r"(?:^|,)(service|signal|at|span)=")  # names may hold commas


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; `baseline` None: traces are judged by their structure alone."""

    incident: Path
    baseline: Path | None
    symptom: str | None
    json: bool
    html: Path | None


def diagnose_files(request: Request) -> int:
    """Raises Missing or Refused when files cannot be read or a page cannot be written; damaged lines are told on standard error."""
    symptom = parse_symptom(request.symptom) if request.symptom else Symptom()
    incident = load_window(request.incident)
    baseline = load_window(request.baseline) if request.baseline is not None else Loaded(Window(), Tally())
    notes = [f"{name}: {note}" for name, loaded in (("incident", incident), ("baseline", baseline)) for note in loaded.notes]
    for note in notes:
        print(f"sre-space diagnose: {note}", file=sys.stderr)
    if not incident.tally.observations:
        raise Refused(f"no spans, log records or metric points in {request.incident}: it takes OTLP export requests in JSON, one a line")
    answer = locate(incident.window, baseline.window, load_weights(), symptom)
    if request.json:
        print(json.dumps(as_json(answer), ensure_ascii=False))
    if request.html is not None or not request.json:
        _for_people(request, answer, incident.window, baseline.window, notes)
    return 0


def _for_people(request: Request, answer: Answer, incident: Window, baseline: Window, notes: Sequence[str]) -> None:
    """What only people need is imported here: a script that asks case after case pays for none of it."""
    from bot.redact import redact
    from bot.rootcause.report import report
    from bot.texts.rootcause_page import page

    found = report(answer, incident, baseline, notes)
    if request.html is not None:
        try:
            request.html.write_text(page(found, redact), encoding="utf-8")
        except OSError as problem:
            raise Refused(f"cannot write {request.html}: {problem.strerror}") from problem
    if request.json:
        return
    try:
        from rich.console import Console

        from bot.commands.diagnose_terminal import show
    except ModuleNotFoundError as missing:
        raise Refused("the report for a terminal needs rich: pip install 'sre-space[local]', or ask for --json") from missing
    show(found, redact, Console())


def parse_symptom(text: str) -> Symptom:
    """Raises Refused when it is not key=value pairs of the known keys."""
    parts = SYMPTOM_PART.split(text)
    if len(parts) < 3 or parts[0]:
        raise Refused(f"--symptom {text!r} is not service=NAME,signal=NAME,at=UNIX_NANOSECONDS,span=NAME (any of them)")
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    at = said.get("at", "0")
    if not (at.isascii() and at.isdigit()):
        raise Refused(f"--symptom: at={at!r} is no time in Unix nanoseconds")
    return Symptom(said.get("service", ""), said.get("signal", ""), int(at), said.get("span", ""))


def as_json(answer: Answer) -> dict[str, Any]:
    return {
        "verdict": answer.verdict,
        "confidence": round(answer.confidence, 4),
        "suspects": [{"service": suspect.service, "score": round(suspect.score, 6)} for suspect in answer.suspects],
    }
