"""Where a change meets what fails: the stack's frames in the files and lines that it changed, or the manifest of the service."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.diagnosis.blame import blame
from bot.diagnosis.case import Case, Change
from bot.diagnosis.edges import WORTH_NAMING, shift
from bot.diagnosis.patch import changed_lines, moved
from bot.diagnosis.plain import plain
from bot.evidence import ErrorGroup
from bot.signature import split_frame

OUTER_FRAME = 0.7  # each frame further out weighs this much of the one inside it
SAME_FILE = 0.2  # same file, lines far away
UNKNOWN_LINES = 0.5  # no patch: somewhere between near and far
NOT_THE_WRITER = 0.6  # lines near the frame's, which another of the changes wrote
NEAR_LINES = 3
FADE_LINES = 5.0
MANIFEST, MANIFEST_NAMES_CALLEE = 0.2, 0.7  # instead of lines in a stack, which a manifest never has


@dataclass(frozen=True)
class Overlap:
    """Where the exception's stack meets the change."""

    value: float
    path: str = ""
    lines_away: int | None = None
    manifest: bool = False  # not the stack: the service's manifest


def overlap(change: Change, group: ErrorGroup, case: Case) -> Overlap:
    """How closely the stack's frames (innermost in-app frame first) meet the files and lines of the change."""
    best = Overlap(0.0)
    weight = 1.0
    for frame in reversed(in_app(group.frames)):
        path, _, line = split_frame(frame)
        for file in change.commit.files:
            if file.path != path and not path.endswith("/" + file.path):
                continue
            away = _lines_away(change, file.path, file.patch, line, case)
            near = UNKNOWN_LINES if away is None else math.exp(-max(0, away - NEAR_LINES) / FADE_LINES)
            writer = blame(case.changes, file.path, line, group.commit)
            if writer is not None:
                near = 1.0 if writer.commit.sha == change.commit.sha else min(near, NOT_THE_WRITER)
            value = weight * (SAME_FILE + (1.0 - SAME_FILE) * near)
            if value > best.value:
                best = Overlap(value, file.path, away)
        weight *= OUTER_FRAME
    return best


def in_app(frames: tuple[str, ...]) -> tuple[str, ...]:
    """The frames in the repository's own code; all of them when none is."""
    own = tuple(f for f in frames if not f.startswith(("/", "<")) and "site-packages/" not in f and "dist-packages/" not in f)
    return own or frames


def _lines_away(change: Change, path: str, patch: str, line: int, case: Case) -> int | None:
    """Distance from the frame's line to the nearest changed line, followed through the later changes of the same file."""
    lines: list[int] = list(changed_lines(patch))
    if not lines or not line:
        return None
    later = case.changes[case.changes.index(change) + 1 :]
    for file in (file for one in later for file in one.commit.files if file.path == path and file.patch):
        lines = [moved(number, file.patch) for number in lines]
    return min(abs(line - number) for number in lines)


def or_manifest(code: Overlap, change: Change, group: ErrorGroup, case: Case) -> Overlap:
    """A change of the failing service's manifest leaves no line in a stack; it counts more when it is about a call that fails."""
    if code.value or group.service not in change.manifests:
        return code
    failing = [edge for edge in case.evidence.edges if edge.caller == group.service and shift(edge, case).worse >= WORTH_NAMING]
    about = any(names_callee(change, group.service, edge.peer) for edge in failing)
    return Overlap(MANIFEST_NAMES_CALLEE if about else MANIFEST, manifest=True)


def names_callee(change: Change, service: str, peer: str) -> bool:
    """Whether the change touches the manifest of `service` where it speaks of `peer`."""
    return service in change.manifests and any(peer in file.patch for file in change.commit.files)


def innermost(group: ErrorGroup) -> str:
    """The frame in which the exception was raised, in the repository's own code if any."""
    frames = in_app(group.frames)
    return frames[-1] if frames else "(no stack)"


def code_text(code: Overlap) -> str:
    if code.manifest:
        return "it changed the service's manifest, which leaves no line in a stack"
    if not code.path:
        return "it changed none of the stack's files"
    return f"it changed {plain(code.path)}{near_text(code)}"


def near_text(code: Overlap) -> str:
    if code.lines_away is None:
        return ""
    return (
        f", {code.lines_away} lines from a frame of the stack"
        if code.lines_away
        else ", and a frame of the stack stands in what it changed"
    )
