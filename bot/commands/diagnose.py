"""`sre-space diagnose`: the cause of an incident, in one of two ways that are loaded only when they are asked for.

Of an issue (a job in Actions): --issue, --attempt, --out. Of recorded telemetry (for people and scripts): --incident, --baseline and more.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.errors import Refused

OF_ISSUE = ("issue", "attempt", "out")
OF_FILES = ("incident", "baseline", "symptom", "json", "html")
EXAMPLE = "for instance --incident FOLDER --baseline FOLDER"


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    options = _parser().parse_args(argv)
    of_issue, of_files = _given(options, OF_ISSUE), _given(options, OF_FILES)
    if of_issue and of_files:
        raise Refused(f"{of_issue[0]} and {of_files[0]} cannot be mixed: give {_flags(OF_ISSUE)}, or {EXAMPLE}")
    if of_issue:
        if len(of_issue) < len(OF_ISSUE):
            raise Refused(f"an attempt on an issue needs all of {_flags(OF_ISSUE)}")
        from bot.commands.diagnose_attempt import diagnose_attempt

        return diagnose_attempt(options.issue, options.attempt, options.out, env)
    if options.incident is None:
        raise Refused(f"say what to diagnose: {EXAMPLE}, or {_flags(OF_ISSUE)}")
    from bot.commands.diagnose_files import Request, diagnose_files

    return diagnose_files(Request(options.incident, options.baseline, options.symptom, options.json, options.html))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sre-space diagnose", description=__doc__)
    files = parser.add_argument_group("recorded telemetry", "folders (or files) of OTLP requests in JSON, one a line, plain or gzip")
    files.add_argument("--incident", type=Path, metavar="DIR", help="the telemetry of the incident")
    files.add_argument("--baseline", type=Path, metavar="DIR", help="of a healthy time; without it, traces are judged by their structure")
    files.add_argument(
        "--symptom", metavar="TEXT", help="what was noticed: service=NAME,signal=NAME,at=UNIX_NANOSECONDS,span=NAME, any of them"
    )
    files.add_argument("--json", action="store_true", help="one JSON object: verdict, confidence, suspects")
    files.add_argument("--html", type=Path, metavar="FILE", help="a page with the service graph, the suspects, a timeline and exemplars")
    issue = parser.add_argument_group("an attempt on an issue", "what the job in Actions calls")
    issue.add_argument("--issue", type=int, metavar="N", help="the incident's issue")
    issue.add_argument("--attempt", type=int, metavar="N", help="an attempt that the issue records")
    issue.add_argument("--out", type=Path, metavar="FILE", help="the file for the diagnosis (JSON)")
    return parser


def _given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    return [f"--{name}" for name in names if getattr(options, name) not in (None, False)]


def _flags(names: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in names)
