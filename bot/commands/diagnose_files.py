"""`sre-space diagnose --incident DIR [--baseline DIR]`: what recorded telemetry says about the cause, for people and for scripts."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import Refused
from bot.rootcause.load import load_window
from bot.rootcause.locate import locate
from bot.rootcause.model import Answer, Symptom, Window

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
    """Raises Missing or Refused when files cannot be read; damaged lines are told on standard error."""
    symptom = parse_symptom(request.symptom) if request.symptom else None
    incident = load_window(request.incident)
    baseline = load_window(request.baseline) if request.baseline is not None else None
    for name, loaded in (("incident", incident), ("baseline", baseline)):
        for note in loaded.notes if loaded is not None else ():
            print(f"sre-space diagnose: {name}: {note}", file=sys.stderr)
    answer = locate(incident.window, baseline.window if baseline is not None else Window(), symptom)
    if request.json:
        print(json.dumps(as_json(answer), ensure_ascii=False))
    return 0


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
