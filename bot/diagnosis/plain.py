"""Names and figures as they appear in sentences: untrusted text made harmless and short, numbers with their units."""

from __future__ import annotations

import re

NAME_LENGTH = 80


def plain(name: str) -> str:
    """A name from telemetry without anything that Markdown, HTML, mentions or commands could be made of."""
    cleaned = re.sub(r"[^\w .:/{}()+-]", "_", " ".join(name.split()))
    return cleaned[:NAME_LENGTH] or "(no name)"


def duration(ms: float) -> str:
    """Milliseconds as people write them: `180 ms`, `6.1 s`."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def short(sha: str) -> str:
    """A commit as people write it."""
    return sha[:7]
