"""Names and figures as they appear in sentences: untrusted text made harmless and short, numbers with their units."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NAME_LENGTH = 80
SUBJECT_LENGTH = 60


def plain(name: str) -> str:
    """A name from telemetry without anything that Markdown, HTML, mentions or commands could be made of."""
    cleaned = re.sub(r"[^\w .:/{}()+-]", "_", " ".join(name.split()))
    return cleaned[:NAME_LENGTH] or "(no name)"


def duration(ms: float) -> str:
    """Milliseconds as people write them: `180 ms`, `6.12 s`, `120 s`."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.3g} s" if ms < 100_000 else f"{ms / 1000:.0f} s"


def subject(message: str) -> str:
    """The first line of a commit's message, bounded, without quotes of its own; a trailing `(#12)`, the pull request, stays whole."""
    line = " ".join("".join(c for c in (message.strip().splitlines() or [""])[0] if c.isprintable()).split()).replace('"', "'")
    text, pull = found.groups() if (found := re.fullmatch(r"(.*?)( \(#[1-9][0-9]{0,8}\))?", line)) else (line, "")
    return (text if len(text) <= SUBJECT_LENGTH else f"{text[: SUBJECT_LENGTH - 1].rstrip()}…") + (pull or "")


def clock(at_s: float) -> str:
    """The time of day of a moment: `10:12:43 UTC`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S UTC")


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def short(sha: str) -> str:
    """A commit as people write it."""
    return sha[:7]
