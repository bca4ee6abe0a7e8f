"""Audits the architecture on a schedule, and keeps one issue current that proposes what to change. Reads code, writes issues."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TextIO

from bot.agents.timeouts import WAIVER, Finding
from bot.agents.timeouts import audit as audit  # part of this module's face
from bot.errors import Refused
from bot.forge import Issue
from bot.journal import NoticeRecord
from bot.ports import ForgeReader, IssueWriter
from bot.record import Keyring
from bot.texts.safe import code

PROPOSAL_LABEL = "sre:proposal"
TITLE = "Proposal: give every client call a time-out"
_TOPIC = "proposal client-time-outs"
_SHOWN = 100
_SKIPPED_FOLDERS = frozenset({"node_modules", "venv", "__pycache__", "build", "dist", "site-packages", "tests"})
_FILE_LIMIT = 1 << 20


class IssueForge(ForgeReader, IssueWriter, Protocol):
    """What Jules may do on GitHub: read everything, write issues."""


# --- the proposal ---------------------------------------------------------------------------------------------------------------------


async def propose(forge: IssueForge, keyring: Keyring, bot: str, findings: Sequence[Finding]) -> int | None:
    """Brings the one proposal issue to what the findings say, and returns its number; None when there is nothing to propose and never was.

    Created once, edited when the findings change, closed when there are none. A closed one is opened again only for a finding that it did
    not list when it was closed: a person who closed it has said no to what it listed.
    """
    existing = await _proposals(forge, keyring, bot)
    if not existing:
        if not findings:
            return None
        await forge.create_issue(TITLE, proposal_body(findings, keyring), [PROPOSAL_LABEL])
        existing = await _proposals(forge, keyring, bot)
        if not existing:
            return None  # not listed yet: the next audit finds it
    issue, listed = existing[0]
    for twin, _ in existing[1:]:
        if twin.state == "open":
            await forge.update_issue(twin.number, state="closed", reason="not_planned")
    await _bring_up_to_date(forge, keyring, issue, listed, findings)
    return issue.number


async def _bring_up_to_date(forge: IssueForge, keyring: Keyring, issue: Issue, listed: frozenset[str], findings: Sequence[Finding]) -> None:
    body = proposal_body(findings, keyring)
    keys = {finding.key for finding in findings}
    if issue.state == "closed":
        if keys - listed:
            await forge.update_issue(issue.number, body=body, state="open", reason="reopened")
    elif not findings:
        await forge.update_issue(issue.number, body=body, state="closed", reason="completed")
    elif issue.body.strip() != body.strip():
        await forge.update_issue(issue.number, body=body)


async def _proposals(forge: IssueForge, keyring: Keyring, bot: str) -> list[tuple[Issue, frozenset[str]]]:
    """Our proposal issues with the keys that they list, lowest number first: by sealed marker and author, never by label alone."""
    found = []
    for issue in await forge.issues(label=PROPOSAL_LABEL, state="all"):
        if issue.author != bot:
            continue
        for record in keyring.read(issue.body, None):
            if isinstance(record, NoticeRecord) and record.topic.startswith(_TOPIC):
                found.append((issue, frozenset(record.topic.removeprefix(_TOPIC).split())))
                break
    return sorted(found, key=lambda pair: pair[0].number)


def proposal_body(findings: Sequence[Finding], keyring: Keyring) -> str:
    """What people read, and the sealed list of what is listed."""
    marker = keyring.seal(NoticeRecord(" ".join([_TOPIC, *sorted({f.key for f in findings})])), None)
    if not findings:
        return f"All client calls have a time-out now. Nothing is left to propose.\n\n{marker}\n"
    files = len({f.path for f in findings})
    lines = [
        f"{_count(len(findings), 'client call')} in {_count(files, 'file')} can wait without end. When the other side hangs, each "
        "of them holds its caller, its connection and its memory until something gives; a time-out shorter than the caller's own turns "
        "that into an error which can be handled.",
        "",
        "| where | call | why it is unbounded | proposal |",
        "|---|---|---|---|",
    ]
    for f in findings[:_SHOWN]:
        cells = (f"{f.path}:{f.line}", f.call or "-")
        lines.append(f"| {' | '.join(code(cell) for cell in cells)} | {f.what}: {f.why} | {f.suggestion} |")
    if len(findings) > _SHOWN:
        lines.append(f"\n… and {len(findings) - _SHOWN} more: `sre-space audit` lists all.")
    lines += [
        "",
        f"A call that must wait gets `{WAIVER} <reason>` at the end of its line. This issue follows the code: each audit edits it, and it "
        "closes itself when nothing is left. Close it to say no to what it lists; it opens again only for new findings.",
        "",
        marker,
    ]
    return "\n".join(lines) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- the command ------------------------------------------------------------------------------------------------------------------------


def read_sources(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """(path, text) of the Python files at or below these paths. Below a folder, hidden folders, dependencies, build results and tests
    are left out. Raises Refused for a path that does not exist."""
    for root in paths:
        if root.is_file():
            yield root.as_posix(), _source(root)
            continue
        if not root.is_dir():
            raise Refused(f"{root} does not exist; name a file or a folder")
        for path in sorted(root.rglob("*.py")):
            folders = path.relative_to(root).parts[:-1]
            if not any(folder.startswith(".") or folder in _SKIPPED_FOLDERS for folder in folders) and path.is_file():
                yield path.as_posix(), _source(path)


def _source(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > _FILE_LIMIT:
        raise Refused(f"{path} is larger than {_FILE_LIMIT // 1024} KiB: leave it out")
    return raw.decode("utf-8", errors="replace")


def run_audit(argv: Sequence[str], out: TextIO | None = None) -> int:
    """`sre-space audit [--json] [PATH…]`: 0 when nothing was found, 1 when something was, 2 when a path can't be read."""
    parser = argparse.ArgumentParser(
        prog="sre-space audit",
        description="Finds client calls without a time-out. `sre-space audit --propose` writes them into the one proposal issue.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files or folders (default: this folder)")
    arguments = parser.parse_args(argv)
    out = out or sys.stdout
    try:
        findings = audit(read_sources(arguments.paths or [Path()]))
    except (Refused, OSError) as problem:
        print(f"sre-space audit: {problem}", file=sys.stderr)
        return 2
    if arguments.json:
        out.write(json.dumps({"findings": [asdict(f) for f in findings]}, indent=2) + "\n")
    else:
        out.writelines(f"{f.path}:{f.line}: {f.call or 'file'} {f.what} ({f.why}); {f.suggestion}\n" for f in findings)
        out.write(f"{_count(len(findings), 'finding')}\n")
    return 1 if findings else 0
